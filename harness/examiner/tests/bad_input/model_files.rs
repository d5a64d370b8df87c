//! The files of a model that would be good: a GPT-2 or a Llama of one small layer.

use super::World;
use examiner_test_support::checkpoint::{Dtype, Tensor, TinyGpt2, serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Width, tokens and longest sequence of the model.
pub(super) const WIDTH: usize = 8;
pub(super) const TOKENS: usize = 6;
pub(super) const POSITIONS: usize = 64;

/// A checkpoint. Change any of it before it is written.
pub(super) struct Checkpoint {
    pub(super) config: Value,
    pub(super) tokenizer: Value,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    pub(super) fn good() -> Self {
        let TinyGpt2 { config, tensors, .. } = TinyGpt2::new(json!({
            "vocab_size": TOKENS, "n_positions": POSITIONS, "n_embd": WIDTH, "n_layer": 1, "n_head": 2, "bos_token_id": 0,
            "eos_token_id": 0
        }));
        let tensors = tensors.into_iter().map(|(name, tensor)| (format!("transformer.{name}"), tensor)).collect();
        Checkpoint { config, tokenizer: tokenizer(&["<end>", "<unk>", "one", "two", "three", "four"]), tensors }
    }

    /// A Llama of the same size.
    pub(super) fn llama() -> Self {
        let config = json!({
            "model_type": "llama", "vocab_size": TOKENS, "hidden_size": WIDTH, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
            "max_position_embeddings": POSITIONS, "rms_norm_eps": 1e-6, "bos_token_id": 0, "eos_token_id": 0,
            "tie_word_embeddings": true
        });
        let tensors = [
            ("embed_tokens", vec![TOKENS, WIDTH]),
            ("norm", vec![WIDTH]),
            ("layers.0.input_layernorm", vec![WIDTH]),
            ("layers.0.post_attention_layernorm", vec![WIDTH]),
            ("layers.0.self_attn.q_proj", vec![WIDTH, WIDTH]),
            ("layers.0.self_attn.k_proj", vec![WIDTH / 2, WIDTH]),
            ("layers.0.self_attn.v_proj", vec![WIDTH / 2, WIDTH]),
            ("layers.0.self_attn.o_proj", vec![WIDTH, WIDTH]),
            ("layers.0.mlp.gate_proj", vec![16, WIDTH]),
            ("layers.0.mlp.up_proj", vec![16, WIDTH]),
            ("layers.0.mlp.down_proj", vec![WIDTH, 16]),
        ];
        let tensor =
            |(name, shape): &(&str, Vec<usize>)| (format!("model.{name}.weight"), Tensor::zeros(Dtype::F32, shape));
        Checkpoint { config, tensors: tensors.iter().map(tensor).collect(), ..Self::good() }
    }

    pub(super) fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.get_mut(&format!("transformer.{name}")).unwrap()
    }

    /// Writes it to `model` in the row's directory.
    pub(super) fn write(&self, world: World) -> World {
        let world = world.with("model/config.json", self.config.to_string());
        let world = world.with("model/tokenizer.json", self.tokenizer.to_string());
        world.with("model/model.safetensors", self.safetensors())
    }

    /// The bytes of its weights.
    pub(super) fn safetensors(&self) -> Vec<u8> {
        serialize(self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor)))
    }
}

/// A tokenizer that knows these words; the first is special, the second stands for all others.
pub(super) fn tokenizer(words: &[&str]) -> Value {
    let vocabulary: Value = words.iter().zip(0..).map(|(word, id)| ((*word).to_owned(), json!(id))).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "decoder": null, "pre_tokenizer": { "type": "Whitespace" },
        "added_tokens": [{ "id": 0, "content": words[0], "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true }],
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": words[1] }
    })
}

/// A safetensors file of any header.
pub(super) fn with_header(header: &str, values: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), values].concat()
}
