//! Small random checkpoints, and short ways to ask models.

use candle_core::{DType, Device, Tensor};
use examiner_api::testing::FakeHost;
use examiner_api::{
    Flow, GenerateRequest, GenerateResult, Model, Open, Response, Result, Sampling, ScoreRequest, ScoreResult,
};
use examiner_plugin_candle::{Candle, Options};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// What a checkpoint is made of. Change any of it before it is written.
#[derive(Clone)]
pub(crate) struct Tiny {
    pub(crate) config: Value,
    /// Names without `transformer.`.
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) prefix: bool,
    pub(crate) tokenizer: Value,
}

/// Byte-level tokens and `<|endoftext|>`.
pub(crate) const VOCABULARY: usize = 257;

impl Tiny {
    /// A GPT-2 of random weights. `changes` go into `config.json`.
    pub(crate) fn new(changes: Value) -> Tiny {
        let mut config = json!({
            "model_type": "gpt2", "vocab_size": VOCABULARY, "n_positions": 96, "n_embd": 24, "n_layer": 2, "n_head": 3,
            "n_inner": null, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
            "bos_token_id": 256, "eos_token_id": 256
        });
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let size = |name: &str| config[name].as_u64().unwrap() as usize;
        let (width, positions, vocabulary) = (size("n_embd"), size("n_positions"), size("vocab_size"));
        let inner = config["n_inner"].as_u64().map_or(4 * width, |inner| inner as usize);
        let mut tensors = BTreeMap::new();
        let mut add = |name: String, shape: &[usize], mean: f32, spread: f32| {
            let values = noise(shape.iter().product(), tensors.len() as u64 + 1);
            let values: Vec<f32> = values.into_iter().map(|value| mean + spread * value).collect();
            tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
        };
        add("wte.weight".into(), &[vocabulary, width], 0.0, 0.6);
        add("wpe.weight".into(), &[positions, width], 0.0, 0.3);
        for layer in 0..size("n_layer") {
            let products = [
                ("attn.c_attn", width, 3 * width),
                ("attn.c_proj", width, width),
                ("mlp.c_fc", width, inner),
                ("mlp.c_proj", inner, width),
            ];
            for (part, inputs, outputs) in products {
                add(format!("h.{layer}.{part}.weight"), &[inputs, outputs], 0.0, 0.4);
                add(format!("h.{layer}.{part}.bias"), &[outputs], 0.0, 0.2);
            }
            for part in ["ln_1", "ln_2"] {
                add(format!("h.{layer}.{part}.weight"), &[width], 1.0, 0.2);
                add(format!("h.{layer}.{part}.bias"), &[width], 0.0, 0.2);
            }
        }
        add("ln_f.weight".into(), &[width], 1.0, 0.2);
        add("ln_f.bias".into(), &[width], 0.0, 0.2);
        if config["tie_word_embeddings"] == json!(false) {
            add("lm_head.weight".into(), &[vocabulary, width], 0.0, 0.5);
        }
        Tiny { config, tensors, prefix: true, tokenizer: tokenizer() }
    }

    /// The same with weights rounded to another number type.
    pub(crate) fn rounded(mut self, dtype: DType) -> Tiny {
        self.tensors.values_mut().for_each(|tensor| *tensor = tensor.to_dtype(dtype).unwrap());
        self
    }

    /// The values of a tensor.
    pub(crate) fn values(&self, name: &str) -> Vec<f32> {
        self.tensors[name].to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    pub(crate) fn write(&self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, value: &Value| std::fs::write(dir.path().join(name), value.to_string()).unwrap();
        put("config.json", &self.config);
        put("tokenizer.json", &self.tokenizer);
        let prefix = |name: &str| if self.prefix && name != "lm_head.weight" { "transformer." } else { "" };
        let named: HashMap<String, Tensor> =
            self.tensors.iter().map(|(name, tensor)| (format!("{}{name}", prefix(name)), tensor.clone())).collect();
        candle_core::safetensors::save(&named, dir.path().join("model.safetensors")).unwrap();
        dir
    }
}

/// Numbers in [-1, 1) that look random.
fn noise(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..length).map(|_| next()).collect()
}

/// GPT-2's byte-level alphabet without any merges: the token of a byte is the byte, `<|endoftext|>` is 256.
pub(crate) fn tokenizer() -> Value {
    let mut spare = 256..;
    let letter = |byte: u32| match byte {
        33..=126 | 161..=172 | 174..=255 => char::from_u32(byte),
        _ => spare.next().and_then(char::from_u32),
    };
    let letters: Vec<char> = (0..256).map(letter).map(Option::unwrap).collect();
    let mut vocabulary: BTreeMap<String, usize> =
        letters.iter().enumerate().map(|(id, letter)| (letter.to_string(), id)).collect();
    vocabulary.insert("<|endoftext|>".to_owned(), 256);
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{ "id": 256, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true }],
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": [] }
    })
}

/// Opens the model; `options` beside the checkpoint.
pub(crate) fn open(checkpoint: &Path, options: Value) -> Result<Candle> {
    let mut all = json!({ "checkpoint": checkpoint });
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let options: Options = serde_json::from_value(all).unwrap();
    Candle::open(options, FakeHost::new().host())
}

fn collect<T: Send>(ask: impl FnOnce(&(dyn Fn(Response<T>) -> Flow + Sync)) -> Result<()>) -> BTreeMap<u64, T> {
    let results = Mutex::new(BTreeMap::new());
    ask(&|response: Response<T>| {
        let before = results.lock().unwrap().insert(response.id, response.result.unwrap());
        assert!(before.is_none(), "one response for each request");
        Flow::Continue
    })
    .unwrap();
    results.into_inner().unwrap()
}

/// Scores requests; results by id.
pub(crate) fn score(model: &mut Candle, requests: Vec<ScoreRequest>) -> BTreeMap<u64, ScoreResult> {
    collect(|sink| model.score(requests, &sink))
}

/// Generates answers; results by id.
pub(crate) fn generate(model: &mut Candle, requests: Vec<GenerateRequest>) -> BTreeMap<u64, GenerateResult> {
    collect(|sink| model.generate(requests, &sink))
}

/// A request for a score.
pub(crate) fn ask(id: u64, context: &str, continuation: &str) -> ScoreRequest {
    ScoreRequest { id, context: context.to_owned(), continuation: continuation.to_owned(), ..ScoreRequest::default() }
}

/// A request for a greedy answer.
pub(crate) fn prompt(id: u64, prompt: &str, max_new_tokens: u32) -> GenerateRequest {
    let sampling = Sampling { max_new_tokens, ..Sampling::default() };
    GenerateRequest { id, prompt: prompt.to_owned(), sampling, ..GenerateRequest::default() }
}

/// The shared reference data, where it is there.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = std::env::var_os("EXAMINER_SHARED").map_or_else(beside, PathBuf::from);
    if path.join("models/tiny-gpt2").is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no reference data; set `EXAMINER_SHARED` to its directory");
    None
}
