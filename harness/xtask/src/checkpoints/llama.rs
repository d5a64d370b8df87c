//! A Llama of random weights with a tokenizer of bytes.

use super::shapes::LlamaShape;
use super::tensors::{Tensor, serialize};
use super::tokenizers::write_bytes;
use crate::program::files::write;
use crate::sample::Random;
use anyhow::Result;
use serde_json::json;
use std::path::Path;

const SEED: u64 = 1;

/// Writes a checkpoint and returns its number of parameters. No token ends a text, so that answers have the longest
/// length that is allowed.
pub(crate) fn write_model(directory: &Path, shape: LlamaShape) -> Result<usize> {
    let LlamaShape { vocabulary, context, width, inner, layers, heads, kv_heads } = shape;
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary, "hidden_size": width,
        "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "max_position_embeddings": context, "rms_norm_eps": 1e-5, "hidden_act": "silu",
        "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false,
        "rope_parameters": { "rope_type": "default", "rope_theta": 10000.0 }, "bos_token_id": 0, "eos_token_id": null
    });
    write(&directory.join("config.json"), serde_json::to_string_pretty(&config)?)?;
    write_bytes(directory)?;
    let tensors = weights(shape);
    write(&directory.join("model.safetensors"), serialize(&tensors)?)?;
    Ok(tensors.iter().map(Tensor::len).sum())
}

fn weights(shape: LlamaShape) -> Vec<Tensor> {
    let LlamaShape { vocabulary, width, inner, layers, heads, kv_heads, .. } = shape;
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
    shapes
        .into_iter()
        .map(|(name, shape)| {
            let is_norm = shape.len() == 1;
            let values = 0..shape.iter().product::<usize>();
            // Norms are one; the other weights are drawn so widely that answers do not repeat themselves.
            Tensor::new(name, shape, values.map(|_| if is_norm { 1.0 } else { 0.04 * random.normal() }))
        })
        .collect()
}
