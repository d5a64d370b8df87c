//! What all works share: the program, the peers, and models of random weights.

use crate::checkpoints::shapes::{GPT2_124M, GPT2_END};
use crate::checkpoints::{gpt2, tokenizers};
use crate::program::DeviceArguments;
use crate::program::files::write;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// What all works share.
pub(super) struct Setup {
    pub(super) program: PathBuf,
    pub(super) python: PathBuf,
    pub(super) work: PathBuf,
    /// A GPT-2 of random weights with the tokenizer of the real one.
    pub(super) model: PathBuf,
    /// The same with a tokenizer of one word for each token.
    pub(super) words: PathBuf,
    pub(super) data: PathBuf,
    pub(super) device: DeviceArguments,
    pub(super) quick: bool,
    pub(super) rounds: usize,
}

/// Writes the models.
pub(super) fn write_models(setup: &Setup) -> Result<()> {
    gpt2::write_model(&setup.model, GPT2_124M, GPT2_END)?;
    let tokenizer = setup.data.join("tokenizer/tokenizer.json");
    std::fs::copy(&tokenizer, setup.model.join("tokenizer.json"))
        .with_context(|| format!("cannot copy `{}`", tokenizer.display()))?;
    // transformers needs this file beside it.
    let config = serde_json::json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "model_max_length": 1024
    });
    write(&setup.model.join("tokenizer_config.json"), config.to_string())?;
    std::fs::create_dir_all(&setup.words)?;
    for file in ["config.json", "generation_config.json", "model.safetensors"] {
        link(&setup.model.join(file), &setup.words.join(file))?;
    }
    tokenizers::write_words(&setup.words, GPT2_124M.vocabulary)
}

fn link(from: &Path, to: &Path) -> Result<()> {
    std::fs::hard_link(from, to).with_context(|| format!("cannot link `{}`", from.display()))
}
