//! Small random checkpoints, as Hugging Face's libraries write them.

mod gguf;
mod tokenizer;

pub use gguf::{Gguf, GgufItem, GgufTensor, gguf, smallest_gguf};
pub use tokenizer::{VOCABULARY, tokenizer, tokenizer_with};

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

pub use safetensors::Dtype;

/// A GPT-2 before it is written: change any part of it.
#[derive(Debug, Clone)]
pub struct TinyGpt2 {
    /// `config.json`.
    pub config: Value,
    /// The weights, under their names without `transformer.`.
    pub tensors: BTreeMap<String, Tensor>,
    /// Whether names in the file begin with `transformer.`.
    pub prefix: bool,
    /// `tokenizer.json`.
    pub tokenizer: Value,
}

/// A tensor as it is stored.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// The number type.
    pub dtype: Dtype,
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The numbers, little-endian.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of those values, rounded to `dtype`.
    pub fn new(dtype: Dtype, shape: &[usize], values: &[f32]) -> Tensor {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        let bytes = match dtype {
            Dtype::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
            Dtype::I64 => values.iter().flat_map(|value| (*value as i64).to_le_bytes()).collect(),
            Dtype::U8 => values.iter().map(|value| *value as u8).collect(),
            other => panic!("no test needs {other:?}"),
        };
        Tensor { dtype, shape: shape.to_vec(), bytes }
    }

    /// A tensor that holds one value everywhere.
    pub fn full(dtype: Dtype, shape: &[usize], value: f32) -> Tensor {
        Tensor::new(dtype, shape, &vec![value; shape.iter().product()])
    }

    /// A tensor of zeros.
    pub fn zeros(dtype: Dtype, shape: &[usize]) -> Tensor {
        Tensor::full(dtype, shape, 0.0)
    }

    /// Its numbers.
    pub fn values(&self) -> Vec<f32> {
        let bytes = &self.bytes;
        match self.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|number| f16::from_le_bytes(*number).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|number| bf16::from_le_bytes(*number).to_f32()).collect(),
            other => panic!("no test needs {other:?}"),
        }
    }
}

impl TinyGpt2 {
    /// A GPT-2 of random weights with two layers, three heads and a width of 24. `changes` go into `config.json`; the
    /// weights have the shapes that it then asks for.
    pub fn new(changes: Value) -> TinyGpt2 {
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
            tensors.insert(name, Tensor::new(Dtype::F32, shape, &values));
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
        TinyGpt2 { config, tensors, prefix: true, tokenizer: tokenizer() }
    }

    /// The same with weights rounded to another number type.
    pub fn rounded(mut self, dtype: Dtype) -> TinyGpt2 {
        let round = |tensor: &mut Tensor| *tensor = Tensor::new(dtype, &tensor.shape, &tensor.values());
        self.tensors.values_mut().for_each(round);
        self
    }

    /// The values of a tensor.
    pub fn values(&self, name: &str) -> Vec<f32> {
        self.tensors[name].values()
    }

    /// Writes it to a new directory.
    pub fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        self.write_to(directory.path());
        directory
    }

    /// Writes it to an existing directory.
    pub fn write_to(&self, directory: &Path) {
        let write = |name: &str, content: &[u8]| std::fs::write(directory.join(name), content).unwrap();
        write("config.json", self.config.to_string().as_bytes());
        write("tokenizer.json", self.tokenizer.to_string().as_bytes());
        write("model.safetensors", &self.safetensors());
    }

    /// The bytes of `model.safetensors`.
    pub fn safetensors(&self) -> Vec<u8> {
        let prefix = |name: &str| if self.prefix && name != "lm_head.weight" { "transformer." } else { "" };
        serialize(self.tensors.iter().map(|(name, tensor)| (format!("{}{name}", prefix(name)), tensor)))
    }
}

/// The bytes of a safetensors file.
pub fn serialize<'a>(tensors: impl IntoIterator<Item = (String, &'a Tensor)>) -> Vec<u8> {
    let view = |tensor: &'a Tensor| TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap();
    safetensors::serialize(tensors.into_iter().map(|(name, tensor)| (name, view(tensor))), None).unwrap()
}

/// Numbers in [-1, 1) that look random.
pub fn noise(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..length).map(|_| next()).collect()
}
