//! What all works share: the program, the peers, and the models.

use super::machine::Machine;
use crate::checkpoints::shapes::{GPT2_124M, GPT2_END};
use crate::checkpoints::{gpt2, tokenizers};
use crate::program::DeviceArguments;
use crate::program::files::{read, write};
use crate::real_models;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What all works share.
pub(super) struct Setup {
    pub(super) program: PathBuf,
    pub(super) python: PathBuf,
    pub(super) work: PathBuf,
    /// A GPT-2 of random weights with the tokenizer of the real one.
    pub(super) gpt2: Model,
    pub(super) data: PathBuf,
    pub(super) device: DeviceArguments,
    /// The precisions that are measured.
    pub(super) precisions: &'static [Precision],
    pub(super) quick: bool,
    pub(super) rounds: usize,
}

/// A model that both sides run.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// As lines of the table name it.
    pub(super) name: &'static str,
    pub(super) checkpoint: PathBuf,
    /// The same with a tokenizer of one word for each token. No token ends an answer.
    pub(super) words: PathBuf,
    pub(super) vocabulary: usize,
}

/// What the numbers of a product are rounded to before they are multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Precision {
    /// Nothing: 32 bits.
    Highest,
    /// `bfloat16`.
    Medium,
}

impl Precision {
    /// As the option of `candle` has it.
    pub(super) fn name(self) -> &'static str {
        self.pick("highest", "medium")
    }

    /// PyTorch's number type.
    pub(super) fn number_type(self) -> &'static str {
        self.pick("float32", "bfloat16")
    }

    /// Those that gain something: the second one needs instructions of the CPU's.
    pub(super) fn of(machine: &Machine, device: &DeviceArguments) -> &'static [Precision] {
        let has_medium = device.is_cpu() && machine.multiplies_bf16();
        if has_medium { &[Precision::Highest, Precision::Medium] } else { &[Precision::Highest] }
    }

    pub(super) fn pick<T>(self, highest: T, medium: T) -> T {
        match self {
            Precision::Highest => highest,
            Precision::Medium => medium,
        }
    }
}

impl Setup {
    /// A checkpoint as a model of a suite.
    pub(super) fn candle(&self, checkpoint: &Path, precision: Precision) -> Value {
        let mut model =
            json!({ "plugin": "candle", "device": self.device.device, "checkpoint": checkpoint, "chat": false });
        if precision != Precision::Highest {
            model["precision"] = precision.name().into();
        }
        model
    }
}

/// Writes a GPT-2 of random weights below a directory.
pub(super) fn write_gpt2(work: &Path, data: &Path) -> Result<Model> {
    let (checkpoint, words) = (work.join("gpt2"), work.join("gpt2-words"));
    gpt2::write_model(&checkpoint, GPT2_124M, GPT2_END)?;
    let tokenizer = data.join("tokenizer/tokenizer.json");
    std::fs::copy(&tokenizer, checkpoint.join("tokenizer.json"))
        .with_context(|| format!("cannot copy `{}`", tokenizer.display()))?;
    // transformers needs this file beside it.
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "model_max_length": 1024
    });
    write(&checkpoint.join("tokenizer_config.json"), config.to_string())?;
    let model = Model { name: "GPT-2 124M", checkpoint, words, vocabulary: GPT2_124M.vocabulary };
    model.write_words()?;
    Ok(model)
}

/// The file of the published model as GGUF.
pub(super) fn smollm2_gguf() -> PathBuf {
    real_models::directory().join("smollm2.gguf")
}

/// Whether `cargo xtask real-models` has put the published model there.
pub(super) fn has_smollm2() -> bool {
    smollm2_gguf().is_file() && real_models::directory().join("smollm2/config.json").is_file()
}

/// The published model, with its copy of words.
pub(super) fn smollm2(setup: &Setup) -> Result<Model> {
    let checkpoint = real_models::directory().join("smollm2");
    ensure!(has_smollm2(), "expected SmolLM2 in `{}`; `cargo xtask real-models` gets it", checkpoint.display());
    let words = setup.work.join("smollm2-words");
    let model = Model { name: "SmolLM2 135M", checkpoint, words, vocabulary: 49_152 };
    if !model.words.is_dir() {
        model.write_words()?;
    }
    Ok(model)
}

impl Model {
    fn write_words(&self) -> Result<()> {
        for file in ["config.json", "generation_config.json"] {
            let mut config: Value = serde_json::from_str(&read(&self.checkpoint.join(file))?)?;
            config["eos_token_id"] = Value::Null;
            write(&self.words.join(file), config.to_string())?;
        }
        let (from, to) = (self.checkpoint.join("model.safetensors"), self.words.join("model.safetensors"));
        // Another file system than the target directory's takes a copy.
        let linked = std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(&from, &to).map(drop));
        linked.with_context(|| format!("cannot copy `{}`", from.display()))?;
        tokenizers::write_words(&self.words, self.vocabulary)
    }
}
