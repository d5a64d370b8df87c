//! What PyTorch's AdamW did from the same weights on the same batches, step by step.

use crate::training::{curve, job, train, weights};
use examiner_test_support::{needs, shared};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

#[derive(Deserialize)]
struct Recorded {
    runs: HashMap<String, Vec<Step>>,
    /// Steps, passes, rows, tokens.
    batches: Vec<Vec<Vec<Vec<u32>>>>,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    lr: f64,
    grad_norm_before_clip: f64,
}

/// Tokens of a row that the second run learns nothing from.
const PROMPT: usize = 20;

#[needs(shared)]
#[test]
fn losses_gradient_norms_and_weights() {
    let oracle = shared().join("oracle/train");
    let recorded = std::fs::read_to_string(oracle.join("run.json")).unwrap();
    let recorded: Recorded = serde_json::from_str(&recorded).unwrap();
    let rows = recorded.batches.iter().flatten().flatten();
    let rows: Vec<Value> =
        rows.map(|row| json!({ "prompt_tokens": row[..PROMPT], "completion_tokens": row[PROMPT..] })).collect();
    for (run, loss_on) in [("all_tokens", "all"), ("completion_only", "completion")] {
        for device in ["cpu", "cpu-candle"] {
            let options = json!({
                "epochs": 1, "lr": 1e-3, "warmup_steps": 5, "schedule": "linear", "batch_rows": 2, "accumulation": 2,
                "order": "given", "betas": [0.9, 0.95], "weight_decay": 0.1, "clip": 1.0, "loss_on": loss_on,
                "device": device
            });
            let directory = tempfile::tempdir().unwrap();
            let job = job(directory.path(), Some(&oracle.join("start")), &rows);
            let report = train(options, &job).unwrap();
            let curve = curve(&job);
            let steps = &recorded.runs[run];
            assert_eq!(curve.len(), steps.len());
            for (step, (ours, theirs)) in curve.iter().zip(steps).enumerate() {
                let close = |name: &str, found: Option<f64>, expected: f64, tolerance: f64| {
                    let found = found.unwrap();
                    let off = (found - expected).abs() / expected;
                    assert!(off < tolerance, "{run} on {device}, step {step}: {name} is {found}, not {expected}");
                };
                close("loss", ours.loss, theirs.loss, 1e-5);
                close("gradient_norm", ours.gradient_norm, theirs.grad_norm_before_clip, 1e-4);
                close("learning_rate", ours.learning_rate, theirs.lr, 1e-12);
            }
            let (ours, theirs) = (weights(&report.checkpoint), weights(&oracle.join(format!("final_{run}"))));
            assert!(ours.keys().eq(theirs.keys()), "the same tensors");
            for (name, values) in &theirs {
                for (found, expected) in ours[name].iter().zip(values) {
                    assert!((found - expected).abs() < 5e-5, "{run} on {device}, {name}: {found}, not {expected}");
                }
            }
        }
    }
}
