//! Published GGUF files, exported: log-likelihoods beside those of `candle` on the same file.

use super::comparison::Comparison;
use super::onnx_questions::{QUESTIONS, Questions, choices};
use super::setup::Setup;
use crate::real_models;
use anyhow::Result;
use serde_json::json;

/// Files of `cargo xtask real-models`, and whether their tokenizer has to be named: a file with SentencePiece's merges.
const FILES: [(&str, bool); 2] = [("smollm2", false), ("gemma3", true)];

/// How far log-likelihoods may be off.
const TOLERANCE: f64 = 1e-4;

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    FILES.into_iter().map(|(name, names_tokenizer)| compare_file(setup, name, names_tokenizer)).collect()
}

fn compare_file(setup: &Setup, name: &str, names_tokenizer: bool) -> Result<Comparison> {
    let title = format!("{name}.gguf exported: candle ({TOLERANCE:e})");
    let file = real_models::directory().join(format!("{name}.gguf"));
    if !file.is_file() {
        return Ok(Comparison::left_out(title, "`cargo xtask real-models --shared DIR` gets the file"));
    }
    let mut export = json!({ "exporter": "onnx", "from": file, "logits": "wanted", "operators": "fused" });
    if names_tokenizer {
        export["tokenizer"] = json!(real_models::directory().join(name).join("tokenizer.json"));
    }
    let results = setup.examine(&json!({
        "name": format!("onnx-gguf-{name}"),
        "export": { "exported": export },
        "models": {
            "onnx": { "plugin": "onnx", "checkpoint": "${export.exported}", "device": setup.device.device, "chat": false },
            "candle": { "plugin": "candle", "checkpoint": file, "device": "cpu", "chat": false }
        },
        "datasets": Questions::write(setup)?.datasets(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut comparison = Comparison::new(title);
    for (ours, theirs) in choices(&results, "onnx")?.iter().zip(&choices(&results, "candle")?) {
        comparison.numbers(ours, theirs, TOLERANCE);
    }
    Ok(comparison.requiring(QUESTIONS))
}
