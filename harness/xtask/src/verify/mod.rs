//! `cargo xtask verify`: the released program's numbers beside those that other programs computed for the same input.
//!
//! One file per group of comparisons. A group writes a suite, has the program run it, reads the files that the program
//! wrote, and holds each row against the recorded one. To add a group, write its file and name it in [`GROUPS`].

mod distill;
mod endpoint;
mod families;
mod lm_eval_choice;
mod lm_eval_gsm8k;
mod onnx;
mod opencompass_bbh;
mod opencompass_extraction;
mod opencompass_perplexity;
mod recorded_solutions;
mod tally;
mod teacher;
mod train;
mod transformers;

use crate::{DeviceArguments, ProgramArguments, onnxruntime, program};
use anyhow::{Context, Result, ensure};
use clap::ValueHint;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tally::Comparison;

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArguments {
    /// The directory of reference data and results.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    shared: PathBuf,
    /// Only groups in whose name this stands (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Keep suites and results in this directory, to look at rows that differ.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    keep: Option<PathBuf>,
    /// A Python with `onnx`, `onnxruntime`, `torch` and `transformers`, to check exported graphs with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

/// What a group of comparisons works with.
struct Bench {
    program: PathBuf,
    /// Where suites and results go.
    work: PathBuf,
    shared: PathBuf,
    device: DeviceArguments,
    python: Option<PathBuf>,
}

type Group = fn(&Bench) -> Result<Vec<Comparison>>;

/// All groups, by name.
const GROUPS: [(&str, Group); 13] = [
    ("transformers", transformers::compare),
    ("onnx", onnx::compare),
    ("families", families::compare),
    ("lm-eval-choice", lm_eval_choice::compare),
    ("lm-eval-gsm8k", lm_eval_gsm8k::compare),
    ("recorded-solutions", recorded_solutions::compare),
    ("opencompass-perplexity", opencompass_perplexity::compare),
    ("opencompass-extraction", opencompass_extraction::compare),
    ("train", train::compare),
    ("opencompass-bbh", opencompass_bbh::compare),
    ("teacher", teacher::compare),
    ("distill", distill::compare),
    ("endpoint", endpoint::compare),
];

/// Runs the comparisons and prints a line for each. Whether all hold.
pub(crate) fn verify(arguments: &VerifyArguments) -> Result<bool> {
    let shared = arguments.shared.canonicalize();
    let shared = shared.with_context(|| format!("there is no directory `{}`", arguments.shared.display()))?;
    onnxruntime::provide()?;
    let temporary = tempfile::tempdir()?;
    let work = match &arguments.keep {
        Some(path) => {
            std::fs::create_dir_all(path).with_context(|| format!("cannot make `{}`", path.display()))?;
            path.canonicalize()?
        }
        None => temporary.path().to_owned(),
    };
    let (device, python) = (arguments.device.clone(), arguments.python.clone());
    let bench = Bench { program: program::find(&arguments.program)?, work, shared, device, python };
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| name.contains(only));
    let groups: Vec<_> = GROUPS.into_iter().filter(|(name, _)| wanted(name)).collect();
    ensure!(!groups.is_empty(), "no group fits `--only {}`", arguments.only.join(" --only "));
    println!("{}", tally::HEADER);
    let mut all_hold = true;
    for (name, compare) in groups {
        match compare(&bench) {
            Ok(comparisons) => {
                for comparison in comparisons {
                    println!("{comparison}");
                    all_hold &= comparison.holds();
                }
            }
            Err(error) => {
                println!("{}", tally::failed(name));
                eprintln!("{name}: {error:#}");
                all_hold = false;
            }
        }
    }
    Ok(all_hold)
}

impl Bench {
    fn shared(&self, path: &str) -> PathBuf {
        self.shared.join(path)
    }

    fn examine(&self, suite: &Value) -> Result<program::Results> {
        program::examine(&self.program, &self.work, suite)
    }

    /// The tiny GPT-2 that all recorded numbers are of, on the CPU.
    fn tiny_gpt2(&self) -> Value {
        json!({ "plugin": "candle", "checkpoint": self.shared("models/tiny-gpt2"), "device": "cpu" })
    }

    /// Most difference of a log-likelihood, in nats: a GPU sums in another order, and more coarsely.
    fn tolerance(&self) -> f64 {
        if self.device.is_cpu() { 1e-3 } else { 1e-2 }
    }
}

/// Writes rows for a suite to read.
fn write_rows(path: &Path, rows: impl IntoIterator<Item = Value>) -> Result<()> {
    let text: String = rows.into_iter().map(|row| format!("{row}\n")).collect();
    crate::process::write(path, text)
}

/// Two lists that belong together, row by row.
fn pairs<'a, A, B>(ours: &'a [A], theirs: &'a [B]) -> Result<impl Iterator<Item = (&'a A, &'a B)>> {
    let (found, expected) = (ours.len(), theirs.len());
    ensure!(found == expected, "expected {expected} samples, one for each recorded row, found {found}");
    Ok(ours.iter().zip(theirs))
}
