//! The program on a software GPU, through ONNX Runtime's provider of WebGPU.
//!
//! Every test starts the program, because the software GPU is found by variables of the environment, and so that the numbers
//! come the way that a user gets them: suite, worker, journal, `run.json`.

mod killed;
mod refused;

use super::running::export;
use examiner_test_support::build::{program, target};
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::{needs, rows, shared, with_software_gpu};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

/// The program with the software GPU, in a directory that has `suite.yaml`.
fn examiner(directory: &Path, suite: &Value) -> Command {
    std::fs::write(directory.join("suite.yaml"), suite.to_string()).unwrap();
    let mut command = Command::new(program());
    command.args(["run", "suite.yaml", "--out", "run"]).current_dir(directory);
    // Beside the program lies ONNX Runtime after `cargo xtask test`; otherwise the variable names it.
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        command.env("ORT_DYLIB_PATH", target());
    }
    with_software_gpu(&mut command);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a suite, and gives what is said of its models in `run.json`.
fn run(directory: &Path, suite: &Value) -> Value {
    let output = examiner(directory, suite).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    models(directory)
}

fn models(directory: &Path) -> Value {
    let text = std::fs::read_to_string(directory.join("run/run.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["models"].take()
}

/// Answers to one kind of request, in the order of the samples.
fn answers(directory: &Path, model: &str, dataset: &str, kind: &str) -> Vec<Value> {
    let samples = rows(&directory.join(format!("run/samples/{model}/{dataset}.jsonl")));
    let answers = samples.iter().flat_map(|sample| sample["answers"].as_array().unwrap());
    answers.map(|answer| answer[kind].clone()).collect()
}

/// Questions whose options share a beginning, and prompts that are answered.
fn datasets(directory: &Path) -> Value {
    let choices = ["once there was a", "once there was", "quite another beginning of a text"];
    let choices = choices.map(|context| json!({ "context": context, "a": " cat", "b": " dog that slept", "c": " b" }));
    let prompts = ["once there was a", "once", "quite another beginning"].map(|prompt| json!({ "prompt": prompt }));
    for (name, rows) in [("choices", &choices[..]), ("prompts", &prompts)] {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        std::fs::write(directory.join(format!("{name}.jsonl")), lines).unwrap();
    }
    json!({
        "choices": {
            "plugin": "table", "path": "choices.jsonl", "prompt": "{{ context }}", "delimiter": "",
            "choices": ["{{ a }}", "{{ b }}", "{{ c }}"], "gold": 0,
            "scorer": { "name": "perplexity-choice", "normalize": "sum" }
        },
        "prompts": {
            "plugin": "table", "path": "prompts.jsonl", "prompt": "{{ prompt }}", "gold": ["x"], "stop": [],
            "max_new_tokens": 12,
            "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
        }
    })
}

/// Whether two models gave the same log-likelihoods, within a tolerance, and the same tokens.
fn assert_equal(directory: &Path, found: &str, expected: &str, tolerance: f64) {
    let scores = |model: &str| -> Vec<f64> {
        let scores = answers(directory, model, "choices", "score");
        scores.iter().map(|score| score["sum"].as_f64().unwrap()).collect()
    };
    let (ours, theirs) = (scores(found), scores(expected));
    assert!(ours.len() == theirs.len() && !ours.is_empty());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours - theirs).abs() <= tolerance, "{found}: {ours} is not {theirs}");
    }
    let tokens = |model: &str| -> Vec<Value> {
        answers(directory, model, "prompts", "generate").iter().map(|answer| answer["tokens"].clone()).collect()
    };
    assert_eq!(tokens(found), tokens(expected), "{found}");
}

#[needs(software_gpu)]
#[test]
fn scores_and_answers_are_those_of_the_cpu_with_and_without_shared_beginnings() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoint = export(TinyGpt2::new(json!({})).write().path(), json!({ "logits": "wanted" }));
    let model = |device: &str, more: Value| {
        let mut model = json!({ "plugin": "onnx", "checkpoint": checkpoint.path(), "device": device });
        model.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        model
    };
    let suite = json!({
        "name": "webgpu",
        "models": {
            "cpu": model("cpu", json!({})),
            "gpu": model("webgpu", json!({ "max_batch_tokens": 48 })),
            "alone": model("webgpu:0", json!({ "share_prefixes": false, "max_sequences": 1 }))
        },
        "datasets": datasets(directory.path()),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    let models = run(directory.path(), &suite);
    assert_equal(directory.path(), "gpu", "cpu", 1e-4);
    assert_equal(directory.path(), "alone", "cpu", 1e-4);
    for (name, device) in [("gpu", "webgpu"), ("alone", "webgpu:0")] {
        let info = &models[name];
        let details = &info["details"];
        assert_eq!(details["device"], device, "{info}");
        assert!(
            details["providers"]["WebGpu"].as_u64().unwrap() > details["providers"]["CPU"].as_u64().unwrap(),
            "{info}"
        );
        assert_eq!(details["keys_and_values"], "stay in the memory of the device");
        assert!(details["provider"].as_str().unwrap().starts_with("WebGpuExecutionProvider 0."), "{info}");
        assert!(info["warnings"].as_array().is_none_or(Vec::is_empty), "{info}");
    }
    assert!(models["cpu"]["details"]["providers"].is_null());
}

#[needs(shared, software_gpu)]
#[test]
fn the_rows_of_the_reference_agree_for_both_exporters() {
    let directory = tempfile::tempdir().unwrap();
    // The shortest rows: a software GPU takes about 30 ms of a core for each token of this model. `cargo xtask verify` has them all.
    let shortest = |name: &str, fields: [&str; 2], count: usize| {
        let mut rows = rows(&shared().join(format!("oracle/tiny-gpt2/{name}.jsonl")));
        rows.sort_by_key(|row| fields.map(|field| row[field].as_str().unwrap().len()).iter().sum::<usize>());
        rows.truncate(count);
        rows
    };
    let scored = shortest("loglikelihood", ["context", "continuation"], 5);
    let greedy = shortest("greedy", ["prompt", "prompt"], 2);
    for (name, rows) in [("scored", &scored), ("greedy", &greedy)] {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        std::fs::write(directory.path().join(format!("{name}.jsonl")), lines).unwrap();
    }
    let exported = export(&shared().join("models/tiny-gpt2"), json!({ "logits": "wanted" }));
    let suite = json!({
        "name": "reference",
        "models": {
            "ours": { "plugin": "onnx", "checkpoint": exported.path(), "device": "webgpu" },
            "optimum": { "plugin": "onnx", "checkpoint": shared().join("models/tiny-gpt2-optimum"), "device": "webgpu" }
        },
        "datasets": {
            "scored": {
                "plugin": "table", "path": "scored.jsonl", "prompt": "{{ context }}", "delimiter": "",
                "choices": ["{{ continuation }}"], "gold": 0,
                "scorer": { "name": "perplexity-choice", "normalize": "sum" }
            },
            "greedy": {
                "plugin": "table", "path": "greedy.jsonl", "prompt": "{{ prompt }}", "gold": ["{{ text }}"], "stop": [],
                "max_new_tokens": 8,
                "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
            }
        },
        "evaluate": [{ "models": ["ours"], "datasets": "all" }, { "models": ["optimum"], "datasets": ["scored"] }]
    });
    let models = run(directory.path(), &suite);
    for model in ["ours", "optimum"] {
        let found = answers(directory.path(), model, "scored", "score");
        assert_eq!(found.len(), scored.len());
        for (found, expected) in found.iter().zip(&scored) {
            let difference = found["sum"].as_f64().unwrap() - expected["loglikelihood"].as_f64().unwrap();
            assert!(difference.abs() < 1e-3, "{model}: {difference}");
        }
    }
    let found = answers(directory.path(), "ours", "greedy", "generate");
    assert_eq!(found.len(), greedy.len());
    for (found, expected) in found.iter().zip(&greedy) {
        assert_eq!(found["tokens"].as_array().unwrap(), &expected["new_ids"].as_array().unwrap()[..8]);
    }
    // Optimum's graph guards its attention with an operator that WebGPU lacks; that is said, with what to do.
    let warnings = &models["optimum"]["warnings"];
    assert!(warnings[0].as_str().unwrap().contains("`device: webgpu` lacks the operator `IsNaN`"), "{warnings}");
    assert!(models["ours"]["warnings"].as_array().is_none_or(Vec::is_empty), "{}", models["ours"]);
}
