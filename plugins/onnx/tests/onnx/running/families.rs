//! Every family that is described, exported and run: what transformers computes for the checkpoint, and the same whatever the
//! graph is made of.

use super::{export, open};
use examiner_api::{ScoreRequest, Span};
use examiner_plugin_onnx::Onnx;
use examiner_test_support::checkpoint::serialize;
use examiner_test_support::ground_truth::{self, FAMILIES, Family, NEW_TOKENS, OptionsCase};
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use serde_json::{Value, json};
use std::path::Path;

/// Ways to make a graph of 32 bits.
fn variants(has_windows: bool) -> Vec<Value> {
    let mut variants = vec![
        json!({}),
        json!({ "logits": "wanted" }),
        json!({ "operators": "fused" }),
        json!({ "operators": "fused", "logits": "wanted", "external_data": true }),
    ];
    if !has_windows {
        variants.extend([json!({ "operators": "grouped" }), json!({ "operators": "grouped", "logits": "wanted" })]);
    }
    variants
}

/// Families of which the small checkpoint has layers with a window.
const WINDOWS: [&str; 3] = ["mistral", "gemma2", "gemma3_text"];

pub(super) fn check_scores(model: &mut Onnx, family: &Family, place: &str) {
    let requests = family.scored.iter().zip(0..);
    let requests = requests.map(|(row, id)| loglikelihood(id, &row.context, &row.continuation)).collect();
    let found = score(model, requests);
    let mut worst = 0.0_f64;
    for (id, row) in (0..).zip(&family.scored) {
        let (found, place) = (&found[&id], format!("{place}, row {id}"));
        assert_eq!(found.tokens, row.tokens, "{place}");
        for (found, expected) in found.token_logprobs.iter().zip(&row.logprobs) {
            let difference = (f64::from(*found) - expected).abs();
            assert!(difference < 1e-4, "{place}: {found}, expected {expected}");
        }
        assert!((found.sum - row.sum).abs() < 1e-4, "{place}: {}, expected {}", found.sum, row.sum);
        worst = worst.max((found.sum - row.sum).abs());
        assert_eq!(found.is_greedy, row.is_greedy, "{place}");
        assert_eq!(found.truncated_tokens, row.truncated_tokens, "{place}");
    }
    println!("{place}: sums within {worst:.1e}");
}

pub(super) fn check_answers(model: &mut Onnx, family: &Family, place: &str) {
    let requests = family.answers.iter().zip(0..).map(|(row, id)| prompt(id, &row.prompt, NEW_TOKENS));
    let found = generate(model, requests.collect());
    for (id, row) in (0..).zip(&family.answers) {
        assert_eq!(found[&id].tokens, row.tokens, "{place}, row {id}");
    }
}

#[test]
fn scores_and_answers_are_those_of_transformers() {
    for name in FAMILIES {
        let family = ground_truth::family(name);
        let checkpoint = family.write();
        for options in variants(WINDOWS.contains(&name)) {
            let exported = export(checkpoint.path(), options.clone());
            let mut model = open(exported.path(), json!({ "share_prefixes": true }));
            let place = format!("{name}, {options}");
            check_scores(&mut model, &family, &place);
            check_answers(&mut model, &family, &place);
        }
    }
}

#[test]
fn small_batches_and_nothing_shared_are_the_same() {
    for name in FAMILIES {
        let family = ground_truth::family(name);
        let exported = export(family.write().path(), json!({ "logits": "wanted" }));
        let limits = json!({ "share_prefixes": false, "max_batch_tokens": 64, "max_sequences": 3 });
        let mut model = open(exported.path(), limits);
        check_scores(&mut model, &family, name);
        check_answers(&mut model, &family, name);
    }
}

/// Windows of other exporters' graphs may count positions that are masked: none is among the rows that are longer than a window.
#[test]
fn windows_of_other_exporters_see_no_padding() {
    for name in WINDOWS {
        let family = ground_truth::family(name);
        let exported = export(family.write().path(), json!({}));
        let path = exported.path().join("model.onnx");
        let mut graph = std::fs::read(&path).unwrap();
        let place = graph.windows(8).position(|bytes| bytes == b"examiner").unwrap();
        graph[place..place + 8].copy_from_slice(b"somebody");
        std::fs::write(&path, graph).unwrap();
        for options in [json!({ "share_prefixes": true }), json!({ "max_batch_tokens": 64, "max_sequences": 3 })] {
            let mut model = open(exported.path(), options);
            check_scores(&mut model, &family, name);
            check_answers(&mut model, &family, name);
        }
    }
}

/// Of each token of the text after the first.
fn logprobs(exported: &Path) -> Vec<f32> {
    let request = ScoreRequest { span: Span::All, ..loglikelihood(0, "", &ground_truth::options().text) };
    score(&mut open(exported, json!({})), vec![request]).remove(&0).unwrap().token_logprobs
}

fn worst(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).abs()).fold(0.0, f64::max)
}

fn has_windows(name: &str) -> bool {
    ["window", "gemma3"].iter().any(|part| name.contains(part))
}

#[test]
fn every_option_agrees_with_transformers() {
    for (name, OptionsCase { weights, logprobs: expected }) in &ground_truth::options().cases {
        let checkpoint = weights.write();
        for options in variants(has_windows(name)) {
            let exported = export(checkpoint.path(), options.clone());
            let worst = worst(&logprobs(exported.path()), expected);
            assert!(worst < 2e-4, "{name}, {options}: off by {worst}");
        }
    }
}

/// Weights of 16 bits have three digits.
#[test]
fn half_the_bits_are_nearly_the_same() {
    for (name, OptionsCase { weights, logprobs: expected }) in &ground_truth::options().cases {
        let checkpoint = weights.write();
        for operators in ["standard", "fused"] {
            let exported = export(checkpoint.path(), json!({ "operators": operators, "dtype": "f16" }));
            let worst = worst(&logprobs(exported.path()), expected);
            assert!(worst < 0.1, "{name}, {operators}: off by {worst}");
            println!("{name}, {operators}: within {worst:.1e}");
        }
    }
}

#[test]
fn shards_are_the_same_model() {
    let case = ground_truth::options().named("qwen2");
    let checkpoint = case.write();
    let whole = export(checkpoint.path(), json!({}));
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let tensors = case.tensors();
    let mut map = serde_json::Map::new();
    for (shard, file) in files.into_iter().enumerate() {
        let part = tensors.iter().enumerate().filter(|(index, _)| index % 2 == shard);
        let part: Vec<_> = part.map(|(_, (name, tensor))| (name.clone(), tensor)).collect();
        map.extend(part.iter().map(|(name, _)| (name.clone(), json!(file))));
        std::fs::write(checkpoint.path().join(file), serialize(part)).unwrap();
    }
    std::fs::remove_file(checkpoint.path().join("model.safetensors")).unwrap();
    let index = json!({ "metadata": {}, "weight_map": map });
    std::fs::write(checkpoint.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    let sharded = export(checkpoint.path(), json!({}));
    let read = |out: &Path| std::fs::read(out.join("model.onnx")).unwrap();
    assert!(read(whole.path()) == read(sharded.path()));
}
