//! Small checkpoints of every family as Hugging Face's Optimum exports them, beside what transformers computes for them.

use super::comparison::Comparison;
use super::families::{Reference, TIE, references};
use super::setup::{Setup, pairs};
use crate::program::process::{root, target};
use crate::program::python;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Optimum's exporter, which asks for transformers 4.
const PACKAGES: [&str; 6] = [
    "optimum-onnx==0.1.0",
    "transformers==4.57.6",
    "torch==2.15.0",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "onnx-ir==1.1.0",
];
const ENVIRONMENT: &str = "onnx-optimum-python";

/// How far log-likelihoods may be off.
const TOLERANCE: f64 = 1e-4;

/// Whether the packages were installed once.
pub(super) fn is_available() -> bool {
    target().join(ENVIRONMENT).join("ready").exists()
}

/// The Python that has the exporter, and ONNX Runtime's own ways to round.
pub(super) fn python() -> Result<PathBuf> {
    python::environment(ENVIRONMENT, &PACKAGES)
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let references = references(setup)?;
    let out = setup.work.join("onnx-optimum");
    let left_out = export(&references, &out)?;
    let mut exported = Comparison::new(format!("optimum: exports, of {} families", references.len()));
    let mut comparisons = Vec::new();
    for reference in &references {
        let reason = left_out.iter().find(|(family, _)| family == reference.family);
        exported.row(reason.is_none());
        match reason {
            Some((family, reason)) => eprintln!("onnx-optimum: `{family}` cannot be exported: {reason}"),
            None => comparisons.extend(compare_family(setup, reference, &out.join(reference.family))?),
        }
    }
    comparisons.push(exported);
    Ok(comparisons)
}

/// Exports all checkpoints, and gives the families of those that Optimum cannot export, with its reason.
fn export(references: &[Reference], out: &Path) -> Result<Vec<(String, String)>> {
    let python = python()?;
    let mut command = Command::new(&python);
    command.arg(root().join("harness/xtask/src/verify/onnx_optimum.py")).arg(out);
    command.args(references.iter().map(|reference| &reference.checkpoint));
    command.env("HF_HUB_OFFLINE", "1").env("CUDA_VISIBLE_DEVICES", "").stderr(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start `{}`", python.display()))?;
    ensure!(output.status.success(), "`onnx_optimum.py` ended with {}", output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<(&str, &str)> = said.lines().filter_map(|line| line.split_once('\t')).collect();
    ensure!(
        lines.len() == references.len(),
        "`onnx_optimum.py` said of {} checkpoints what became of them",
        lines.len()
    );
    let failed = lines.into_iter().filter(|(_, reason)| !reason.is_empty());
    Ok(failed.map(|(family, reason)| (family.to_owned(), reason.to_owned())).collect())
}

fn compare_family(setup: &Setup, reference: &Reference, export: &Path) -> Result<[Comparison; 2]> {
    let family = reference.family;
    // A small batch, so that sequences join and leave many calls of the graph.
    let model =
        json!({ "plugin": "onnx", "checkpoint": export, "device": setup.device.device, "max_batch_tokens": 300 });
    let results = setup.examine(&json!({
        "name": format!("onnx-optimum-{}", family.replace('_', "-")),
        "models": { "optimum": model },
        "datasets": reference.datasets(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut sums = Comparison::new(format!("{family} optimum: log-likelihood ({TOLERANCE:e})"));
    for (ours, theirs) in pairs(&results.samples("optimum", "continuation")?, &reference.scored)? {
        let ours = ours.score()?;
        let sum = if ours.tokens == theirs.continuation_ids { ours.sum } else { f64::NAN };
        sums.numbers(&[sum], &[theirs.loglikelihood], TOLERANCE);
    }
    let mut answers = Comparison::new(format!("{family} optimum: greedy tokens, ties left out"));
    for (ours, theirs) in pairs(&results.samples("optimum", "greedy")?, &reference.greedy)? {
        answers.row(theirs.smallest_top2_gap <= TIE || ours.generated()?.tokens == theirs.new_ids);
    }
    Ok([sums, answers])
}
