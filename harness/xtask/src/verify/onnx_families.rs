//! Small random models of every family, exported to ONNX: their log-likelihoods and greedy answers beside those of Hugging
//! Face's transformers and of `candle`; and, where a Python can look at them, every graph by `onnx.checker` and, for masks,
//! paddings and pasts of many kinds, against transformers.

use super::comparison::Comparison;
use super::families::{Reference, TIE, references};
use super::onnx::check;
use super::setup::{Setup, pairs};
use anyhow::Result;
use serde_json::{Map, json};

/// Ways to make a graph: operators, logits, number type, and how far log-likelihoods may be off. `grouped` has no windows.
const VARIANTS: [(&str, &str, &str, &str, f64); 4] = [
    ("standard", "standard", "all", "f32", 1e-4),
    ("fused", "fused", "wanted", "f32", 1e-4),
    ("grouped", "grouped", "wanted", "f32", 1e-4),
    ("half", "standard", "all", "f16", 2e-2),
];
/// Families of which the checkpoint has layers with a window.
const WINDOWS: [&str; 2] = ["gemma2", "gemma3_text"];

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for reference in references(setup)? {
        comparisons.extend(compare_family(setup, &reference)?);
    }
    Ok(comparisons)
}

fn compare_family(setup: &Setup, reference: &Reference) -> Result<Vec<Comparison>> {
    let family = reference.family;
    let has_windows = WINDOWS.contains(&family);
    let variants = VARIANTS
        .into_iter()
        .filter(|(_, operators, ..)| *operators != "grouped" || (!has_windows && setup.device.is_cpu()));
    let variants: Vec<_> = variants.collect();
    let mut exports = Map::new();
    let mut models = Map::new();
    models.insert(
        "candle".to_owned(),
        json!({ "plugin": "candle", "checkpoint": reference.checkpoint, "device": "cpu" }),
    );
    for (name, operators, logits, dtype, _) in &variants {
        let export = json!({
            "exporter": "onnx", "from": reference.checkpoint, "operators": operators, "logits": logits, "dtype": dtype
        });
        exports.insert((*name).to_owned(), export);
        let model = json!({
            "plugin": "onnx", "checkpoint": format!("${{export.{name}}}"), "device": setup.device.device,
            "max_batch_tokens": 300
        });
        models.insert((*name).to_owned(), model);
    }
    let results = setup.examine(&json!({
        "name": format!("onnx-families-{}", family.replace('_', "-")),
        "export": exports,
        "models": models,
        "datasets": reference.datasets(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;

    let mut sums = Comparison::new(format!("{family}: log-likelihood (1e-4), same tokens"));
    let mut halves = Comparison::new(format!("{family}: log-likelihood in f16 (2e-2)"));
    let mut answers = Comparison::new(format!("{family}: greedy tokens, ties left out"));
    let candle = results.samples("candle", "continuation")?;
    for (name, .., dtype, tolerance) in &variants {
        let samples = results.samples(name, "continuation")?;
        for ((ours, theirs), other) in pairs(&samples, &reference.scored)?.zip(&candle) {
            let (ours, candle) = (ours.score()?, other.score()?.sum);
            let ours = if ours.tokens == theirs.continuation_ids { ours.sum } else { f64::NAN };
            let comparison = if *dtype == "f16" { &mut halves } else { &mut sums };
            comparison.numbers(&[ours, ours], &[theirs.loglikelihood, candle], *tolerance);
        }
        if *dtype == "f16" {
            continue;
        }
        for (ours, theirs) in pairs(&results.samples(name, "greedy")?, &reference.greedy)? {
            answers.row(theirs.smallest_top2_gap <= TIE || ours.generated()?.tokens == theirs.new_ids);
        }
    }
    let mut comparisons = vec![sums, halves, answers];
    if let Some(python) = &setup.python {
        let mut checked = Comparison::new(format!("{family}: checker and transformers, by variant"));
        for (name, operators, ..) in &variants {
            // The script has no lengths in place of a mask.
            if *operators != "grouped" {
                checked.row(check(python, &reference.checkpoint, &results.path("export").join(name))?);
            }
        }
        comparisons.push(checked);
    }
    Ok(comparisons)
}
