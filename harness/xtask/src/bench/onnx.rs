//! `cargo xtask bench onnx`: tokens a second of a GPT-2 or a Llama through ONNX Runtime and through candle, beside Python's
//! onnxruntime on the same file or transformers on the same weights, in turns.

use super::work::{Peer, Size, Throughput, Work, median, threads};
use crate::checkpoints::shapes::{GPT2_124M, GPT2_QUICK, LLAMA_QUICK, SMOLLM2_135M};
use crate::checkpoints::{gpt2, llama, tokenizers};
use crate::program::{self, DeviceArguments, ProgramArguments, onnxruntime};
use anyhow::Result;
use clap::ValueHint;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct OnnxArguments {
    /// A Python to compare with, which has `onnxruntime`, or `torch` and `transformers`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// What to compare with. If not given: `onnxruntime` on the CPU, `transformers` on a GPU.
    #[arg(long)]
    peer: Option<Peer>,
    /// The family of the model, which has the sizes of GPT-2 124M or of SmolLM2 135M, and random weights.
    #[arg(long, default_value = "gpt2")]
    family: Family,
    /// A small model instead of one of more than 100 million parameters: seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// How often each side is measured, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

/// Families that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Family {
    Gpt2,
    Llama,
}

impl Family {
    /// Writes a model. What it is called, and its vocabulary.
    fn write(self, quick: bool, directory: &Path) -> Result<(&'static str, usize)> {
        let (name, vocabulary) = match (self, quick) {
            (Family::Gpt2, true) => ("a small GPT-2", GPT2_QUICK.vocabulary),
            (Family::Gpt2, false) => ("GPT-2, 124M", GPT2_124M.vocabulary),
            (Family::Llama, true) => ("a small Llama", LLAMA_QUICK.vocabulary),
            (Family::Llama, false) => ("a Llama of the sizes of SmolLM2, 135M", SMOLLM2_135M.vocabulary),
        };
        match self {
            Family::Gpt2 => gpt2::write_model(directory, if quick { GPT2_QUICK } else { GPT2_124M }, 0)?,
            Family::Llama => {
                llama::write_model(directory, if quick { LLAMA_QUICK } else { SMOLLM2_135M })?;
            }
        }
        tokenizers::write_words(directory, vocabulary)?;
        Ok((name, vocabulary))
    }
}

/// Largest relative difference of the sum of all log-likelihoods.
const TOLERANCE: f64 = 1e-5;

/// Measures and prints a line for each side. Whether all got the same sums.
pub(crate) fn bench(arguments: &OnnxArguments) -> Result<bool> {
    let program = program::find(&arguments.program)?;
    onnxruntime::provide()?;
    let directory = tempfile::tempdir()?;
    let (name, vocabulary) = arguments.family.write(arguments.quick, &directory.path().join("start"))?;
    let work = Work::new(vocabulary, Size::SMALL);
    work.write(directory.path())?;
    let export = |operators: &str, logits: &str| json!({ "exporter": "onnx", "from": directory.path().join("start"), "operators": operators, "logits": logits });
    let exported = program::examine(
        &program,
        directory.path(),
        &json!({
            "name": "export",
            "export": {
                "standard": export("standard", "all"), "fused": export("fused", "wanted"), "grouped": export("grouped", "wanted")
            },
        }),
    )?;
    let device = &arguments.device;
    let model = |plugin: &str, checkpoint: PathBuf| json!({ "plugin": plugin, "device": device.device, "checkpoint": checkpoint });
    let models = [
        ("candle", model("candle", directory.path().join("start"))),
        ("onnx", model("onnx", exported.path("export/standard"))),
        ("onnx, fused", model("onnx", exported.path("export/fused"))),
        ("onnx, grouped", model("onnx", exported.path("export/grouped"))),
    ];
    let peer = arguments.peer.unwrap_or(if device.is_cpu() { Peer::Onnxruntime } else { Peer::Transformers });
    println!(
        "{name}, f32, {}: {} documents of {} tokens, the last {} scored; {} answers of {} tokens after {}",
        device.device,
        work.documents.len(),
        work.documents[0].len(),
        work.scored,
        work.prompts.len(),
        work.new,
        work.prompts[0].len()
    );
    let mut measured: Vec<(&str, Vec<Throughput>)> = Vec::new();
    for round in 0..arguments.rounds {
        let mut add = |side: &'static str, value: Throughput| match measured.iter_mut().find(|(name, _)| *name == side)
        {
            Some((_, values)) => values.push(value),
            None => measured.push((side, vec![value])),
        };
        for (side, model) in &models {
            add(
                side,
                work.examiner(
                    &program,
                    device,
                    directory.path(),
                    model,
                    &format!("{}-{round}", side.replace([' ', ','], "")),
                )?,
            );
        }
        if let Some(python) = &arguments.python {
            let (model, third) = match peer {
                Peer::Onnxruntime => (exported.path("export/standard/model.onnx"), threads().to_string()),
                Peer::Transformers => (directory.path().join("start"), device.device.clone()),
            };
            add(peer.name(), work.python(python, peer, directory.path(), &model, &[&third])?);
        }
    }
    print_table(&measured, peer)
}

fn print_table(measured: &[(&str, Vec<Throughput>)], compared: Peer) -> Result<bool> {
    let of = |values: &[Throughput], pick: fn(&Throughput) -> f64| median(values.iter().map(pick).collect());
    let peer = measured.iter().find(|(side, _)| *side == compared.name());
    let sum = peer.or(measured.first()).and_then(|(_, values)| values.first()).map_or(f64::NAN, |value| value.sum);
    println!(
        "{:<22} {:>16} {:>7} {:>16} {:>7}  {:>14}",
        "tokens/s (medians)", "scoring", "ratio", "generation", "ratio", "sum of scores"
    );
    let mut agree = true;
    for (side, values) in measured {
        let (scoring, generation) = (of(values, |value| value.scoring)?, of(values, |value| value.generation)?);
        let ratio = |ours: f64, pick: fn(&Throughput) -> f64| -> Result<String> {
            Ok(match peer {
                Some((_, theirs)) => format!("{:.2}", ours / of(theirs, pick)?),
                None => "-".to_owned(),
            })
        };
        let same = values.iter().all(|value| ((value.sum - sum) / sum).abs() <= TOLERANCE);
        agree &= same;
        println!(
            "{side:<22} {scoring:>16.1} {:>7} {generation:>16.1} {:>7}  {:>14.3} {}",
            ratio(scoring, |value| value.scoring)?,
            ratio(generation, |value| value.generation)?,
            values.first().map_or(f64::NAN, |value| value.sum),
            if same { "" } else { "DIFFERS" }
        );
    }
    if peer.is_none() {
        println!("{}: not measured; name a Python that has it by `--python`", compared.name());
    }
    Ok(agree)
}
