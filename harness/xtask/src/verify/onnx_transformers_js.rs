//! Models in the layout of transformers.js, made as its own script makes them: one export in a folder `onnx`, with its weights beside
//! it, and files with fewer bits, beside Python's ONNX Runtime on the same files.

use super::comparison::Comparison;
use super::families::references;
use super::onnx_optimum::python;
use super::onnx_questions::{QUESTIONS, Questions, choices};
use super::setup::Setup;
use crate::program::process::{root, run};
use crate::real_models;
use anyhow::Result;
use serde_json::{Map, json};
use std::path::Path;
use std::process::Command;

/// A file of the layout, how far log-likelihoods may be off those of Python's ONNX Runtime, and whether numbers are rounded by what
/// else is in a call.
struct Variant {
    name: &'static str,
    tolerance: f64,
    rounds_calls: bool,
}

/// Products of 16 bits are sums of rounded numbers, whose last digits depend on how many rows a call has.
const VARIANTS: [Variant; 6] = [
    Variant { name: "model", tolerance: 1e-4, rounds_calls: false },
    Variant { name: "model_q4", tolerance: 1e-3, rounds_calls: false },
    Variant { name: "model_fp16", tolerance: 5e-2, rounds_calls: false },
    Variant { name: "model_q4f16", tolerance: 5e-2, rounds_calls: false },
    Variant { name: "model_quantized", tolerance: 1e-3, rounds_calls: true },
    Variant { name: "model_uint8", tolerance: 1e-3, rounds_calls: true },
];

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let python = python()?;
    let mut comparisons = Vec::new();
    for reference in references(setup)? {
        comparisons.extend(compare_checkpoint(setup, &python, reference.family, &reference.checkpoint)?);
    }
    let published = real_models::directory().join("smollm2");
    if published.is_dir() {
        comparisons.extend(compare_checkpoint(setup, &python, "smollm2", &published)?);
    } else {
        let reason = "`cargo xtask real-models --shared DIR` gets it";
        comparisons.push(Comparison::left_out("smollm2 transformers.js", reason));
    }
    Ok(comparisons)
}

fn compare_checkpoint(setup: &Setup, python: &Path, name: &str, checkpoint: &Path) -> Result<Vec<Comparison>> {
    let out = setup.work.join("onnx-transformers-js").join(name);
    let mut script = Command::new(python);
    script.arg(root().join("harness/xtask/src/verify/onnx_transformers_js.py")).args([checkpoint, &out]);
    run(script.env("HF_HUB_OFFLINE", "1").env("CUDA_VISIBLE_DEVICES", ""))?;
    let questions = Questions::write(setup)?;
    let mut models = Map::new();
    for Variant { name, rounds_calls, .. } in VARIANTS {
        let model = json!({
            "plugin": "onnx", "checkpoint": out, "file": format!("onnx/{name}.onnx"), "device": "cpu", "chat": false,
            "max_batch_tokens": 300, "share_prefixes": !rounds_calls
        });
        models.insert(name.to_owned(), model);
    }
    models.insert("chosen".to_owned(), json!({ "plugin": "onnx", "checkpoint": out, "device": "cpu", "chat": false }));
    let results = setup.examine(&json!({
        "name": format!("onnx-transformers-js-{}", name.replace('_', "-")),
        "models": models,
        "datasets": questions.datasets(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut comparisons = Vec::new();
    for Variant { name: file, tolerance, .. } in VARIANTS {
        let graph = out.join("onnx").join(format!("{file}.onnx"));
        let title = format!("{name} transformers.js {file}: onnxruntime ({tolerance:e})");
        let ours = (&results, file);
        comparisons.push(questions.same_file(python, (&graph, &out), ours, Comparison::new(title), tolerance)?);
    }
    let mut chosen = Comparison::new(format!("{name} transformers.js: the file in 32 bits is chosen"));
    for (without, with) in choices(&results, "chosen")?.iter().zip(&choices(&results, "model")?) {
        chosen.numbers(without, with, VARIANTS[0].tolerance);
    }
    comparisons.push(chosen.requiring(QUESTIONS));
    Ok(comparisons)
}
