//! The GGUF format, version 3.

use super::{Dtype, Tensor, tokenizer_with};
use serde_json::Value;

/// A GGUF file before it is written: change any part of it.
#[derive(Debug, Clone, Default)]
pub struct Gguf {
    /// The metadata.
    pub items: Vec<(String, GgufItem)>,
    /// The tensors.
    pub tensors: Vec<GgufTensor>,
}

/// A value of the metadata.
#[derive(Debug, Clone)]
pub enum GgufItem {
    /// 16 bits.
    U16(u16),
    /// 32 bits.
    U32(u32),
    /// 32 bits, with a sign.
    I32(i32),
    /// 32 bits.
    F32(f32),
    /// A truth.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list of numbers of 32 bits, with signs.
    I32s(Vec<i32>),
    /// A list of numbers of 32 bits.
    F32s(Vec<f32>),
    /// A list of texts.
    Texts(Vec<String>),
}

/// A tensor as it is stored.
#[derive(Debug, Clone)]
pub struct GgufTensor {
    /// Its name.
    pub name: String,
    /// The size of each axis, the slowest first.
    pub shape: Vec<usize>,
    /// The number of its type: 0 for F32.
    pub kind: u32,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl GgufItem {
    fn kind(&self) -> u32 {
        match self {
            GgufItem::U16(_) => 2,
            GgufItem::U32(_) => 4,
            GgufItem::I32(_) => 5,
            GgufItem::F32(_) => 6,
            GgufItem::Bool(_) => 7,
            GgufItem::Text(_) => 8,
            GgufItem::I32s(_) | GgufItem::F32s(_) | GgufItem::Texts(_) => 9,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let list = |kind: u32, count: usize, bytes: Vec<u8>| {
            [&kind.to_le_bytes()[..], &(count as u64).to_le_bytes(), &bytes].concat()
        };
        match self {
            GgufItem::U16(value) => value.to_le_bytes().into(),
            GgufItem::U32(value) => value.to_le_bytes().into(),
            GgufItem::I32(value) => value.to_le_bytes().into(),
            GgufItem::F32(value) => value.to_le_bytes().into(),
            GgufItem::Bool(value) => vec![u8::from(*value)],
            GgufItem::Text(value) => text(value),
            GgufItem::I32s(values) => {
                list(5, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            GgufItem::F32s(values) => {
                list(6, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            GgufItem::Texts(values) => list(8, values.len(), values.iter().flat_map(|value| text(value)).collect()),
        }
    }
}

impl GgufTensor {
    /// A tensor of numbers in 32 bits.
    pub fn new(name: &str, tensor: &Tensor) -> GgufTensor {
        let tensor = Tensor::new(Dtype::F32, &tensor.shape, &tensor.values());
        GgufTensor { name: name.to_owned(), shape: tensor.shape, kind: 0, bytes: tensor.bytes }
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

impl Gguf {
    /// Adds a value, or puts it in place of the one that is there.
    pub fn set(&mut self, key: &str, item: GgufItem) {
        self.items.retain(|(other, _)| other != key);
        self.items.push((key.to_owned(), item));
    }

    /// Takes a value away.
    pub fn remove(&mut self, key: &str) {
        self.items.retain(|(other, _)| other != key);
    }

    /// Describes a `tokenizer.json` with a byte-level BPE that cuts texts as `pre` names it.
    pub fn set_tokenizer(&mut self, tokenizer: &Value, pre: &str) {
        let model = &tokenizer["model"];
        let mut tokens = vec![String::new(); model["vocab"].as_object().unwrap().len()];
        for (token, id) in model["vocab"].as_object().unwrap() {
            tokens[id.as_u64().unwrap() as usize] = token.clone();
        }
        let mut kinds = vec![1; tokens.len()];
        for added in tokenizer["added_tokens"].as_array().unwrap() {
            let id = added["id"].as_u64().unwrap() as usize;
            tokens.resize(tokens.len().max(id + 1), String::new());
            kinds.resize(tokens.len(), 1);
            tokens[id] = added["content"].as_str().unwrap().to_owned();
            kinds[id] = if added["special"] == true { 3 } else { 4 };
        }
        let merge = |merge: &Value| match merge {
            Value::String(text) => text.clone(),
            pair => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        };
        let merges = model["merges"].as_array().unwrap().iter().map(merge).collect();
        self.set("tokenizer.ggml.model", GgufItem::Text("gpt2".to_owned()));
        self.set("tokenizer.ggml.pre", GgufItem::Text(pre.to_owned()));
        self.set("tokenizer.ggml.tokens", GgufItem::Texts(tokens));
        self.set("tokenizer.ggml.token_type", GgufItem::I32s(kinds));
        self.set("tokenizer.ggml.merges", GgufItem::Texts(merges));
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.items.len() as u64).to_le_bytes());
        for (key, item) in &self.items {
            file.extend(text(key));
            file.extend(item.kind().to_le_bytes());
            file.extend(item.bytes());
        }
        let mut offset = 0_u64;
        for tensor in &self.tensors {
            file.extend(text(&tensor.name));
            file.extend((tensor.shape.len() as u32).to_le_bytes());
            // The fastest axis stands first.
            file.extend(tensor.shape.iter().rev().flat_map(|size| (*size as u64).to_le_bytes()));
            file.extend(tensor.kind.to_le_bytes());
            file.extend(offset.to_le_bytes());
            offset += (tensor.bytes.len() as u64).next_multiple_of(32);
        }
        for tensor in &self.tensors {
            file.resize(file.len().next_multiple_of(32), 0);
            file.extend(&tensor.bytes);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        file
    }
}

/// The smallest Llama that has every part: one layer, a width of 4, bytes and one merge for tokens, all tensors in 32 bits.
pub fn smallest_gguf() -> Gguf {
    let mut gguf = Gguf::default();
    gguf.set("general.architecture", GgufItem::Text("llama".to_owned()));
    for (key, value) in [
        ("embedding_length", 4),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("feed_forward_length", 8),
        ("block_count", 1),
        ("context_length", 16),
    ] {
        gguf.set(&format!("llama.{key}"), GgufItem::U32(value));
    }
    gguf.set("llama.attention.layer_norm_rms_epsilon", GgufItem::F32(1e-6));
    gguf.set_tokenizer(&tokenizer_with(&[("a", "n")]), "gpt-2");
    gguf.set("tokenizer.ggml.eos_token_id", GgufItem::U32(0));
    let tensors: [(&str, &[usize]); 12] = [
        ("token_embd", &[258, 4]),
        ("output_norm", &[4]),
        ("rope_freqs", &[1]),
        ("blk.0.attn_norm", &[4]),
        ("blk.0.attn_q", &[4, 4]),
        ("blk.0.attn_k", &[2, 4]),
        ("blk.0.attn_v", &[2, 4]),
        ("blk.0.attn_output", &[4, 4]),
        ("blk.0.ffn_norm", &[4]),
        ("blk.0.ffn_gate", &[8, 4]),
        ("blk.0.ffn_up", &[8, 4]),
        ("blk.0.ffn_down", &[4, 8]),
    ];
    let ones = |(name, shape): (&str, &[usize])| {
        GgufTensor::new(&format!("{name}.weight"), &Tensor::full(Dtype::F32, shape, 1.0))
    };
    gguf.tensors = tensors.into_iter().map(ones).collect();
    gguf
}

/// The bytes of [`smallest_gguf`].
pub fn gguf() -> Vec<u8> {
    smallest_gguf().bytes()
}
