//! PyTorch's AdamW from the same weights on the same batches: every loss, every norm of a gradient, the weights at the end.

use super::comparison::Comparison;
use super::setup::{Setup, pairs, write_rows};
use crate::program::files::{csv_rows, read};
use anyhow::{Context, Result, anyhow, ensure};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// `run.json`, as far as it is looked at.
#[derive(Deserialize)]
struct Recorded {
    runs: HashMap<String, Vec<Step>>,
    /// Steps, passes of a step, rows of a pass, tokens of a row.
    batches: Vec<Vec<Vec<Vec<u32>>>>,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    grad_norm_before_clip: f64,
}

/// The recorded runs, and the `loss_on` of each.
const RUNS: [(&str, &str); 2] = [("all_tokens", "all"), ("completion_only", "completion")];
/// How many tokens of each row are the prompt.
const PROMPT: usize = 20;

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let oracle = setup.shared("oracle/train");
    let path = oracle.join("run.json");
    let text = read(&path)?;
    let recorded: Recorded = serde_json::from_str(&text).with_context(|| format!("in `{}`", path.display()))?;
    let rows = setup.work.join("train-rows.jsonl");
    let row = |(index, row): (usize, &Vec<u32>)| {
        json!({ "id": index.to_string(), "prompt": "", "completion": "", "prompt_tokens": row[..PROMPT],
            "completion_tokens": row[PROMPT..] })
    };
    write_rows(&rows, recorded.batches.iter().flatten().flatten().enumerate().map(row))?;
    let stage = |loss_on: &str| {
        json!({
            "trainer": "candle", "from": oracle.join("start"), "data": rows, "epochs": 1, "lr": 1e-3,
            "schedule": "linear", "warmup_steps": 5, "batch_rows": 2, "accumulation": 2, "order": "given",
            "betas": [0.9, 0.95], "weight_decay": 0.1, "clip": 1.0, "loss_on": loss_on, "device": "cpu"
        })
    };
    let stages: serde_json::Map<String, Value> =
        RUNS.iter().map(|(run, loss_on)| ((*run).to_owned(), stage(loss_on))).collect();
    let results = setup.examine(&json!({ "name": "train", "train": stages, "evaluate": [] }))?;

    let mut comparisons = Vec::new();
    for (run, loss_on) in RUNS {
        let steps = recorded.runs.get(run).ok_or_else(|| anyhow!("`{}` has no run `{run}`", path.display()))?;
        let directory = results.path(&format!("train/{run}"));
        let curve: Vec<TrainingStep> = csv_rows(&directory.join("train.csv"))?;
        let mut losses = Comparison::new(format!("train on {loss_on}: losses, relative"));
        let mut norms = Comparison::new(format!("train on {loss_on}: gradient norms, relative"));
        for (ours, theirs) in pairs(&curve, steps)? {
            losses.numbers(&[ours.loss / theirs.loss], &[1.0], 1e-5);
            norms.numbers(&[ours.gradient_norm / theirs.grad_norm_before_clip], &[1.0], 1e-4);
        }
        let mut weights = Comparison::new(format!("train on {loss_on}: tensors at the end"));
        let ours = tensors(&last_checkpoint(&directory.join("checkpoints"))?)?;
        let theirs = tensors(&oracle.join(format!("final_{run}")))?;
        ensure!(ours.keys().eq(theirs.keys()), "expected the tensors of `final_{run}`, found {:?}", ours.keys());
        for (name, theirs) in &theirs {
            weights.numbers(&ours[name], theirs, 5e-5);
        }
        comparisons.extend([losses, norms, weights]);
    }
    Ok(comparisons)
}

/// A line of `train.csv`, as far as it is looked at.
#[derive(Deserialize)]
struct TrainingStep {
    loss: f64,
    gradient_norm: f64,
}

/// The checkpoint with the highest step.
fn last_checkpoint(directory: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read `{}`", directory.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.into_iter().max().ok_or_else(|| anyhow!("`{}` holds no checkpoint", directory.display()))
}

/// All tensors of a checkpoint, by name.
fn tensors(checkpoint: &Path) -> Result<BTreeMap<String, Vec<f64>>> {
    let path = checkpoint.join("model.safetensors");
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let file =
        SafeTensors::deserialize(&bytes).with_context(|| format!("`{}` is no safetensors file", path.display()))?;
    let values =
        |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().map(|value| f64::from(f32::from_le_bytes(*value))).collect();
    Ok(file.iter().map(|(name, tensor)| (name.to_owned(), values(tensor.data()))).collect())
}
