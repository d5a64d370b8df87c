//! A Llama of random weights and a tokenizer of bytes, to measure with.

use crate::process::write;
use crate::sample::Random;
use anyhow::Result;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};
use std::path::Path;

const SEED: u64 = 1;

/// The sizes of a Llama.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    pub(crate) width: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
}

/// Writes a checkpoint. No token ends a text, so that answers are as long as they may be. Its number of parameters.
pub(crate) fn write_model(directory: &Path, shape: Shape) -> Result<usize> {
    let Shape { vocabulary, context, width, inner, layers, heads, kv_heads } = shape;
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary, "hidden_size": width,
        "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "max_position_embeddings": context, "rms_norm_eps": 1e-5, "hidden_act": "silu",
        "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false,
        "rope_parameters": { "rope_type": "default", "rope_theta": 10000.0 }, "bos_token_id": 0, "eos_token_id": null
    });
    write(&directory.join("config.json"), serde_json::to_string_pretty(&config)?)?;
    write(&directory.join("tokenizer.json"), bytes().to_string())?;
    let (bytes, parameters) = weights(shape)?;
    write(&directory.join("model.safetensors"), bytes)?;
    Ok(parameters)
}

fn weights(shape: Shape) -> Result<(Vec<u8>, usize)> {
    let Shape { vocabulary, width, inner, layers, heads, kv_heads, .. } = shape;
    let keys = width / heads * kv_heads;
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![vocabulary, width]),
        ("lm_head.weight".to_owned(), vec![vocabulary, width]),
        ("model.norm.weight".to_owned(), vec![width]),
    ];
    for layer in 0..layers {
        for (name, shape) in [
            ("self_attn.q_proj", vec![width, width]),
            ("self_attn.k_proj", vec![keys, width]),
            ("self_attn.v_proj", vec![keys, width]),
            ("self_attn.o_proj", vec![width, width]),
            ("mlp.gate_proj", vec![inner, width]),
            ("mlp.up_proj", vec![inner, width]),
            ("mlp.down_proj", vec![width, inner]),
            ("input_layernorm", vec![width]),
            ("post_attention_layernorm", vec![width]),
        ] {
            shapes.push((format!("model.layers.{layer}.{name}.weight"), shape));
        }
    }
    let mut random = Random::new(SEED);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let values = 0..shape.iter().product::<usize>();
            // Norms are one; the rest is drawn so widely that answers do not run in a circle.
            let value = |_| if shape.len() == 1 { 1.0 } else { 0.04 * random.normal() };
            let bytes = values.map(value).flat_map(f32::to_le_bytes).collect();
            (name, shape, bytes)
        })
        .collect();
    let parameters = tensors.iter().map(|(_, shape, _)| shape.iter().product::<usize>()).sum();
    let views =
        tensors.iter().map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    Ok((safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None)?, parameters))
}

/// GPT-2's byte-level alphabet without any merges: the token of a byte is the byte.
fn bytes() -> Value {
    let mut spare = 256u32..;
    let mut vocabulary = Map::new();
    for byte in 0..256u32 {
        let letter = match byte {
            33..=126 | 161..=172 | 174..=255 => Some(byte),
            _ => spare.next(),
        };
        if let Some(letter) = letter.and_then(char::from_u32) {
            vocabulary.insert(letter.to_string(), byte.into());
        }
    }
    let level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [], "pre_tokenizer": level, "decoder": level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": [] }
    })
}
