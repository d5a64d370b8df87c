//! `cargo xtask bench models`: tokens a second of every family of models, beside transformers on the same weights.

use super::work::{Peer, Size, Work};
use crate::checkpoints::shapes::FAMILY_VOCABULARY;
use crate::checkpoints::tokenizers;
use crate::families::model_types;
use crate::program::{self, DeviceArguments, ProgramArguments};
use anyhow::{Context, Result, ensure};
use clap::ValueHint;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct ModelsArguments {
    /// A Python that has `torch` and `transformers`, to build the models with and to compare with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: PathBuf,
    /// Only families whose name contains this (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    program: ProgramArguments,
}

const SCRIPT: &str = include_str!("random_models.py");
/// Largest relative difference of the sum of all log-likelihoods.
const TOLERANCE: f64 = 1e-5;

/// Measures and prints a line for each family. Whether all got the same sums.
pub(crate) fn bench(arguments: &ModelsArguments) -> Result<bool> {
    let program = program::find(&arguments.program)?;
    let directory = tempfile::tempdir()?;
    let work = Work::new(FAMILY_VOCABULARY, Size::SMALL);
    work.write(directory.path())?;
    println!(
        "f32, {}, tokens/s: scoring, then generation; nothing is shared between requests",
        arguments.device.device
    );
    println!(
        "{:<12} {:>6} {:>9} {:>13} {:>6} {:>9} {:>13} {:>6}",
        "family", "M", "examiner", "transformers", "ratio", "examiner", "transformers", "ratio"
    );
    let wanted = |family: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| family.contains(only));
    let mut agree = true;
    for family in model_types().filter(|family| wanted(family)) {
        let model = directory.path().join(family);
        let parameters = build(&arguments.python, family, &model)?;
        tokenizers::write_words(&model, FAMILY_VOCABULARY)?;
        let suite = json!({ "plugin": "candle", "checkpoint": model, "device": arguments.device.device });
        let ours = work.examiner(&program, &arguments.device, directory.path(), &suite, &format!("bench-{family}"))?;
        let device = &*arguments.device.device;
        let theirs = work.python(&arguments.python, Peer::Transformers, directory.path(), &model, &[device])?;
        let same = ((ours.sum - theirs.sum) / theirs.sum).abs() <= TOLERANCE;
        agree &= same;
        println!(
            "{family:<12} {:>6.0} {:>9.1} {:>13.1} {:>6.2} {:>9.1} {:>13.1} {:>6.2} {}",
            parameters / 1e6,
            ours.scoring,
            theirs.scoring,
            ours.scoring / theirs.scoring,
            ours.generation,
            theirs.generation,
            ours.generation / theirs.generation,
            if same { "" } else { "DIFFERS" }
        );
        std::fs::remove_dir_all(&model).with_context(|| format!("cannot remove `{}`", model.display()))?;
    }
    Ok(agree)
}

/// Builds a model by transformers; the number of its parameters.
fn build(python: &Path, family: &str, directory: &Path) -> Result<f64> {
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT, family]).arg(directory).arg(FAMILY_VOCABULARY.to_string()).stderr(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start `{}`", python.display()))?;
    ensure!(output.status.success(), "`{}` cannot build a `{family}`: {}", python.display(), output.status);
    String::from_utf8_lossy(&output.stdout).trim().parse().context("the script gave no number of parameters")
}
