//! What Hugging Face's transformers computed for small random models of every family, row by row.

use crate::open;
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use examiner_test_support::{needs, rows, shared};
use serde_json::{Value, json};
use std::path::PathBuf;

/// All families but GPT-2, which has an oracle of its own.
const FAMILIES: [&str; 10] =
    ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "olmo2", "granite", "gpt_neox"];

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

fn checkpoints() -> Vec<(&'static str, PathBuf)> {
    let shared = shared();
    FAMILIES.iter().map(|family| (*family, shared.join("models/families").join(family))).collect()
}

#[needs(shared)]
#[test]
fn loglikelihoods_of_every_family() {
    for (family, checkpoint) in checkpoints() {
        let rows = rows(&checkpoint.join("loglikelihood.jsonl"));
        assert!(!rows.is_empty(), "{family}");
        for device in ["cpu", "cpu-candle"] {
            let requests = rows.iter().enumerate();
            let requests =
                requests.map(|(id, row)| loglikelihood(id as u64, text(row, "context"), text(row, "continuation")));
            let mut model = open(&checkpoint, json!({ "device": device })).unwrap();
            let found = score(&mut model, requests.collect());
            for (id, row) in rows.iter().enumerate() {
                let found = &found[&(id as u64)];
                let expected = row["loglikelihood"].as_f64().unwrap();
                assert_eq!(json!(found.tokens), row["continuation_ids"], "{family}, row {id}");
                let difference = (found.sum - expected).abs();
                assert!(difference < 2e-3, "{family} on {device}, row {id}: {} instead of {expected}", found.sum);
            }
        }
    }
}

#[needs(shared)]
#[test]
fn greedy_answers_of_every_family() {
    for (family, checkpoint) in checkpoints() {
        let rows = rows(&checkpoint.join("greedy.jsonl"));
        let length = |row: &Value| row["new_ids"].as_array().unwrap().len() as u32;
        let requests = rows.iter().enumerate().map(|(id, row)| prompt(id as u64, text(row, "prompt"), length(row)));
        let found = generate(&mut open(&checkpoint, json!({})).unwrap(), requests.collect());
        let clear = |row: &Value| row["smallest_top2_gap"].as_f64().unwrap() > 1e-3;
        assert!(rows.iter().any(clear), "{family}");
        for (id, row) in rows.iter().enumerate().filter(|(_, row)| clear(row)) {
            assert_eq!(json!(found[&(id as u64)].tokens), row["new_ids"], "{family}, row {id}");
        }
    }
}
