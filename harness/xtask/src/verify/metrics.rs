//! Metrics, filters and patterns beside their reference implementations: sacreBLEU, rouge-score, scikit-learn, lm-evaluation-harness, `re`.
//!
//! They are functions of a crate, not files that the program writes: an example of the crate, `evaluate`, computes what `metrics.py` asks.

use super::comparison::Comparison;
use super::setup::Setup;
use crate::program::process::{cargo, root, run, target};
use crate::program::python;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Command, Stdio};

/// The versions that the crate is held against. Of transformers the last ones with SQuAD's metrics.
const PACKAGES: [&str; 7] = [
    "anls==0.0.2",
    "lm_eval==0.4.13",
    "sacrebleu==2.6.0",
    "rouge-score==0.1.2",
    "scikit-learn==1.9.1",
    "numpy==2.4.6",
    "transformers==4.57.1",
];
const ENVIRONMENT: &str = "metrics-references";

#[derive(Deserialize)]
struct Row {
    case: Case,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Judged {
    agrees: bool,
    found: serde_json::Value,
}

/// Whether the packages were installed once.
pub(super) fn is_available() -> bool {
    target().join(ENVIRONMENT).join("ready").exists()
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let python = match &setup.python {
        Some(python) => python.clone(),
        None => python::environment(ENVIRONMENT, &PACKAGES)?,
    };
    let (cases, judged) = (setup.work.join("metrics-cases.jsonl"), setup.work.join("metrics-judged.jsonl"));
    let mut script = Command::new(python);
    script.arg(root().join("harness/xtask/src/verify/metrics.py")).stdout(File::create(&cases)?);
    let status = script.status().context("cannot start the Python of the references")?;
    ensure!(status.success(), "`metrics.py` ended with {status}");
    run(cargo().args(["build", "--release", "--package", "examiner-metrics", "--example", "evaluate"]))?;
    let mut evaluate = Command::new(target().join("release/examples/evaluate"));
    evaluate.stdin(Stdio::from(File::open(&cases)?)).stdout(File::create(&judged)?);
    let status = evaluate.status().context("cannot start the example `evaluate`")?;
    ensure!(status.success(), "`evaluate` ended with {status}");

    let (cases, judged) = (std::fs::read_to_string(&cases)?, std::fs::read_to_string(&judged)?);
    ensure!(cases.lines().count() == judged.lines().count(), "expected a result for each case");
    let mut comparisons: BTreeMap<String, Comparison> = BTreeMap::new();
    for (line, result) in cases.lines().zip(judged.lines()) {
        let Row { case } = serde_json::from_str(line)?;
        let Judged { agrees, found } = serde_json::from_str(result)?;
        let name = format!("metrics: {} {}", case.kind, case.name).trim_end().to_owned();
        if !agrees {
            eprintln!("{name}: found {found} for {line}");
        }
        comparisons.entry(name.clone()).or_insert_with(|| Comparison::new(name)).row(agrees);
    }
    Ok(comparisons.into_values().collect())
}
