//! The tiny GPT-2 in ONNX, exported by the program and by Hugging Face's Optimum, against the same recorded rows; and, where
//! a Python can look at them, every variant of an export by `onnx.checker` and against transformers.

use super::comparison::Comparison;
use super::setup::Setup;
use super::transformers;
use crate::program;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = include_str!("onnx_check.py");

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let mut variants = vec![("standard", "all"), ("fused", "wanted")];
    if setup.device.is_cpu() {
        variants.push(("grouped", "wanted"));
    }
    let mut lines = agreement(setup, "onnx", &variants)?;
    if let Some(python) = &setup.python {
        lines.push(check_variants(setup, python)?);
    }
    Ok(lines)
}

/// How the export by Optimum, and those by the program, agree with the recorded rows.
pub(super) fn agreement(setup: &Setup, title: &str, variants: &[(&str, &str)]) -> Result<Vec<Comparison>> {
    // A small batch, so that sequences join and leave many calls of the graph.
    let model = |checkpoint: Value| {
        json!({ "tiny": {
            "plugin": "onnx", "checkpoint": checkpoint, "device": setup.device.device, "max_batch_tokens": 300
        } })
    };
    let optimum = json!({ "models": model(json!(setup.shared("models/tiny-gpt2-optimum"))) });
    let mut lines = transformers::agreement(setup, &format!("{title}, Optimum"), &optimum)?;
    for &(operators, logits) in variants {
        let stages = json!({
            "export": { "tiny": export(setup, operators, logits, "f32") },
            "models": model(json!("${export.tiny}"))
        });
        let title = if operators == "standard" { title.to_owned() } else { format!("{title}, {operators}") };
        lines.extend(transformers::agreement(setup, &title, &stages)?);
    }
    Ok(lines)
}

fn export(setup: &Setup, operators: &str, logits: &str, dtype: &str) -> Value {
    json!({
        "exporter": "onnx", "from": setup.shared("models/tiny-gpt2"), "operators": operators, "logits": logits, "dtype": dtype
    })
}

/// Every variant of an export, each a row.
fn check_variants(setup: &Setup, python: &Path) -> Result<Comparison> {
    let mut exports = serde_json::Map::new();
    for operators in ["standard", "fused"] {
        for logits in ["all", "wanted"] {
            for dtype in ["f32", "f16"] {
                exports.insert(format!("{operators}-{logits}-{dtype}"), export(setup, operators, logits, dtype));
            }
        }
    }
    let names: Vec<String> = exports.keys().cloned().collect();
    let results =
        program::examine(&setup.program, &setup.work, &json!({ "name": "onnx-variants", "export": exports }))?;
    let mut comparison = Comparison::new("onnx: checker and transformers, by variant");
    for name in names {
        let export = results.path("export").join(&name);
        comparison.row(check(python, &setup.shared("models/tiny-gpt2"), &export)?);
    }
    Ok(comparison)
}

/// Whether `onnx.checker` accepts an export, and it computes what transformers does.
pub(super) fn check(python: &Path, checkpoint: &Path, export: &Path) -> Result<bool> {
    let output = Command::new(python).args(["-c", SCRIPT]).args([checkpoint, export]).output();
    let output = output.with_context(|| format!("cannot start `{}`", python.display()))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        eprintln!("{}: {said}", export.display());
    }
    Ok(output.status.success())
}
