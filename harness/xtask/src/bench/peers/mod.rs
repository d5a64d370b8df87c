//! `cargo xtask bench peers`: Examiner beside other programs, on the same weights and the same prompts, in turns.

mod arithmetic;
mod choices;
mod evaluations;
mod mmlu;
mod result;
mod setup;
mod tokens;

use crate::program::{self, DeviceArguments, ProgramArguments, python};
use anyhow::{Context, Result, ensure};
use clap::ValueHint;
use result::PeerResult;
use setup::{Setup, write_models};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct PeersArguments {
    /// Only works whose name contains this (repeatable).
    #[arg(long, value_name = "NAME")]
    work: Vec<String>,
    /// Less work, once: minutes instead of hours. Fixed costs weigh more.
    #[arg(long)]
    quick: bool,
    /// How often each side is measured, in turns.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// A Python that has `torch`, `transformers`, `lm_eval`, `onnx` and `onnxruntime`, instead of one that is installed below
    /// the target directory.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// A directory with `tokenizer/tokenizer.json` of GPT-2 and `csqa/dev_rand_split.jsonl`, CommonsenseQA's.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// Where `candle` and transformers run. On another device than the CPU: documents and generation alone.
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

type Work = (&'static str, fn(&Setup) -> Result<Vec<PeerResult>>);

const WORKS: [Work; 8] = [
    ("choices-0shot", |setup| choices::choices(setup, 0)),
    ("choices-5shot", |setup| choices::choices(setup, 5)),
    (MMLU, mmlu::mmlu),
    ("documents", tokens::documents),
    ("generation", tokens::generation),
    ("onnx", tokens::onnx),
    ("training", tokens::training),
    ("arithmetic", arithmetic::arithmetic),
];

/// It needs what `cargo xtask real-models` gets; without it, it is left out unless it is asked for.
const MMLU: &str = "mmlu-5shot";

/// Works that can run on any device.
const ON_ANY_DEVICE: [&str; 2] = ["documents", "generation"];

/// The peers, in the releases that the published ratios were measured with.
const PACKAGES: [&str; 6] =
    ["torch==2.15.0", "transformers==5.23.0", "lm_eval==0.4.13", "accelerate", "onnx==1.23.2", "onnxruntime==1.32.0"];

/// A Python that has the peers: the one that is named, or one below the target directory.
fn peers(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(python) => {
            ensure!(python.is_file(), "there is no Python `{}`", python.display());
            Ok(std::path::absolute(python)?)
        }
        None => python::environment("peers", &PACKAGES),
    }
}

/// Measures and prints a line for each work. Whether all hold.
pub(crate) fn bench(arguments: &PeersArguments) -> Result<bool> {
    let wanted = |name: &str| {
        let asked_for = arguments.work.is_empty() || arguments.work.iter().any(|work| name.contains(work.as_str()));
        let is_there = name != MMLU || !arguments.work.is_empty() || mmlu::is_available(&arguments.data);
        asked_for && is_there && (arguments.device.is_cpu() || ON_ANY_DEVICE.contains(&name))
    };
    ensure!(
        WORKS.iter().any(|(name, _)| wanted(name)),
        "there is no such work; there are {}",
        WORKS.map(|(name, _)| name).join(", ")
    );
    let data = arguments.data.canonicalize();
    let directory = tempfile::tempdir()?;
    let work = directory.path();
    let setup = Setup {
        program: program::find(&arguments.program)?,
        python: peers(arguments.python.as_deref())?,
        work: work.to_owned(),
        model: work.join("gpt2"),
        words: work.join("gpt2-words"),
        data: data.with_context(|| format!("there is no directory `{}`", arguments.data.display()))?,
        device: arguments.device.clone(),
        quick: arguments.quick,
        rounds: if arguments.quick { 1 } else { arguments.rounds },
    };
    write_models(&setup)?;
    println!(
        "GPT-2 124M of random weights, f32, {}; medians of {} rounds, in turns",
        setup.device.device, setup.rounds
    );
    println!(
        "{:<44} {:<22} {:>9} {:>9} {:<9} {:>15} {:>25}",
        "work", "peer", "ours", "peer's", "", "ratio", "scores, ours / peer's"
    );
    let mut all_hold = true;
    for (_, work) in WORKS.iter().filter(|(name, _)| wanted(name)) {
        for result in work(&setup)? {
            result.print()?;
            all_hold &= result.holds();
        }
    }
    Ok(all_hold)
}
