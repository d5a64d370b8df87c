//! What is wrong with a checkpoint is said so that it can be found.

use crate::open;
use examiner_api::{ErrorCode, PluginError};
use examiner_test_support::checkpoint::{Dtype, Tensor, TinyGpt2, gguf, tokenizer_with};
use serde_json::json;
use tempfile::TempDir;

fn refusal(checkpoint: &TempDir) -> PluginError {
    open(checkpoint.path(), json!({})).err().expect("a checkpoint that is refused")
}

/// The message must name the file, and say all of `parts`.
fn check(model: &TinyGpt2, code: ErrorCode, file: &str, parts: &[&str]) {
    let checkpoint = model.write();
    let error = refusal(&checkpoint);
    let message = error.to_string();
    assert_eq!(error.code, code, "{message}");
    let path = checkpoint.path().join(file).display().to_string();
    for part in parts.iter().copied().chain([path.as_str()]) {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn tensors() {
    let weights = "model.safetensors";
    let with = |name: &str, tensor: Option<Tensor>| {
        let mut model = TinyGpt2::new(json!({}));
        match tensor {
            Some(tensor) => model.tensors.insert(name.to_owned(), tensor),
            None => model.tensors.remove(name),
        };
        model
    };
    let zeros = |shape: &[usize], dtype| Tensor::zeros(dtype, shape);

    let missing = with("h.1.mlp.c_fc.bias", None);
    check(&missing, ErrorCode::BadInput, weights, &["has no tensor `transformer.h.1.mlp.c_fc.bias` [96]"]);
    let turned = with("h.0.mlp.c_fc.weight", Some(zeros(&[96, 24], Dtype::F32)));
    let parts = ["`transformer.h.0.mlp.c_fc.weight`", "has the shape [96, 24]", "asks for [24, 96]"];
    check(&turned, ErrorCode::BadInput, weights, &parts);
    let integers = with("ln_f.bias", Some(zeros(&[24], Dtype::I64)));
    check(&integers, ErrorCode::BadInput, weights, &["`transformer.ln_f.bias`", "I64", "expected F32, F16 or BF16"]);
    let extra = with("h.2.ln_1.weight", Some(zeros(&[24], Dtype::F32)));
    check(&extra, ErrorCode::BadInput, weights, &["1 tensor that", "`transformer.h.2.ln_1.weight`", "too few layers"]);
}

#[test]
fn an_output_head_that_should_be_tied_and_is_not() {
    let mut model = TinyGpt2::new(json!({}));
    let other = Tensor::zeros(Dtype::F32, &[257, 24]);
    model.tensors.insert("lm_head.weight".to_owned(), other);
    assert!(refusal(&model.write()).message.contains("`lm_head.weight` differs from `transformer.wte.weight`"));
}

#[test]
fn configurations() {
    let config = "config.json";
    let family = TinyGpt2 { config: json!({ "model_type": "rwkv" }), ..TinyGpt2::new(json!({})) };
    check(&family, ErrorCode::Unsupported, config, &["`model_type: rwkv`", "supports `gpt2`, `llama`"]);
    let activation = TinyGpt2::new(json!({ "activation_function": "mish" }));
    check(&activation, ErrorCode::Unsupported, config, &["mish", "gelu_new"]);
    let small = TinyGpt2::new(json!({ "vocab_size": 200 }));
    check(&small, ErrorCode::BadInput, config, &["the tokenizer has 257 tokens", "embeddings for 200"]);
    let deep = TinyGpt2 { config: json!({ "model_type": "gpt2", "vocab_size": 300 }), ..TinyGpt2::new(json!({})) };
    check(&deep, ErrorCode::BadInput, "model.safetensors", &["[257, 24]", "asks for [300, 768]"]);
    let end = TinyGpt2::new(json!({ "eos_token_id": "stop" }));
    check(&end, ErrorCode::BadInput, config, &["`eos_token_id`"]);
}

#[test]
fn files() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let weights = checkpoint.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    for length in [bytes.len() - 1, bytes.len() / 2, 100, 7, 0] {
        std::fs::write(&weights, &bytes[..length]).unwrap();
        let error = refusal(&checkpoint);
        assert_eq!(error.code, ErrorCode::BadInput, "cut off at {length}: {error}");
        assert!(error.message.contains("is not a complete safetensors file"), "{error}");
    }
    std::fs::write(&weights, bytes).unwrap();

    std::fs::write(checkpoint.path().join("config.json"), "{ \"model_type\": ").unwrap();
    assert!(refusal(&checkpoint).message.contains("config.json` is not JSON"));
    std::fs::remove_file(checkpoint.path().join("config.json")).unwrap();
    let error = refusal(&checkpoint);
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.starts_with("no `config.json` in the checkpoint"), "{error}");
    assert!(error.help.unwrap().contains("hf://org/name"));
}

/// What the fuzz targets start from must be good, or they would not get far.
#[test]
fn the_smallest_checkpoints_open() {
    let changes = json!({ "vocab_size": 258, "n_positions": 16, "n_embd": 4, "n_layer": 1, "n_head": 2, "n_inner": 8 });
    let tokenizer = tokenizer_with(&[("a", "n")]);
    let smallest = TinyGpt2 { prefix: false, tokenizer, ..TinyGpt2::new(changes) }.rounded(Dtype::F16);
    let checkpoint = smallest.write();
    open(checkpoint.path(), json!({})).unwrap();
    let path = checkpoint.path().join("model.gguf");
    std::fs::write(&path, gguf()).unwrap();
    open(&path, json!({})).unwrap();
}
