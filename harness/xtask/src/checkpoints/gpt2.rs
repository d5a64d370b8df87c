//! A GPT-2 of any size with random weights.

use super::shapes::Gpt2Shape;
use super::tensors::{Tensor, serialize};
use crate::program::files::write;
use crate::sample::Random;
use anyhow::Result;
use serde_json::json;
use std::path::Path;

const SEED: u64 = 1;

/// Writes a model of random weights, without a tokenizer. `end` is the token that begins and ends a text.
pub(crate) fn write_model(directory: &Path, shape: Gpt2Shape, end: u32) -> Result<()> {
    let Gpt2Shape { vocabulary, context, width, layers, heads } = shape;
    let config = json!({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "vocab_size": vocabulary, "n_positions": context, "n_embd": width, "n_layer": layers, "n_head": heads,
        "n_inner": null, "layer_norm_epsilon": 1e-5, "tie_word_embeddings": true, "initializer_range": 0.02,
        "bos_token_id": end, "eos_token_id": end
    });
    let generation = json!({ "bos_token_id": end, "eos_token_id": end });
    write(&directory.join("config.json"), serde_json::to_string_pretty(&config)?)?;
    write(&directory.join("generation_config.json"), serde_json::to_string_pretty(&generation)?)?;
    write(&directory.join("model.safetensors"), weights(shape)?)
}

/// GPT-2's own initialization: weights from a normal distribution of deviation 0.02, those that add to the residual stream
/// divided by the square root of how many there are; biases 0, norms 1.
fn weights(shape: Gpt2Shape) -> Result<Vec<u8>> {
    let Gpt2Shape { vocabulary, context, width, layers, .. } = shape;
    let mut random = Random::new(SEED);
    let mut tensors = Vec::new();
    let residual = 0.02 / (2.0 * layers as f32).sqrt();
    let mut normal = |name: &str, shape: &[usize], deviation: f32| {
        let values = (0..shape.iter().product()).map(|_| random.normal() * deviation);
        tensors.push(Tensor::new(name.to_owned(), shape.to_vec(), values));
    };
    normal("wte.weight", &[vocabulary, width], 0.02);
    normal("wpe.weight", &[context, width], 0.02);
    for layer in 0..layers {
        normal(&format!("h.{layer}.attn.c_attn.weight"), &[width, 3 * width], 0.02);
        normal(&format!("h.{layer}.attn.c_proj.weight"), &[width, width], residual);
        normal(&format!("h.{layer}.mlp.c_fc.weight"), &[width, 4 * width], 0.02);
        normal(&format!("h.{layer}.mlp.c_proj.weight"), &[4 * width, width], residual);
    }
    let mut constant = |name: &str, length: usize, value: f32| {
        tensors.push(Tensor::new(name.to_owned(), vec![length], std::iter::repeat_n(value, length)));
    };
    for layer in 0..layers {
        constant(&format!("h.{layer}.attn.c_attn.bias"), 3 * width, 0.0);
        constant(&format!("h.{layer}.attn.c_proj.bias"), width, 0.0);
        constant(&format!("h.{layer}.mlp.c_fc.bias"), 4 * width, 0.0);
        constant(&format!("h.{layer}.mlp.c_proj.bias"), width, 0.0);
        for norm in ["ln_1", "ln_2"] {
            constant(&format!("h.{layer}.{norm}.weight"), width, 1.0);
            constant(&format!("h.{layer}.{norm}.bias"), width, 0.0);
        }
    }
    constant("ln_f.weight", width, 1.0);
    constant("ln_f.bias", width, 0.0);
    serialize(&tensors)
}
