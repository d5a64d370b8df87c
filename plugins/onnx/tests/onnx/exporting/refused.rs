//! What is said of checkpoints and options that cannot be exported.

use super::{export, export_to, names};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Exporter, Open, OpenRole, PluginError, Result, RoleKind};
use examiner_plugin_onnx::{ExportOptions, OnnxExporter};
use examiner_test_support::checkpoint::{Dtype, GgufItem, Tensor, TinyGpt2, VOCABULARY, smallest_gguf, tokenizer_with};
use examiner_test_support::ground_truth;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tempfile::TempDir;

fn refusal(checkpoint: &TempDir, options: Value) -> PluginError {
    let out = tempfile::tempdir().unwrap();
    let error = export_to(checkpoint.path(), out.path(), options, &FakeHost::new()).unwrap_err();
    assert_eq!(names(out.path()), BTreeSet::new(), "nothing half-made stays");
    error
}

/// The message must name the file, and say all of `parts`.
fn check(tiny: &TinyGpt2, options: Value, code: ErrorCode, file: &str, parts: &[&str]) {
    let checkpoint = tiny.write();
    let error = refusal(&checkpoint, options);
    let message = error.to_string();
    assert_eq!(error.code, code, "{message}");
    let path = checkpoint.path().join(file).display().to_string();
    for part in parts.iter().copied().chain([path.as_str()]) {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn tensors_that_cannot_be_exported() {
    let weights = "model.safetensors";
    let with = |name: &str, tensor: Option<Tensor>| {
        let mut tiny = TinyGpt2::new(json!({}));
        match tensor {
            Some(tensor) => tiny.tensors.insert(name.to_owned(), tensor),
            None => tiny.tensors.remove(name),
        };
        tiny
    };
    let bad_input = |tiny: &TinyGpt2, parts: &[&str]| check(tiny, json!({}), ErrorCode::BadInput, weights, parts);
    let missing = with("h.1.mlp.c_fc.bias", None);
    bad_input(&missing, &["has no tensor `transformer.h.1.mlp.c_fc.bias` [96]"]);
    let untied = TinyGpt2::new(json!({ "tie_word_embeddings": false }));
    let headless = TinyGpt2 { tensors: TinyGpt2::new(json!({})).tensors, ..untied };
    bad_input(&headless, &["has no tensor `lm_head.weight` [257, 24]"]);
    let turned = with("h.0.mlp.c_fc.weight", Some(Tensor::zeros(Dtype::F32, &[96, 24])));
    bad_input(&turned, &["`transformer.h.0.mlp.c_fc.weight`", "has the shape [96, 24]", "asks for [24, 96]"]);
    let integers = with("ln_f.bias", Some(Tensor::zeros(Dtype::I64, &[24])));
    bad_input(&integers, &["`transformer.ln_f.bias`", "I64", "expected F32, F16 or BF16"]);
    let extra = with("h.2.ln_1.weight", Some(Tensor::zeros(Dtype::F32, &[24])));
    bad_input(&extra, &["1 tensor that", "`transformer.h.2.ln_1.weight`", "too few layers"]);
}

#[test]
fn numbers_that_cannot_be_exported() {
    let with = |value: f32, dtype| {
        let mut tiny = TinyGpt2::new(json!({}));
        let mut values = vec![0.0; 24];
        values[7] = value;
        tiny.tensors.insert("h.1.ln_2.bias".to_owned(), Tensor::new(dtype, &[24], &values));
        tiny
    };
    let name = "`transformer.h.1.ln_2.bias`";
    let weights = "model.safetensors";
    let half = json!({ "dtype": "f16" });
    for dtype in [Dtype::F32, Dtype::BF16] {
        let parts = [name, "holds 98304", "more than `f16` can hold (65504)", "`dtype: f32`"];
        check(&with(98304.0, dtype), half.clone(), ErrorCode::Numeric, weights, &parts);
        export(with(98304.0, dtype).write().path(), json!({}));
    }
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        check(&with(f32::NAN, dtype), json!({}), ErrorCode::Numeric, weights, &[name, "NaN"]);
        check(&with(f32::INFINITY, dtype), half.clone(), ErrorCode::Numeric, weights, &[name, "inf", "no number"]);
    }
}

#[test]
fn an_output_head_that_should_be_tied_and_is_not() {
    let mut tiny = TinyGpt2::new(json!({}));
    tiny.tensors.insert("lm_head.weight".to_owned(), Tensor::zeros(Dtype::F32, &[VOCABULARY, 24]));
    let error = refusal(&tiny.write(), json!({}));
    assert!(error.message.contains("`lm_head.weight` differs from `transformer.wte.weight`"), "{error}");
}

#[test]
fn configurations_that_cannot_be_exported() {
    let config = "config.json";
    let refused = |tiny: &TinyGpt2, code, parts: &[&str]| check(tiny, json!({}), code, config, parts);
    let family = TinyGpt2 { config: json!({ "model_type": "mixtral" }), ..TinyGpt2::new(json!({})) };
    refused(&family, ErrorCode::Unsupported, &["`model_type: mixtral`", "supports `gpt2`, `llama`"]);
    let activation = TinyGpt2::new(json!({ "activation_function": "mish" }));
    refused(&activation, ErrorCode::Unsupported, &["mish", "gelu_new"]);
    let small = TinyGpt2::new(json!({ "vocab_size": 200 }));
    refused(&small, ErrorCode::BadInput, &["the tokenizer has 257 tokens", "embeddings for 200"]);
}

#[test]
fn files_that_cannot_be_exported() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let weights = checkpoint.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    for length in [bytes.len() - 1, bytes.len() / 2, 100, 7, 0] {
        std::fs::write(&weights, &bytes[..length]).unwrap();
        let error = refusal(&checkpoint, json!({}));
        assert_eq!(error.code, ErrorCode::BadInput, "cut off at {length}: {error}");
        assert!(error.message.contains("is not a complete safetensors file"), "{error}");
    }
    std::fs::remove_file(&weights).unwrap();
    let error = refusal(&checkpoint, json!({}));
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(
        error.message.starts_with("no `model.safetensors` and no `model.safetensors.index.json` in the checkpoint"),
        "{error}"
    );
}

#[test]
fn a_gguf_file_with_a_tokenizer_that_no_file_has() {
    let directory = tempfile::tempdir().unwrap();
    let from = directory.path().join("model.gguf");
    let mut gguf = smallest_gguf();
    gguf.set("tokenizer.ggml.model", GgufItem::Text("llama".to_owned()));
    let tokens = gguf.items.iter().find_map(|(key, item)| match item {
        GgufItem::Texts(tokens) if key == "tokenizer.ggml.tokens" => Some(tokens.len()),
        _ => None,
    });
    gguf.set("tokenizer.ggml.scores", GgufItem::F32s(vec![0.0; tokens.unwrap()]));
    gguf.set("tokenizer.ggml.add_bos_token", GgufItem::Bool(false));
    std::fs::write(&from, gguf.bytes()).unwrap();
    let out = directory.path().join("out");
    let error = export_to(&from, &out, json!({}), &FakeHost::new()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    let message = error.to_string();
    assert!(message.contains("model.gguf` describes a tokenizer by SentencePiece's merges"), "{message}");
    assert!(message.contains("with the option `tokenizer`"), "{message}");
    let mut exporter = OnnxExporter::open(ExportOptions::default(), FakeHost::new().host()).unwrap();
    assert_eq!(exporter.check(&from.display().to_string()).unwrap_err().message, error.message, "before any work");
    let tokenizer = directory.path().join("tokenizer.json");
    std::fs::write(&tokenizer, tokenizer_with(&[]).to_string()).unwrap();
    export_to(&from, &out, json!({ "tokenizer": tokenizer }), &FakeHost::new()).unwrap();
    assert!(out.join("tokenizer.json").is_file());
}

#[test]
fn a_tokenizer_for_a_checkpoint_that_has_one() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let error = refusal(&checkpoint, json!({ "tokenizer": "tokenizer.json" }));
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(error.message.contains("`tokenizer` is for checkpoints that are a `.gguf` file"), "{error}");
}

#[test]
fn operators_that_cannot_compute_a_model() {
    let windows = ground_truth::options().named("mistral").write();
    let error = refusal(&windows, json!({ "operators": "grouped" }));
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(error.message.contains("layers of this model see 7 positions"), "{error}");
    let error = refusal(&TinyGpt2::new(json!({})).write(), json!({ "operators": "grouped", "dtype": "f16" }));
    assert!(error.message.contains("`operators: grouped` is for `dtype: f32`"), "{error}");
}

#[test]
fn a_checkpoint_is_not_overwritten() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let before = names(checkpoint.path());
    let out = checkpoint.path().join("..").join(checkpoint.path().file_name().unwrap());
    let error = export_to(checkpoint.path(), &out, json!({}), &FakeHost::new()).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(error.message.contains("is the checkpoint itself"), "{error}");
    assert_eq!(names(checkpoint.path()), before);
}

#[test]
fn options_are_published_and_unknown_ones_refused() {
    let plugin = examiner_plugin_onnx::plugin();
    let info = plugin.info();
    let role = info.roles.iter().find(|role| role.kind == RoleKind::Exporter).unwrap();
    assert_eq!(role.name, "onnx");
    assert_eq!(role.options["additionalProperties"], json!(false));
    let options: BTreeSet<&str> = role.options["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(options, BTreeSet::from(["dtype", "external_data", "logits", "operators", "tokenizer"]));
    let open = |options: Value| -> Result<OpenRole> {
        plugin.open(RoleKind::Exporter, "onnx", options.as_object().unwrap().clone(), FakeHost::new().host())
    };
    open(json!({ "dtype": "f16", "operators": "fused", "logits": "wanted", "external_data": "auto" })).unwrap();
    for (wrong, said) in [
        (json!({ "opsets": 20 }), "opsets"),
        (json!({ "dtype": "bf16" }), "bf16"),
        (json!({ "logits": "some" }), "some"),
        (json!({ "operators": "fast" }), "fast"),
        (json!({ "external_data": "beside" }), "external_data"),
    ] {
        let error = open(wrong.clone()).err().unwrap();
        assert_eq!(error.code, ErrorCode::BadOptions, "{error}");
        assert!(error.to_string().contains(said), "{wrong}: {error}");
    }
}
