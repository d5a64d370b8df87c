//! `cargo xtask bench train`: tokens a second of training, beside PyTorch's at the same shape in the same run.

use super::work::median;
use crate::checkpoints::gpt2;
use crate::checkpoints::shapes::{GPT2_124M, GPT2_QUICK};
use crate::program::files::{csv_rows, write};
use crate::program::{self, ProgramArguments};
use anyhow::{Context, Result, ensure};
use clap::ValueHint;
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArguments {
    /// A Python that has `torch` and `transformers`, to compare with.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// A small model instead of the one of 124 million parameters: seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// How often each side is measured, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    program: ProgramArguments,
}

/// Rows of a step, and tokens of a row.
const BATCH: (usize, usize) = (4, 256);
/// Steps of a round; the first warms caches and is not counted.
const STEPS: usize = 4;
const SCRIPT: &str = include_str!("train.py");

/// Measures and prints a line for each side, and the ratio.
pub(crate) fn bench(arguments: &TrainArguments) -> Result<()> {
    let program = program::find(&arguments.program)?;
    let work = tempfile::tempdir()?;
    let (shape, name) = if arguments.quick { (GPT2_QUICK, "a small GPT-2") } else { (GPT2_124M, "GPT-2, 124M") };
    let start = work.path().join("start");
    gpt2::write_model(&start, shape, 0)?;
    write_rows(work.path(), shape.vocabulary)?;
    let (rows, tokens) = BATCH;
    println!(
        "training of {name}, f32, CPU, {rows} x {tokens} tokens a step, tokens/s (median of all steps but the first)"
    );
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        ours.extend(examiner(&program, work.path(), &start, round)?);
        if let Some(python) = &arguments.python {
            theirs.extend(pytorch(python, &start)?);
        }
    }
    let ours = median(ours)?;
    println!("examiner  {ours:>10.1}");
    if arguments.python.is_none() {
        println!("pytorch   not measured: name a Python with `torch` and `transformers` by `--python`");
        return Ok(());
    }
    let theirs = median(theirs)?;
    println!("pytorch   {theirs:>10.1}\nratio     {:>10.2}", ours / theirs);
    Ok(())
}

/// Writes the training data.
pub(crate) fn write_rows(work: &Path, vocabulary: usize) -> Result<()> {
    let (rows, tokens) = BATCH;
    let lines = (0..rows * STEPS).map(|row| {
        // One more than the model reads: the last token is only a target.
        let ids: Vec<usize> = (0..=tokens).map(|at| (row * 104_729 + at * 7919 + at * at) % vocabulary).collect();
        format!("{}\n", json!({ "id": row.to_string(), "prompt": "", "completion": "", "completion_tokens": ids }))
    });
    write(&work.join("rows.jsonl"), lines.collect::<String>())
}

/// Trains by Examiner; the speed of each step from its `train.csv`.
pub(crate) fn examiner(program: &Path, work: &Path, start: &Path, round: usize) -> Result<Vec<f64>> {
    let suite = json!({
        "name": format!("bench-train-{round}"),
        "train": {
            "bench": {
                "trainer": "candle", "from": start, "data": work.join("rows.jsonl"), "max_steps": STEPS,
                "batch_rows": BATCH.0, "loss_on": "all", "order": "given", "lr": 1e-6, "device": "cpu"
            }
        }
    });
    let results = program::examine(program, work, &suite)?;
    let steps: Vec<TrainingStep> = csv_rows(&results.path("train/bench/train.csv"))?;
    // The checkpoints of a round take half a gigabyte.
    std::fs::remove_dir_all(results.path("train"))?;
    Ok(steps.into_iter().skip(1).map(|step| step.tokens_per_s).collect())
}

/// A line of `train.csv`.
#[derive(Deserialize)]
struct TrainingStep {
    tokens_per_s: f64,
}

/// Trains by PyTorch; the speed of each step.
pub(crate) fn pytorch(python: &Path, start: &Path) -> Result<Vec<f64>> {
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).arg(start).args([BATCH.0, BATCH.1, STEPS].map(|number| number.to_string()));
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start `{}`", python.display()))?;
    ensure!(output.status.success(), "`{}` ended with {}", python.display(), output.status);
    let parse = |text: &str| text.trim().parse().with_context(|| format!("`{text}` is no speed"));
    String::from_utf8(output.stdout)?.lines().skip(1).map(parse).collect()
}
