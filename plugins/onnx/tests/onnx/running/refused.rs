//! Bad input: what is said names the file and the tensor.

use super::graphs::{change, change_rows};
use super::{export, open, open_with, pairs, tiny};
use crate::proto::data_type;
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Model, PluginError};
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::model::{loglikelihood, responses};
use serde_json::{Value, json};
use std::path::Path;

fn refused(checkpoint: &Path) -> PluginError {
    open_with(checkpoint, json!({}), &FakeHost::new()).err().expect("the model is refused")
}

/// Refused with that code, and a message that has all of these.
pub(super) fn says(checkpoint: &Path, code: ErrorCode, parts: &[&str]) {
    let error = refused(checkpoint);
    assert_eq!(error.code, code, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
}

fn set_config(checkpoint: &Path, name: &str, value: Value) {
    let path = checkpoint.join("config.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    config[name] = value;
    std::fs::write(path, config.to_string()).unwrap();
}

#[test]
fn files_that_are_no_model() {
    let exported = tiny(json!({}));
    let model = exported.path().join("model.onnx");
    let whole = std::fs::read(&model).unwrap();
    std::fs::write(&model, "no model at all").unwrap();
    says(exported.path(), ErrorCode::BadInput, &["model.onnx` is not an ONNX model"]);
    std::fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    says(
        exported.path(),
        ErrorCode::BadInput,
        &["model.onnx` is not an ONNX model, or not a whole one", "fetch it again"],
    );
    std::fs::write(&model, "").unwrap();
    says(exported.path(), ErrorCode::BadInput, &["it has no graph"]);
    std::fs::remove_file(&model).unwrap();
    says(exported.path(), ErrorCode::NotFound, &["no ONNX model in the checkpoint", "`decoder_model_merged.onnx`"]);
}

#[test]
fn weights_beside_the_model_that_are_missing_cut_off_or_elsewhere() {
    let exported = tiny(json!({ "external_data": true }));
    let data = exported.path().join("model.onnx_data");
    let whole = std::fs::read(&data).unwrap();
    std::fs::write(&data, &whole[..whole.len() - 8]).unwrap();
    says(exported.path(), ErrorCode::BadInput, &["tensor `", "ends at byte", "model.onnx_data", "fetch it again"]);
    std::fs::remove_file(&data).unwrap();
    says(exported.path(), ErrorCode::NotFound, &["tensor `", "lies in `model.onnx_data`, which is not there"]);
    change(exported.path(), |model| {
        let tensor = &mut model.graph.as_mut().unwrap().initializer;
        let tensor = tensor.iter_mut().find(|tensor| !tensor.external_data.is_empty()).unwrap();
        tensor.external_data.iter_mut().find(|entry| entry.key == "location").unwrap().value = "../weights".to_owned();
    });
    says(exported.path(), ErrorCode::BadInput, &["lies in `../weights`; expected a file in the model's directory"]);
}

#[test]
fn inputs_and_outputs_that_are_not_those_of_a_language_model() {
    let rename = |from: &'static str, to: &'static str| {
        let exported = tiny(json!({}));
        change(exported.path(), |model| {
            let graph = model.graph.as_mut().unwrap();
            let inputs = graph.input.iter_mut().map(|input| &mut input.name);
            let used = graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
            let all = inputs.chain(graph.output.iter_mut().map(|output| &mut output.name)).chain(used);
            all.filter(|name| *name == from).for_each(|name| *name = to.to_owned());
        });
        exported
    };
    let unsupported = ErrorCode::Unsupported;
    says(rename("input_ids", "tokens").path(), unsupported, &["model.onnx` has no input `input_ids`; it has `tokens`"]);
    says(rename("logits", "scores").path(), unsupported, &["has no output `logits`; it has `scores`"]);
    says(rename("position_ids", "places").path(), unsupported, &["takes an input `places`, which is not known"]);
    says(
        rename("past_key_values.0.key", "past").path(),
        unsupported,
        &["no keys and values", "text-generation-with-past"],
    );
    says(rename("present.1.value", "rest").path(), unsupported, &["has no output `present.1.value`"]);
}

#[test]
fn types_and_sizes_that_do_not_fit() {
    let exported = tiny(json!({}));
    set_config(exported.path(), "n_layer", json!(3));
    says(exported.path(), ErrorCode::BadInput, &["model.onnx` has 2 layers; `config.json` says 3"]);
    set_config(exported.path(), "n_layer", json!(2));
    set_config(exported.path(), "n_head", json!(4));
    says(exported.path(), ErrorCode::BadInput, &["`past_key_values.0.key`", "expected 4 heads", "found 3"]);
    set_config(exported.path(), "n_head", json!(3));
    set_config(exported.path(), "vocab_size", json!(300));
    says(exported.path(), ErrorCode::BadInput, &["tensor `logits`", "expected 300 tokens", "found 257"]);
    set_config(exported.path(), "vocab_size", json!(200));
    says(exported.path(), ErrorCode::BadInput, &["the tokenizer has 257 tokens", "embeddings for 200"]);
}

#[test]
fn operators_that_are_too_new() {
    let exported = tiny(json!({}));
    change(exported.path(), |model| model.opset_import[0].version = 99);
    says(exported.path(), ErrorCode::BadInput, &["cannot load `", "model.onnx`", "ai.onnx 99", "upgrade ONNX Runtime"]);
}

#[test]
fn logits_that_are_not_numbers_are_errors_of_their_requests() {
    let exported = export(TinyGpt2::new(json!({})).write().path(), json!({}));
    change(exported.path(), |model| {
        let tensors = &mut model.graph.as_mut().unwrap().initializer;
        let bias = tensors.iter_mut().find(|tensor| tensor.name.ends_with("ln_f.bias")).expect("the last bias");
        assert_eq!(bias.data_type, data_type::FLOAT);
        let mut bytes = bias.raw_data.take().unwrap().to_vec();
        bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        bias.raw_data = Some(bytes.into());
    });
    let mut model = open(exported.path(), json!({}));
    let (context, continuation) = pairs().remove(0);
    let request = loglikelihood(0, &context, &continuation);
    let error = responses(|sink| model.score(vec![request], sink)).0.remove(&0).unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::Numeric);
    assert!(error.message.contains("tensor `logits` of `") && error.message.contains("has NaN"), "{error}");
}

#[test]
fn logits_of_more_or_fewer_rows_are_refused_by_name() {
    for more in [true, false] {
        let exported = tiny(json!({}));
        change(exported.path(), |model| change_rows(model.graph.as_mut().unwrap(), more));
        let mut model = open(exported.path(), json!({}));
        let (context, continuation) = pairs().remove(0);
        let request = loglikelihood(0, &context, &continuation);
        let error = responses(|sink| model.score(vec![request], sink)).0.remove(&0).unwrap().unwrap_err();
        assert_eq!(error.code, ErrorCode::Protocol, "{error}");
        assert!(error.message.contains("tensor `logits` of `") && error.message.contains("found the shape"), "{error}");
    }
}

#[test]
fn a_runtime_that_is_none() {
    let exported = tiny(json!({}));
    let with = |runtime: &Path| {
        open_with(exported.path(), json!({ "runtime": runtime }), &FakeHost::new()).err().unwrap().to_string()
    };
    assert!(
        with("nowhere/libonnxruntime.so".as_ref()).contains("is no library of ONNX Runtime, nor a directory with one")
    );
    // Another model of this process may have opened the right one already; then that is what is said.
    let text = with(&exported.path().join("config.json"));
    assert!(text.contains("cannot be opened"), "{text}");
}
