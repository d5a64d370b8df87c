//! The numbers are right.

use crate::open;
use crate::reference::token_logprobs;
use examiner_api::{ErrorCode, Model, ScoreRequest, ScoreResult, Span};
use examiner_test_support::checkpoint::{Dtype, Tensor, TinyGpt2};
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use serde_json::{Value, json};
use tempfile::TempDir;

const TEXT: &str = "When in the course of human events, it becomes necessary to test.";

fn whole(id: u64, text: &str) -> ScoreRequest {
    ScoreRequest { span: Span::All, ..loglikelihood(id, "", text) }
}

fn score_text(checkpoint: &TempDir, options: Value) -> ScoreResult {
    score(&mut open(checkpoint.path(), options).unwrap(), vec![whole(0, TEXT)]).remove(&0).unwrap()
}

fn worst(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

#[test]
fn every_architecture_option_agrees_with_the_reference() {
    let tokens: Vec<u32> = TEXT.bytes().map(u32::from).collect();
    for changes in [
        json!({}),
        json!({ "activation_function": "gelu", "n_head": 1 }),
        json!({ "activation_function": "relu", "n_inner": 37 }),
        json!({ "activation_function": "silu", "scale_attn_weights": false, "layer_norm_epsilon": 1e-3 }),
        json!({ "scale_attn_by_inverse_layer_idx": true, "n_layer": 3, "n_head": 8 }),
        json!({ "tie_word_embeddings": false, "n_embd": 80, "n_head": 2 }),
    ] {
        let model = TinyGpt2::new(changes.clone());
        let expected = token_logprobs(&model, &tokens);
        let checkpoint = model.write();
        for device in ["cpu", "cpu-candle"] {
            let found = score_text(&checkpoint, json!({ "device": device }));
            let worst = worst(&found.token_logprobs, &expected);
            assert!(worst < 2e-4, "{changes} on {device}: off by {worst}");
        }
    }
}

#[test]
fn number_types_round_weights_and_nothing_else() {
    let model = TinyGpt2::new(json!({}));
    let exact = score_text(&model.write(), json!({}));
    for (dtype, name) in [(Dtype::F16, "f16"), (Dtype::BF16, "bf16")] {
        let rounded_on_disk = score_text(&model.clone().rounded(dtype).write(), json!({}));
        let rounded_on_loading = score_text(&model.write(), json!({ "dtype": name }));
        assert_eq!(rounded_on_disk.token_logprobs, rounded_on_loading.token_logprobs);
        assert_ne!(rounded_on_disk.token_logprobs, exact.token_logprobs);
        let ops = score_text(&model.write(), json!({ "dtype": name, "device": "cpu-candle" }));
        assert!((ops.sum - exact.sum).abs() < 0.02 * exact.sum.abs(), "{name}: {} {}", ops.sum, exact.sum);
    }
}

/// A matrix with the weights of each output rounded to 127 steps of the largest of them, as `int8` is documented.
fn in_steps(tensor: &Tensor, inputs_first: bool) -> Tensor {
    let mut values = tensor.values();
    let [rows, columns] = tensor.shape[..] else { panic!("expected a matrix") };
    let (outputs, inputs) = if inputs_first { (columns, rows) } else { (rows, columns) };
    for output in 0..outputs {
        let index = |input: usize| if inputs_first { input * columns + output } else { output * columns + input };
        let largest = (0..inputs).fold(0.0f32, |most, input| most.max(values[index(input)].abs()));
        let step = largest / 127.0;
        for input in 0..inputs {
            let value = &mut values[index(input)];
            *value = (*value / step).round_ties_even() * step;
        }
    }
    Tensor::new(tensor.dtype, &tensor.shape, &values)
}

#[test]
fn eight_bits_are_steps_of_each_output_in_linear_layers_and_tied_embeddings_alone() {
    for tied in [true, false] {
        let model = TinyGpt2::new(json!({ "tie_word_embeddings": tied }));
        let mut rounded = model.clone();
        for (name, tensor) in &mut rounded.tensors {
            let linear = ["attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"];
            if linear.iter().any(|linear| name.ends_with(linear)) {
                *tensor = in_steps(tensor, true);
            } else if name == if tied { "wte.weight" } else { "lm_head.weight" } {
                *tensor = in_steps(tensor, false);
            }
        }
        let expected = score_text(&rounded.write(), json!({}));
        let found = score_text(&model.write(), json!({ "dtype": "int8" }));
        for (a, b) in found.token_logprobs.iter().zip(&expected.token_logprobs) {
            // The same numbers; but scales are multiplied with once, after the sum, which moves 2e-6 at most.
            assert!((a - b).abs() < 2e-5, "tied: {tied}: {a}, expected {b}");
        }
    }
}

/// A weight is rounded by up to 2^-12 of itself, 2^-9 of itself, and 2^-8 of its output's largest one. The logprob that
/// moves most moves by 0.0033, 0.035 and 0.056 here, in this order and about in these ratios; three times that is allowed.
#[test]
fn fewer_bits_move_logprobs_by_as_much_as_they_round() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let exact = score_text(&checkpoint, json!({}));
    let expected: Vec<f64> = exact.token_logprobs.iter().map(|value| f64::from(*value)).collect();
    let moved: Vec<f64> = [("f16", 0.01), ("bf16", 0.1), ("int8", 0.15)]
        .iter()
        .map(|(dtype, limit)| {
            let moved = worst(&score_text(&checkpoint, json!({ "dtype": dtype })).token_logprobs, &expected);
            assert!(moved > 0.0 && moved < *limit, "{dtype} moves a token's logprob by {moved}");
            moved
        })
        .collect();
    assert!(moved[0] < moved[1], "11 digits are more than 8: {moved:?}");
}

/// Inputs and weights are rounded by up to 2^-9 of themselves, so that logprobs move by as much as `dtype: bf16` moves them, or some more; but
/// embeddings are not. Three numbers of `bf16` are 32 bits.
#[test]
fn precisions_move_logprobs_by_as_much_as_they_round() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let expected: Vec<f64> =
        score_text(&checkpoint, json!({})).token_logprobs.iter().map(|value| f64::from(*value)).collect();
    for (precision, dtype, limit) in [("medium", "f32", 0.1), ("medium", "int8", 0.2), ("high", "f32", 1e-4)] {
        let options = json!({ "precision": precision, "dtype": dtype });
        let model = match open(checkpoint.path(), options.clone()) {
            Ok(model) => model,
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
                examiner_test_support::skipped(&format!("{options}: {error}"));
                continue;
            }
        };
        let info = model.info().unwrap();
        assert_eq!(info.details["precision"], json!(precision));
        let moved = worst(&score_text(&checkpoint, options).token_logprobs, &expected);
        assert!(moved > 0.0 && moved < limit, "{precision} moves a token's logprob by {moved}");
    }
}

#[test]
fn eight_bits_with_operations_of_candle_are_an_error_with_a_way_out() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let error = open(checkpoint.path(), json!({ "dtype": "int8", "device": "cpu-candle" })).err().unwrap();
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(error.to_string().contains("`dtype: int8`"), "{error}");
    assert!(error.help.unwrap().contains("`device: cpu`"));
}

#[test]
fn names_with_and_without_prefix_masks_and_copied_heads_are_the_same_model() {
    let mut model = TinyGpt2::new(json!({}));
    let expected = score_text(&model.write(), json!({}));
    model.prefix = false;
    model.tensors.insert("lm_head.weight".to_owned(), model.tensors["wte.weight"].clone());
    let mask = Tensor::full(Dtype::U8, &[1, 1, 96, 96], 1.0);
    model.tensors.insert("h.0.attn.bias".to_owned(), mask.clone());
    model.tensors.insert("h.1.attn.masked_bias".to_owned(), mask);
    assert_eq!(score_text(&model.write(), json!({})), expected);
}

#[test]
fn candle_operations_agree_with_the_kernels_on_a_batch_with_shared_prefixes() {
    let checkpoint = TinyGpt2::new(json!({ "n_layer": 3 })).write();
    let requests = || {
        let mut requests = Vec::new();
        for (context, id) in [("The cat sat on the", 0), ("The cat sat on", 10), ("", 20), ("Else", 30)] {
            for (option, text) in [" mat", " map", " moon, and then", "x"].iter().enumerate() {
                requests.push(loglikelihood(id + option as u64, context, text));
            }
        }
        requests
    };
    let kernels = score(&mut open(checkpoint.path(), json!({})).unwrap(), requests());
    let ops = score(&mut open(checkpoint.path(), json!({ "device": "cpu-candle" })).unwrap(), requests());
    for (id, ours) in &kernels {
        assert!((ours.sum - ops[id].sum).abs() < 1e-3, "{id}: {} {}", ours.sum, ops[id].sum);
    }
    let prompts = || vec![prompt(0, "Once", 12), prompt(1, "Once upon", 12)];
    let ours = generate(&mut open(checkpoint.path(), json!({})).unwrap(), prompts());
    let theirs = generate(&mut open(checkpoint.path(), json!({ "device": "cpu-candle" })).unwrap(), prompts());
    assert_eq!(ours[&0].tokens, theirs[&0].tokens);
    assert_eq!(ours[&1].tokens, theirs[&1].tokens);
}

#[test]
fn the_fingerprint_changes_with_whatever_could_change_an_answer() {
    let fingerprint =
        |checkpoint: &TempDir, options: Value| open(checkpoint.path(), options).unwrap().info().unwrap().fingerprint;
    let checkpoint = TinyGpt2::new(json!({})).write();
    let first = fingerprint(&checkpoint, json!({}));
    assert_eq!(first, fingerprint(&checkpoint, json!({ "max_batch_tokens": 3 })));
    assert_eq!(first, fingerprint(&TinyGpt2::new(json!({})).write(), json!({ "device": "cpu" })));
    let mut others = vec![
        fingerprint(&checkpoint, json!({ "dtype": "bf16" })),
        fingerprint(&checkpoint, json!({ "dtype": "int8" })),
        fingerprint(&checkpoint, json!({ "device": "cpu-candle" })),
        fingerprint(&TinyGpt2::new(json!({})).rounded(Dtype::F16).write(), json!({})),
        fingerprint(&TinyGpt2::new(json!({ "layer_norm_epsilon": 1e-6 })).write(), json!({})),
    ];
    std::fs::write(checkpoint.path().join("generation_config.json"), r#"{"eos_token_id": [256, 10]}"#).unwrap();
    others.push(fingerprint(&checkpoint, json!({})));
    others.push(first);
    let medium = open(checkpoint.path(), json!({ "precision": "medium" }));
    others.extend(medium.ok().map(|model| model.info().unwrap().fingerprint));
    let different = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), different);
}

#[test]
fn a_list_of_end_tokens_in_the_generation_config_ends_answers() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let free = generate(&mut open(checkpoint.path(), json!({})).unwrap(), vec![prompt(0, "Once", 8)]);
    let third = free[&0].tokens[2];
    let ends = free[&0].tokens.iter().position(|token| *token == third).unwrap();
    let generation = json!({ "eos_token_id": [256, third] }).to_string();
    std::fs::write(checkpoint.path().join("generation_config.json"), generation).unwrap();
    let ended = generate(&mut open(checkpoint.path(), json!({})).unwrap(), vec![prompt(0, "Once", 8)]);
    assert_eq!(ended[&0].tokens, free[&0].tokens[..=ends]);
}

#[cfg_attr(feature = "cuda", ignore = "is about builds without CUDA")]
#[test]
fn a_gpu_that_this_build_cannot_use_is_an_error_with_a_way_out() {
    let checkpoint = TinyGpt2::new(json!({})).write();
    let error = open(checkpoint.path(), json!({ "device": "cuda:0" })).err().unwrap();
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(error.help.unwrap().contains("cargo xtask build-cuda"));
}
