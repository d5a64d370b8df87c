//! Families that `candle-transformers` computes: every option agrees with transformers, prefixes are shared where they can be, and
//! what the crate would compute otherwise than transformers is refused.

use crate::exactness::options;
use crate::families::{logprobs, refusal, requests, worst};
use crate::open;
use examiner_api::{ErrorCode, Model};
use examiner_test_support::ground_truth::{self, ADAPTED, Weights, family};
use examiner_test_support::model::{generate, score};
use serde_json::{Value, json};

#[test]
fn every_option_agrees_with_transformers() {
    let covered: Vec<&Value> =
        ground_truth::options().adapted.values().map(|case| &case.weights.config["model_type"]).collect();
    assert!(ADAPTED.iter().all(|family| covered.contains(&&json!(family))), "{covered:?}");
    for (name, case) in &ground_truth::options().adapted {
        let worst = worst(&logprobs(case.weights.write().path(), json!({})), &case.logprobs);
        assert!(worst < 2e-4, "{name}: off by {worst}");
    }
}

#[test]
fn results_are_the_same_however_requests_are_put_together() {
    let (scored, prompts) = requests();
    for (name, case) in &ground_truth::options().adapted {
        let checkpoint = case.weights.write();
        let alone = json!({ "share_prefixes": false, "max_sequences": 1 });
        let mut model = open(checkpoint.path(), alone).unwrap();
        let (sums, answers) = (score(&mut model, scored.clone()), generate(&mut model, prompts.clone()));
        for options in options().into_iter().filter(|options| options["share_prefixes"] == json!(true)) {
            let mut model = open(checkpoint.path(), options.clone()).unwrap();
            for (id, found) in score(&mut model, scored.clone()) {
                let (found, expected) = (found.sum, sums[&id].sum);
                assert!((found - expected).abs() < 2e-4, "{name}, {options}, row {id}: {found}, expected {expected}");
            }
            for (id, found) in generate(&mut model, prompts.clone()) {
                assert_eq!(found.tokens, answers[&id].tokens, "{name}, {options}, prompt {id}");
            }
        }
    }
}

#[test]
fn it_is_said_who_computes_and_what_that_costs() {
    for name in ADAPTED {
        let details = open(family(name).write().path(), json!({ "device": "cpu" })).unwrap().info().unwrap().details;
        // Of these the crate's models can be copied, and of those they give what the head reads for all tokens.
        let shares = !["deepseek_v2", "glm4", "stablelm"].contains(&name);
        let together = ["gemma", "glm4", "qwen3_moe"].contains(&name);
        assert_eq!(details["shares_prefixes"], json!(shares), "{name}");
        assert_eq!(details["scores_tokens_together"], json!(together), "{name}");
        assert_eq!(details["device"], json!("cpu-candle"), "{name}");
        assert!(details["implementation"].as_str().unwrap().starts_with("candle-transformers "), "{details:?}");
    }
    let described = open(family("llama").write().path(), json!({})).unwrap().info().unwrap().details;
    assert!(!described.contains_key("implementation") && !described.contains_key("shares_prefixes"), "{described:?}");
}

#[test]
fn the_version_is_the_one_that_is_built() {
    let details = open(family("phi").write().path(), json!({})).unwrap().info().unwrap().details;
    let (name, version) = details["implementation"].as_str().unwrap().split_once(' ').unwrap();
    let locked = format!("name = \"{name}\"\nversion = \"{version}\"");
    assert!(include_str!("../../../../Cargo.lock").replace("\r\n", "\n").contains(&locked), "{locked}");
}

#[test]
fn number_types_that_round_positions_are_refused() {
    let checkpoint = family("mixtral").write();
    for dtype in ["bf16", "f16", "int8"] {
        let error = open(checkpoint.path(), json!({ "dtype": dtype })).err().unwrap();
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert!(error.to_string().contains(&format!("`dtype: {dtype}` is not supported for `mixtral`")), "{error}");
    }
}

#[test]
fn a_window_ends_the_context() {
    let length = |name: &str, window: Value| {
        let mut family = family(name);
        family.weights.config["sliding_window"] = window;
        open(family.write().path(), json!({})).unwrap().info().unwrap().context_length
    };
    for name in ["mixtral", "starcoder2"] {
        assert_eq!(length(name, json!(40)), Some(40), "{name}");
        assert_eq!([length(name, json!(4096)), length(name, json!(null))], [Some(64), Some(64)], "{name}");
    }
    // Their windows are switched on by another field.
    for name in ["qwen2_moe", "qwen3_moe"] {
        assert_eq!(length(name, json!(40)), Some(64), "{name}");
    }
    assert_eq!(length("mamba", json!(null)), Some(2048));
}

#[test]
fn what_the_crate_computes_otherwise_is_refused() {
    let yarn = json!({ "rope_type": "yarn", "factor": 2.0 });
    let table: [(&str, &str, Value, &str); 50] = [
        ("mixtral", "head_dim", json!(16), "`head_dim: 16` is not supported"),
        ("mixtral", "hidden_act", json!("quick_gelu"), "`hidden_act: \"quick_gelu\"` is not supported"),
        ("mixtral", "rope_scaling", yarn.clone(), "`rope_type: \"yarn\"` is not supported"),
        ("mixtral", "partial_rotary_factor", json!(0.5), "`partial_rotary_factor: 0.5` is not supported"),
        ("mixtral", "num_experts_per_tok", json!(5), "`num_experts_per_tok` must be at most 4, found `5`"),
        ("mixtral", "num_attention_heads", json!(0), "`num_attention_heads` must be a positive whole number"),
        ("mixtral", "num_key_value_heads", json!(3), "must be a multiple of `num_key_value_heads` (3)"),
        ("mixtral", "max_position_embeddings", json!(1 << 30), "`max_position_embeddings` must be at most 1048576"),
        ("qwen2_moe", "use_sliding_window", json!(true), "`use_sliding_window: true` is not supported"),
        (
            "qwen2_moe",
            "layer_types",
            json!(["sliding_attention", "full_attention"]),
            "`layer_types: [\"sliding_attention\"",
        ),
        ("qwen2_moe", "mlp_only_layers", json!([0]), "`mlp_only_layers: [0]` is not supported"),
        ("qwen2_moe", "qkv_bias", json!(false), "`qkv_bias: false` is not supported"),
        ("qwen2_moe", "rope_scaling", yarn.clone(), "`rope_type: \"yarn\"` is not supported"),
        ("qwen3_moe", "use_sliding_window", json!(true), "`use_sliding_window: true` is not supported"),
        ("qwen3_moe", "mlp_only_layers", json!([1]), "`mlp_only_layers: [1]` is not supported"),
        ("qwen3_moe", "rope_scaling", yarn.clone(), "`rope_type: \"yarn\"` is not supported"),
        ("deepseek_v2", "topk_method", json!("group_limited_greedy"), "`topk_method: \"group_limited_greedy\"`"),
        ("deepseek_v2", "scoring_func", json!("sigmoid"), "`scoring_func: \"sigmoid\"` is not supported"),
        ("deepseek_v2", "norm_topk_prob", json!(true), "`norm_topk_prob: true` is not supported"),
        ("deepseek_v2", "moe_layer_freq", json!(2), "`moe_layer_freq: 2` is not supported"),
        ("deepseek_v2", "mlp_bias", json!(true), "`mlp_bias: true` is not supported"),
        ("deepseek_v2", "rms_norm_eps", json!(1e-5), "`rms_norm_eps: 0.00001` is not supported"),
        ("deepseek_v2", "num_key_value_heads", json!(2), "`num_key_value_heads: 2` is not supported"),
        ("deepseek_v2", "rope_scaling", json!({ "type": "linear", "factor": 2.0 }), "`rope_type: \"linear\"`"),
        ("deepseek_v2", "rope_scaling", json!({ "type": "yarn", "factor": 2.0 }), "has no `mscale`"),
        ("gemma", "hidden_act", json!("silu"), "`hidden_act: \"silu\"` is not supported"),
        ("gemma", "hidden_activation", json!("relu"), "`hidden_activation: \"relu\"` is not supported"),
        ("gemma", "use_bidirectional_attention", json!(true), "`use_bidirectional_attention: true` is not supported"),
        ("gemma", "tie_word_embeddings", json!(false), "`tie_word_embeddings: false` is not supported"),
        ("gemma", "rope_parameters", yarn.clone(), "`rope_type: \"yarn\"` is not supported"),
        ("glm4", "rope_parameters", yarn.clone(), "`rope_type: \"yarn\"` is not supported"),
        ("glm4", "hidden_act", json!("mish"), "`hidden_act: \"mish\"` is not supported"),
        ("glm4", "partial_rotary_factor", json!(0.45), "7 of 16 values of a head would be rotated"),
        ("phi", "qk_layernorm", json!(true), "`qk_layernorm: true` is not supported"),
        ("phi", "rope_scaling", yarn.clone(), "`rope_type: \"yarn\"` is not supported"),
        ("phi", "head_dim", json!(4), "`head_dim: 4` is not supported"),
        ("stablelm", "qk_layernorm", json!(true), "`qk_layernorm: true` is not supported"),
        ("stablelm", "use_parallel_residual", json!(true), "`use_parallel_residual: true` is not supported"),
        ("stablelm", "rope_scaling", yarn.clone(), "`rope_type: \"yarn\"` is not supported"),
        ("starcoder2", "tie_word_embeddings", json!(false), "`tie_word_embeddings: false` is not supported"),
        ("starcoder2", "rope_scaling", yarn, "`rope_type: \"yarn\"` is not supported"),
        ("starcoder2", "hidden_size", json!(30), "`hidden_size` (30) must be a multiple of `num_attention_heads` (4)"),
        ("mamba", "state_size", json!(8), "`state_size: 8` is not supported"),
        ("mamba", "conv_kernel", json!(3), "`conv_kernel: 3` is not supported"),
        ("mamba", "expand", json!(3), "`expand: 3` is not supported"),
        ("mamba", "use_bias", json!(true), "`use_bias: true` is not supported"),
        ("mamba", "use_conv_bias", json!(false), "`use_conv_bias: false` is not supported"),
        ("mamba", "layer_norm_epsilon", json!(1e-6), "`layer_norm_epsilon: 1e-6` is not supported"),
        ("mamba", "time_step_rank", json!(3), "`time_step_rank: 3` is not supported"),
        ("mamba", "tie_word_embeddings", json!(false), "`tie_word_embeddings: false` is not supported"),
    ];
    for (name, field, value, said) in table {
        let mut family = family(name);
        family.weights.config[field] = value;
        let checkpoint = family.write();
        let error = refusal(checkpoint.path());
        assert!(matches!(error.code, ErrorCode::BadInput | ErrorCode::Unsupported), "{error}");
        let message = error.to_string();
        assert!(message.contains(said) && message.contains("config.json"), "{name}, {field}: {message}");
    }
}

#[test]
fn every_tensor_is_used_and_has_its_shape() {
    type Change = fn(&mut Weights);
    let table: [(&str, Change, &str); 6] = [
        (
            "mixtral",
            |c| drop(c.tensors.remove("model.layers.1.block_sparse_moe.experts.3.w2.weight")),
            "model.safetensors` has no tensor `model.layers.1.block_sparse_moe.experts.3.w2.weight` [32, 48]",
        ),
        (
            "qwen2_moe",
            |c| drop(c.tensors.insert("model.layers.0.mlp.gate.weight".into(), vec![32, 6])),
            "has the shape [32, 6]; `config.json` asks for [6, 32]",
        ),
        (
            "stablelm",
            |c| drop(c.tensors.insert("model.layers.0.self_attn.q_proj.bias".into(), vec![32])),
            "has 1 tensor that the model does not use, first `model.layers.0.self_attn.q_proj.bias`",
        ),
        ("qwen3_moe", |c| c.config["num_hidden_layers"] = json!(1), "tensors that the model does not use"),
        (
            "gemma",
            |c| drop(c.tensors.insert("lm_head.weight".into(), vec![320, 32])),
            "`lm_head.weight` differs from `model.embed_tokens.weight`",
        ),
        (
            "mamba",
            |c| drop(c.tensors.remove("backbone.embeddings.weight")),
            "has no tensor `backbone.embeddings.weight`",
        ),
    ];
    for (name, change, said) in table {
        let mut family = family(name);
        change(&mut family.weights);
        let error = refusal(family.write().path());
        assert_eq!(error.code, ErrorCode::BadInput, "{error}");
        assert!(error.to_string().contains(said), "{name}: {error}");
    }
}

/// What transformers 5 saves has another name for the number of Qwen 3's experts than what is published.
#[test]
fn the_number_of_experts_has_two_names() {
    let mut family = family("qwen3_moe");
    let expected = logprobs(family.write().path(), json!({}));
    let config = family.weights.config.as_object_mut().unwrap();
    let count = config.remove("num_experts").unwrap();
    config.insert("num_local_experts".to_owned(), count);
    assert_eq!(logprobs(family.write().path(), json!({})), expected);
}
