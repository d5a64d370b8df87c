//! GPT-2's `config.json`.

use super::Activation;
use examiner_api::{PluginError, Result};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// A GPT-2's shape. Where `config.json` is silent, the values of Hugging Face's `GPT2Config` hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpt2Config {
    /// Number of tokens.
    pub vocab_size: usize,
    /// Longest sequence, in tokens.
    pub n_positions: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Number of blocks.
    pub n_layer: usize,
    /// Number of attention heads; a head is `n_embd / n_head` wide.
    pub n_head: usize,
    /// Width of the feed-forward block.
    pub n_inner: usize,
    /// The function between the layers of the feed-forward block.
    pub activation: Activation,
    /// Added to the variance.
    pub layer_norm_epsilon: f64,
    /// Whether the output head is the embedding of tokens.
    pub tie_word_embeddings: bool,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
}

/// The fields of the file.
#[derive(Deserialize)]
#[serde(default)]
struct File {
    vocab_size: usize,
    n_positions: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: Option<usize>,
    activation_function: String,
    layer_norm_epsilon: f64,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    add_cross_attention: bool,
    tie_word_embeddings: bool,
}

impl Default for File {
    fn default() -> Self {
        File {
            vocab_size: 50257,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: "gelu_new".to_owned(),
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            add_cross_attention: false,
            tie_word_embeddings: true,
        }
    }
}

/// The sizes, and the largest that anybody could mean: what is larger would only fill the memory.
const SIZES: [(&str, u64); 6] = [
    ("vocab_size", 1 << 31),
    ("n_positions", 1 << 31),
    ("n_embd", 1 << 24),
    ("n_layer", 10_000),
    ("n_head", 1 << 24),
    ("n_inner", 1 << 31),
];

/// Refuses numbers that are none, by name.
fn check_numbers(config: &Value, path: &Path) -> Result<()> {
    let wrong = |name: &str, expected: &str, found: &Value| {
        PluginError::bad_input(format!("`{}`: `{name}` must be {expected}, found `{found}`", path.display()))
    };
    // The width of the feed-forward block may be left open.
    let given = |name: &str| config.get(name).filter(|value| name != "n_inner" || !value.is_null());
    for (name, most) in SIZES {
        match given(name) {
            Some(value) if value.as_u64().is_none_or(|size| size == 0 || size > most) => {
                return Err(wrong(name, &format!("a whole number from 1 to {most}"), value));
            }
            _ => {}
        }
    }
    let epsilon = "layer_norm_epsilon";
    match given(epsilon).filter(|value| !value.is_number()) {
        Some(value) => Err(wrong(epsilon, "a number", value)),
        None => Ok(()),
    }
}

impl Gpt2Config {
    /// Reads `config.json`. `path` is for messages.
    ///
    /// # Errors
    /// `BadInput` for values that make no sense, `Unsupported` for those that this code cannot do.
    pub fn read(config: &Value, path: &Path) -> Result<Self> {
        check_numbers(config, path)?;
        let path = path.display();
        let file = File::deserialize(config).map_err(|error| {
            PluginError::bad_input(format!("`{path}` is not a GPT-2 configuration")).with_cause(&error)
        })?;
        if !file.n_embd.is_multiple_of(file.n_head) {
            return Err(PluginError::bad_input(format!(
                "`{path}`: `n_embd` ({}) must be a multiple of `n_head` ({})",
                file.n_embd, file.n_head
            )));
        }
        if file.add_cross_attention {
            return Err(PluginError::unsupported(format!("`{path}`: `add_cross_attention` is not supported")));
        }
        let activation = Activation::named(&file.activation_function).ok_or_else(|| {
            PluginError::unsupported(format!(
                "`{path}`: `activation_function: {}` is not supported; these are: {}",
                file.activation_function,
                Activation::NAMES
            ))
        })?;
        Ok(Gpt2Config {
            vocab_size: file.vocab_size,
            n_positions: file.n_positions,
            n_embd: file.n_embd,
            n_layer: file.n_layer,
            n_head: file.n_head,
            n_inner: file.n_inner.unwrap_or(4 * file.n_embd),
            activation,
            layer_norm_epsilon: file.layer_norm_epsilon,
            tie_word_embeddings: file.tie_word_embeddings,
            scale_attn_weights: file.scale_attn_weights,
            scale_attn_by_inverse_layer_idx: file.scale_attn_by_inverse_layer_idx,
        })
    }

    /// What a layer's attention scores are multiplied by.
    pub fn attention_scale(&self, layer: usize) -> f32 {
        let mut scale = 1.0;
        if self.scale_attn_weights {
            scale /= ((self.n_embd / self.n_head) as f32).sqrt();
        }
        if self.scale_attn_by_inverse_layer_idx {
            scale /= (layer + 1) as f32;
        }
        scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn silence_means_the_small_gpt2() {
        let config = Gpt2Config::read(&json!({ "n_inner": null }), "c".as_ref()).unwrap();
        assert_eq!((config.n_embd, config.n_inner, config.vocab_size), (768, 3072, 50257));
        assert_eq!(config.attention_scale(3), 0.125);
        let scaled = json!({ "scale_attn_weights": false, "scale_attn_by_inverse_layer_idx": true });
        assert_eq!(Gpt2Config::read(&scaled, "c".as_ref()).unwrap().attention_scale(3), 0.25);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let message = |config: Value| Gpt2Config::read(&config, "c".as_ref()).unwrap_err().to_string();
        assert!(message(json!({ "n_head": 7 })).contains("`n_embd` (768) must be a multiple of `n_head` (7)"));
        assert!(
            message(json!({ "n_layer": 0 })).contains("`n_layer` must be a whole number from 1 to 10000, found `0`")
        );
        assert!(message(json!({ "activation_function": "mish" })).contains("`activation_function: mish`"));
        assert!(message(json!({ "n_embd": "wide" })).contains("`n_embd` must be a whole number"));
        assert!(message(json!({ "scale_attn_weights": 1 })).contains("not a GPT-2 configuration"));
        assert!(message(json!({ "add_cross_attention": true })).contains("add_cross_attention"));
    }
}
