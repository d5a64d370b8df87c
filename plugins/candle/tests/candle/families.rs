//! Every family with its options: agrees with transformers, not a bit depends on how requests are put together, and what
//! is wrong with a checkpoint is said.

use crate::exactness::{Bits, options, score_bits};
use crate::open;
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{Device, Tensor};
use examiner_api::{ErrorCode, GenerateRequest, Model, PluginError, ScoreRequest, Span};
use examiner_test_support::checkpoint::{serialize, tokenizer};
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
fn case(name: &str) -> Weights {
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

/// The names that GGUF files give to Llama's tensors.
fn gguf_name(name: &str) -> String {
    let parts = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers", "blk"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    parts.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// A GGUF file of a case, as converters write it: Llama's pairs of rotated values side by side. Its path, within a
/// directory that holds the tokenizer.
fn write_gguf(case: &Weights, architecture: &str, matrices: GgmlDType) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tokenizer.json"), tokenizer().to_string()).unwrap();
    std::fs::write(directory.path().join("config.json"), case.config.to_string()).unwrap();
    let size = |name: &str| case.config[name].as_u64().unwrap() as u32;
    let heads = |name: &str| match name {
        _ if architecture != "llama" => None,
        _ if name.contains("q_proj") => Some(size("num_attention_heads") as usize),
        _ if name.contains("k_proj") => Some(size("num_key_value_heads") as usize),
        _ => None,
    };
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    for (name, tensor) in case.tensors() {
        let tensor = Tensor::from_vec(tensor.values(), tensor.shape, &Device::Cpu).unwrap();
        let tensor = match heads(&name) {
            Some(heads) => {
                let half = tensor.dims()[0] / heads / 2;
                let apart = tensor.reshape((heads, 2, half, ())).unwrap().transpose(1, 2).unwrap();
                apart.contiguous().unwrap().reshape(tensor.dims()).unwrap()
            }
            None => tensor,
        };
        // Vectors are not quantized.
        let dtype = if tensor.dims().len() == 2 { matrices } else { GgmlDType::F32 };
        tensors.push((gguf_name(&name), QTensor::quantize(&tensor, dtype).unwrap()));
    }
    if let Some(scaling) = case.config.get("rope_scaling").filter(|scaling| scaling["rope_type"] == "llama3") {
        let factors = llama3_factors(&case.config, scaling);
        let factors = Tensor::new(factors, &Device::Cpu).unwrap();
        tensors.push(("rope_freqs.weight".to_owned(), QTensor::quantize(&factors, GgmlDType::F32).unwrap()));
    }
    let mut metadata = vec![("general.architecture".to_owned(), gguf_file::Value::String(architecture.to_owned()))];
    let mut put = |name: &str, value| metadata.push((format!("{architecture}.{name}"), value));
    for (name, from) in [
        ("embedding_length", "hidden_size"),
        ("block_count", "num_hidden_layers"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
        ("context_length", "max_position_embeddings"),
    ] {
        put(name, gguf_file::Value::U32(size(from)));
    }
    if case.config["head_dim"].is_u64() {
        put("attention.key_length", gguf_file::Value::U32(size("head_dim")));
    }
    put("rope.freq_base", gguf_file::Value::F32(theta(&case.config) as f32));
    let metadata: Vec<(&str, &gguf_file::Value)> =
        metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = std::fs::File::create(directory.path().join("model.gguf")).unwrap();
    gguf_file::write(&mut file, &metadata, &tensors).unwrap();
    directory
}

fn theta(config: &Value) -> f64 {
    config["rope_theta"].as_f64().unwrap_or_else(|| config["rope_parameters"]["rope_theta"].as_f64().unwrap())
}

/// By what Llama 3.1's rotation divides each frequency.
fn llama3_factors(config: &Value, scaling: &Value) -> Vec<f32> {
    let width = config["hidden_size"].as_f64().unwrap() / config["num_attention_heads"].as_f64().unwrap();
    let number = |name: &str| scaling[name].as_f64().unwrap();
    let (factor, low, high) = (number("factor"), number("low_freq_factor"), number("high_freq_factor"));
    let divisor = |pair: usize| {
        let turns = number("original_max_position_embeddings") / std::f64::consts::TAU
            * theta(config).powf(-2.0 * pair as f64 / width);
        let share = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        1.0 / ((1.0 - share) / factor + share)
    };
    (0..width as usize / 2).map(|pair| divisor(pair) as f32).collect()
}

#[test]
fn gguf_files_are_the_same_models() {
    let (mut llama, mut qwen) = (case("llama, llama3"), case("qwen3"));
    // Such biases, and such numbers of yarn's, GGUF has no names for.
    for case in [&mut llama, &mut qwen] {
        case.tensors.retain(|name, _| !name.ends_with("bias"));
        case.config["attention_bias"] = json!(false);
    }
    llama.config["mlp_bias"] = json!(false);
    qwen.config["rope_parameters"] = json!({ "rope_type": "default", "rope_theta": 1000.0 });
    let mut qwen2 = case("qwen2");
    for name in ["use_sliding_window", "rope_scaling"] {
        qwen2.config.as_object_mut().unwrap().remove(name);
    }
    for (architecture, case) in [("llama", llama), ("qwen3", qwen), ("qwen2", qwen2)] {
        let expected: Vec<f64> = logprobs(case.write().path(), json!({})).into_iter().map(f64::from).collect();
        let gguf = write_gguf(&case, architecture, GgmlDType::F32);
        let whole = worst(&logprobs(&gguf.path().join("model.gguf"), json!({})), &expected);
        assert!(whole < 1e-4, "{architecture}: off by {whole}");
        // The bits that eight-bit blocks keep; a wrong scale or order would be far off.
        let gguf = write_gguf(&case, architecture, GgmlDType::Q8_0);
        let quantized = worst(&logprobs(&gguf.path().join("model.gguf"), json!({})), &expected);
        assert!(quantized > 1e-4 && quantized < 1.0, "{architecture}: off by {quantized}");
    }
}

#[test]
fn what_is_wrong_with_a_gguf_file() {
    let case = case("llama, linear");
    let gguf = write_gguf(&case, "mamba", GgmlDType::F32);
    let path = gguf.path().join("model.gguf");
    let error = refusal(&path);
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(error.message.contains("`general.architecture: mamba`") && error.message.contains("`llama`"), "{error}");
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 3, 30, 200] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = refusal(&path);
        assert_eq!(error.code, ErrorCode::BadInput, "cut off at {length}: {error}");
        assert!(error.message.contains("is not a GGUF file that can be read"), "{error}");
    }
    let whole = write_gguf(&case, "llama", GgmlDType::F32);
    let path = whole.path().join("model.gguf");
    let bytes = std::fs::read(&path).unwrap();
    for (key, value, said) in [
        ("llama.attention.head_count", 0_u32, "expected `llama.attention.head_count` to be a positive whole number"),
        ("llama.block_count", u32::MAX, "expected `llama.block_count` to be a positive whole number below 2^31"),
        ("llama.block_count", 1 << 30, "`num_hidden_layers` must be at most 10000"),
    ] {
        // Behind the key stand its type and its value, four bytes each.
        let value_at = key.len() + 4 + bytes.windows(key.len()).position(|bytes| bytes == key.as_bytes()).unwrap();
        let mut changed = bytes.clone();
        changed[value_at..value_at + 4].copy_from_slice(&value.to_le_bytes());
        std::fs::write(&path, changed).unwrap();
        let error = refusal(&path);
        assert_eq!(error.code, ErrorCode::BadInput, "{error}");
        assert!(error.message.contains(said), "{error}");
    }
    let mut less = case.clone();
    less.tensors.remove("model.layers.1.mlp.up_proj.weight");
    let gguf = write_gguf(&less, "llama", GgmlDType::F32);
    let error = refusal(&gguf.path().join("model.gguf"));
    assert!(error.message.contains("has no tensor `blk.1.ffn_up.weight` [64, 32]"), "{error}");
    std::fs::remove_file(gguf.path().join("tokenizer.json")).unwrap();
    assert!(refusal(&gguf.path().join("model.gguf")).message.contains("no `tokenizer.json`"));
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
