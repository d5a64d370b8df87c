//! The plugins of this repository keep every clause: what is found to be broken here is a false alarm, or a defect.

use super::{Checked, check};
use crate::build::plugin;
use examiner_test_support::build::repository;
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::server::{Reply, Server};
use serde_json::{Value, json};
use std::path::Path;

/// Checks a plugin with a suite, of which every role that it names must have been looked at.
fn keeps_all(directory: &Path, name: &str, suite: &str, looked_at: &[(&str, &str)]) -> Checked {
    std::fs::write(directory.join("suite.yaml"), suite).unwrap();
    let checked = check(directory, &plugin(name), &["--suite", "suite.yaml"], &[]);
    assert_eq!(checked.code, Some(0), "{name}: {}\n{}", checked.said, checked.lines("broken").join("\n"));
    for (role, clause) in looked_at {
        let skipped = checked.lines("skipped").join("\n");
        assert!(checked.has("holds", role, clause), "{name}: `{clause}` was not looked at:\n{skipped}");
    }
    checked
}

fn data(name: &str) -> String {
    repository().join("data/quickstart").join(name).display().to_string()
}

#[test]
fn echo_keeps_every_clause() {
    let directory = tempfile::tempdir().unwrap();
    keeps_all(
        directory.path(),
        "echo",
        "name: t\nmodels: { m: { plugin: echo, prefix: \"You said: \" } }\n",
        &[
            ("model/echo", "model/ids-once"),
            ("model/echo", "model/score-batch"),
            ("model/echo", "model/whole-text"),
            ("model/echo", "model/stop-strings"),
            ("model/echo", "model/memory"),
            ("model/echo", "fingerprint/moves"),
        ],
    );
}

#[test]
fn datasets_recipes_and_recorded_answers_keep_every_clause() {
    let directory = tempfile::tempdir().unwrap();
    let (problems, train) = (data("problems.jsonl"), data("train.jsonl"));
    let suite = format!(
        "name: t\nmodels: {{ m: {{ plugin: replay, path: {}, key: [index] }} }}\ndatasets:\n  d: {{ plugin: gsm8k, path: {problems}, \
         train: {train} }}\nteach:\n  r: {{ recipe: gsm8k, teacher: m, path: {train}, keep: all }}\nevaluate: [{{ models: m, datasets: d }}]\n",
        data("recorded.jsonl")
    );
    let dataset = ["dataset/repeatable", "dataset/gold", "dataset/rows", "dataset/forms", "fingerprint/moves"];
    let mut gsm8k: Vec<(&str, &str)> = dataset.iter().map(|clause| ("dataset/gsm8k", *clause)).collect();
    gsm8k.push(("dataset/gsm8k", "dataset/few-shot-pool"));
    gsm8k.push(("recipe/gsm8k", "recipe/asks-once"));
    keeps_all(directory.path(), "gsm8k", &suite, &gsm8k);
    keeps_all(
        directory.path(),
        "replay",
        &suite,
        &[("model/replay", "model/ids-once"), ("model/replay", "model/generate-batch"), ("model/replay", "model/seed")],
    );
    let suite = format!(
        "name: t\ndatasets:\n  d: {{ plugin: table, path: {}, prompt: \"{{{{ question }}}}\", choices: choices, gold: answer, \
         gold_is: index, few_shot: same }}\n",
        data("choices.jsonl")
    );
    let table = [
        ("dataset/table", "dataset/repeatable"),
        ("dataset/table", "dataset/few-shot-pool"),
        ("dataset/table", "fingerprint/moves"),
    ];
    keeps_all(directory.path(), "table", &suite, &table);
}

/// Three of one task of the benchmark, with the official examples.
fn benchmark(folder: &Path) {
    let walk = |steps: &str| format!("Walk {steps}. Are you back?\nOptions:\n- Yes\n- No");
    let examples: Vec<Value> = [("in a circle", "Yes"), ("two steps", "No"), ("there and back", "Yes")]
        .into_iter()
        .map(|(steps, target)| json!({ "input": walk(steps), "target": target }))
        .collect();
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("tasks/navigate.json", &json!({ "canary": "x", "examples": examples }).to_string());
    let example = "Q: One?\nA: Let's think step by step.\nOne step.\nSo the answer is Yes.";
    let text = format!("A note.\n-----\nAbout walks.\n\nMore of it.\n\n{}", [example; 3].join("\n\n"));
    write("cot-prompts/navigate.txt", &text);
}

#[test]
fn the_benchmark_keeps_every_clause() {
    let directory = tempfile::tempdir().unwrap();
    benchmark(directory.path());
    let suite = "name: t\nmodels: { m: { plugin: echo } }\ndatasets: { d: { plugin: bbh, path: ., tasks: [navigate] } }\nteach:\n  r: { \
                 recipe: bbh, teacher: m, path: ., tasks: [navigate], keep: all }\n";
    let bbh =
        [("dataset/bbh", "dataset/repeatable"), ("dataset/bbh", "dataset/forms"), ("recipe/bbh", "recipe/asks-once")];
    keeps_all(directory.path(), "bbh", suite, &bbh);
}

#[test]
fn a_local_model_and_its_trainer_keep_every_clause() {
    let directory = tempfile::tempdir().unwrap();
    let tiny = directory.path().join("tiny");
    std::fs::create_dir_all(&tiny).unwrap();
    TinyGpt2::new(json!({})).write_to(&tiny);
    let suite = "name: t\nmodels: { m: { plugin: candle, checkpoint: tiny, device: cpu } }\ntrain:\n  t: { trainer: candle, data: \
                 rows.jsonl, device: cpu, max_steps: 40, batch_rows: 4, checkpoint_every: 5, lr: 1.0e-3, scratch: { n_layer: 1, n_head: 2, \
                 n_embd: 32, n_positions: 64 }, tokenizer: { vocab_size: 300 } }\n";
    let model = [
        "model/score-batch",
        "model/whole-text",
        "model/choice-probabilities",
        "model/is-greedy",
        "model/stop-strings",
        "model/max-new-tokens",
        "model/seed",
        "model/generate-batch",
        "model/cancellation",
        "model/memory",
        "fingerprint/moves",
    ];
    let mut looked_at: Vec<(&str, &str)> = model.iter().map(|clause| ("model/candle", *clause)).collect();
    looked_at.push(("trainer/candle", "trainer/events"));
    looked_at.push(("trainer/candle", "trainer/resume"));
    keeps_all(directory.path(), "candle", suite, &looked_at);
}

#[test]
fn an_exporter_and_a_diagnostic_keep_every_clause() {
    let directory = tempfile::tempdir().unwrap();
    let tiny = directory.path().join("tiny");
    std::fs::create_dir_all(&tiny).unwrap();
    TinyGpt2::new(json!({})).write_to(&tiny);
    let suite = "name: t\nexport: { e: { exporter: onnx, from: ./tiny } }\n";
    let looked_at = [("exporter/onnx", "exporter/product"), ("diagnostic/onnx", "diagnostic/findings")];
    keeps_all(directory.path(), "onnx", suite, &looked_at);
}

#[test]
fn an_endpoint_keeps_every_clause_that_it_can_promise() {
    let server = Server::start(|request, _| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let prompt = body["messages"][0]["content"].as_str().unwrap_or_default();
        let mut text = format!("You said {prompt}");
        let stops: Vec<&str> = match &body["stop"] {
            Value::String(stop) => vec![stop],
            Value::Array(stops) => stops.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let end = stops.iter().filter_map(|stop| text.find(stop)).min();
        text.truncate(end.unwrap_or(text.len()));
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        let most = body["max_tokens"].as_u64().unwrap_or(256) as usize;
        let kept = words[..words.len().min(most)].concat();
        let finish = if words.len() > most { "length" } else { "stop" };
        let usage = json!({ "prompt_tokens": 9, "completion_tokens": words.len().min(most), "total_tokens": 9 });
        Reply::json(
            200,
            &json!({
                "choices": [{ "index": 0, "message": { "role": "assistant", "content": kept }, "finish_reason": finish }],
                "usage": usage,
            }),
        )
    });
    let directory = tempfile::tempdir().unwrap();
    let suite = format!(
        "name: t\nmodels: {{ m: {{ plugin: openai, model: m, max_attempts: 2, backoff_s: 0.01, base_url: \"{}/v1\" }} }}\n",
        server.url()
    );
    let looked_at = [
        ("model/openai", "model/ids-once"),
        ("model/openai", "model/stop-strings"),
        ("model/openai", "model/max-new-tokens"),
    ];
    keeps_all(directory.path(), "openai", &suite, &looked_at);
}
