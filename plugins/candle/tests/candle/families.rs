//! Every family with its options: agrees with transformers, not a bit depends on how requests are put together, and what
//! is wrong with a checkpoint is said.

use crate::exactness::{Bits, options, score_bits};
use crate::open;
use examiner_api::{ErrorCode, GenerateRequest, Model, PluginError, ScoreRequest, Span};
use examiner_test_support::checkpoint::serialize;
use examiner_test_support::ground_truth::{self, Weights};
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// The text that transformers scored with every option.
fn text() -> &'static str {
    &ground_truth::options().text
}

pub(crate) fn logprobs(checkpoint: &Path, options: Value) -> Vec<f32> {
    let request = ScoreRequest { span: Span::All, ..loglikelihood(0, "", text()) };
    score(&mut open(checkpoint, options).unwrap(), vec![request]).remove(&0).unwrap().token_logprobs
}

pub(crate) fn worst(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

#[test]
fn every_option_agrees_with_transformers() {
    for (name, case) in &ground_truth::options().cases {
        let checkpoint = case.weights.write();
        for device in ["cpu", "cpu-candle"] {
            let worst = worst(&logprobs(checkpoint.path(), json!({ "device": device })), &case.logprobs);
            assert!(worst < 2e-4, "{name} on {device}: off by {worst}");
        }
    }
}

/// Requests that begin alike, of which some reach beyond every window.
pub(crate) fn requests() -> (Vec<ScoreRequest>, Vec<GenerateRequest>) {
    let text = text();
    let cuts = [(0, 3), (9, 11), (40, 43), (40, 47), (41, 60), (60, 61), (70, 90), (0, 90)];
    let scored =
        cuts.iter().enumerate().map(|(id, &(from, to))| loglikelihood(id as u64, &text[..from], &text[from..to]));
    let prompts = [5, 33, 34, 60, 61, 60].iter().enumerate();
    let prompts = prompts.map(|(id, &length)| prompt(id as u64, &text[..length], 4 + 3 * id as u32));
    (scored.collect(), prompts.collect())
}

#[test]
fn not_a_bit_of_any_family_depends_on_the_batch() {
    let (mut scored, mut prompts) = requests();
    for (name, case) in &ground_truth::options().cases {
        let checkpoint = case.weights.write();
        let alone = json!({ "share_prefixes": false, "max_sequences": 1 });
        let mut bits: Vec<Bits> =
            scored.iter().flat_map(|request| score_bits(checkpoint.path(), &alone, vec![request.clone()])).collect();
        bits.sort_by_key(|bits| bits.0);
        let answers: BTreeMap<_, _> = prompts
            .iter()
            .flat_map(|request| generate(&mut open(checkpoint.path(), alone.clone()).unwrap(), vec![request.clone()]))
            .collect();
        for options in options() {
            scored.rotate_left(3);
            prompts.rotate_left(2);
            assert_eq!(score_bits(checkpoint.path(), &options, scored.clone()), bits, "{name}, {options}");
            let found = generate(&mut open(checkpoint.path(), options.clone()).unwrap(), prompts.clone());
            assert_eq!(found, answers, "{name}, {options}");
        }
    }
}

/// The case of an option whose name begins so.
pub(crate) fn case(name: &str) -> Weights {
    ground_truth::options().named(name)
}

/// The weights of a case in two files and an index.
fn sharded(case: &Weights) -> TempDir {
    let directory = case.write();
    std::fs::remove_file(directory.path().join("model.safetensors")).unwrap();
    let file = |shard: usize| format!("model-0000{}-of-00002.safetensors", shard + 1);
    let (tensors, mut map) = (case.tensors(), BTreeMap::new());
    let mut shards = [Vec::new(), Vec::new()];
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        map.insert(name.clone(), file(index % 2));
        shards[index % 2].push((name.clone(), tensor));
    }
    for (index, shard) in shards.into_iter().enumerate() {
        std::fs::write(directory.path().join(file(index)), serialize(shard)).unwrap();
    }
    let index = json!({ "metadata": { "total_size": 0 }, "weight_map": map });
    std::fs::write(directory.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    directory
}

fn fingerprint(checkpoint: &Path) -> String {
    open(checkpoint, json!({})).unwrap().info().unwrap().fingerprint
}

#[test]
fn shards_are_the_same_model_and_every_one_counts() {
    let case = case("qwen2");
    let checkpoint = sharded(&case);
    let path = checkpoint.path();
    assert_eq!(logprobs(path, json!({})), logprobs(case.write().path(), json!({})));
    let before = fingerprint(path);
    let second = path.join("model-00002-of-00002.safetensors");
    let mut bytes = std::fs::read(&second).unwrap();
    let whole = bytes.clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&second, &bytes).unwrap();
    assert_ne!(fingerprint(path), before, "a byte of the second shard");

    std::fs::write(&second, &whole[..whole.len() - 1]).unwrap();
    let error = refusal(path);
    assert!(error.message.contains("model-00002-of-00002.safetensors` is not a complete safetensors file"), "{error}");
    std::fs::copy(path.join("model-00001-of-00002.safetensors"), &second).unwrap();
    let error = refusal(path);
    assert!(error.message.contains("model-00002-of-00002.safetensors` has no tensor `model."), "{error}");
    assert!(error.message.contains("model.safetensors.index.json"), "{error}");
    std::fs::remove_file(&second).unwrap();
    let error = refusal(path);
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.contains("no `model-00002-of-00002.safetensors` in the checkpoint"), "{error}");
    let index = path.join("model.safetensors.index.json");
    std::fs::write(&index, json!({ "weight_map": { "a": "../a.safetensors" } }).to_string()).unwrap();
    assert!(refusal(path).message.contains("finds `a` in `../a.safetensors`"));
    std::fs::write(&index, "{}").unwrap();
    assert!(refusal(path).message.contains("has no `weight_map`"));
    std::fs::remove_file(&index).unwrap();
    assert!(refusal(path).message.contains("no `model.safetensors` and no `model.safetensors.index.json`"));
}

pub(crate) fn refusal(checkpoint: &Path) -> PluginError {
    open(checkpoint, json!({})).err().expect("a checkpoint that is refused")
}

#[test]
fn what_is_wrong_with_a_checkpoint_is_said() {
    type Change = fn(&mut Weights);
    let table: [(&str, Change, &[&str]); 17] = [
        (
            "llama, llama3",
            |c| c.config["model_type"] = json!("rwkv"),
            &["`model_type: rwkv`", "`llama`", "`gpt_neox`", "by candle-transformers", "`mixtral`", "`mamba`"],
        ),
        ("llama, llama3", |c| drop(c.config.as_object_mut().unwrap().remove("hidden_size")), &["has no `hidden_size`"]),
        (
            "llama, llama3",
            |c| c.config["num_hidden_layers"] = json!("two"),
            &["`num_hidden_layers`", "found `\"two\"`"],
        ),
        ("llama, llama3", |c| c.config["num_key_value_heads"] = json!(3), &["multiple of `num_key_value_heads` (3)"]),
        (
            "llama, llama3",
            |c| c.config["rope_scaling"]["rope_type"] = json!("new"),
            &["`rope_type: new`", "llama3, yarn"],
        ),
        ("llama, llama3", |c| c.config["rope_scaling"]["factor"] = json!(null), &["has no `factor`"]),
        ("llama, llama3", |c| c.config["hidden_act"] = json!("mish"), &["`hidden_act: mish`", "silu"]),
        (
            "llama, llama3",
            |c| drop(c.tensors.remove("model.layers.1.self_attn.k_proj.bias")),
            &["model.safetensors` has no tensor `model.layers.1.self_attn.k_proj.bias` [16]"],
        ),
        (
            "mistral",
            |c| drop(c.tensors.insert("model.layers.0.mlp.up_proj.weight".into(), vec![32, 64])),
            &["tensor `model.layers.0.mlp.up_proj.weight`", "has the shape [32, 64]", "asks for [64, 32]"],
        ),
        (
            "qwen3",
            |c| drop(c.tensors.insert("model.layers.2.mlp.up_proj.weight".into(), vec![64, 32])),
            &["1 tensor that", "`model.layers.2.mlp.up_proj.weight`"],
        ),
        ("qwen2", |c| c.config["vocab_size"] = json!(100), &["the tokenizer has 257 tokens", "embeddings for 100"]),
        (
            "phi3",
            |c| c.config["rope_scaling"]["short_factor"] = json!([1]),
            &["`short_factor` must be 4 numbers", "found 1"],
        ),
        ("gemma3", |c| c.config["layer_types"] = json!(["full_attention"]), &["`layer_types`", "3 layers"]),
        ("gpt_neox, side", |c| c.config["num_attention_heads"] = json!(5), &["`hidden_size` (32)", "(5)"]),
        (
            "llama, llama3",
            |c| c.config["num_hidden_layers"] = json!(1_u64 << 40),
            &["`num_hidden_layers`", "below 2^31"],
        ),
        (
            "llama, llama3",
            |c| c.config["num_hidden_layers"] = json!(1 << 20),
            &["`num_hidden_layers`", "at most 10000"],
        ),
        (
            "llama, llama3",
            |c| c.config["head_dim"] = json!(1 << 30),
            &["`head_dim` must be at most 65536", "1073741824"],
        ),
    ];
    for (name, change, parts) in table {
        let mut case = case(name);
        change(&mut case);
        let checkpoint = case.write();
        let error = refusal(checkpoint.path());
        assert!(matches!(error.code, ErrorCode::BadInput | ErrorCode::Unsupported), "{error}");
        let message = error.to_string();
        let path = checkpoint.path().display().to_string();
        for part in parts.iter().copied().chain([path.as_str()]) {
            assert!(message.contains(part), "{name}: `{part}` is not in: {message}");
        }
    }
}
