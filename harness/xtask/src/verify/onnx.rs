//! The tiny GPT-2 in ONNX, exported by the program and by Hugging Face's Optimum, against the same recorded rows.

use super::tally::Comparison;
use super::{Bench, transformers};
use anyhow::Result;
use serde_json::{Value, json};

pub(super) fn compare(bench: &Bench) -> Result<Vec<Comparison>> {
    let model = |checkpoint: Value, more: Value| {
        let mut model = json!({ "plugin": "onnx", "checkpoint": checkpoint });
        model.as_object_mut().into_iter().for_each(|model| model.extend(more.as_object().cloned().unwrap_or_default()));
        json!({ "tiny": model })
    };
    let optimum = json!(bench.shared("models/tiny-gpt2-optimum"));
    let mut lines = transformers::agreement(bench, "onnx, Optimum", &json!({ "models": model(optimum, json!({})) }))?;
    for (title, options) in
        [("onnx", json!({})), ("onnx, fused, wanted", json!({ "operators": "fused", "logits": "wanted" }))]
    {
        let mut export = json!({ "exporter": "onnx", "from": bench.shared("models/tiny-gpt2") });
        export
            .as_object_mut()
            .into_iter()
            .for_each(|export| export.extend(options.as_object().cloned().unwrap_or_default()));
        let stages = json!({
            "export": { "tiny": export },
            // A small batch, so that many calls of the graph meet and part.
            "models": model(json!("${export.tiny}"), json!({ "max_batch_tokens": 300 }))
        });
        lines.extend(transformers::agreement(bench, title, &stages)?);
    }
    Ok(lines)
}
