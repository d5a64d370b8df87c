//! A model's sizes, read from the `config.json` beside it.

use examiner_api::{PluginError, Result};
use serde_json::Value;
use std::path::Path;

/// What keys, values and logits are shaped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) layers: usize,
    /// Heads of keys and values; of queries there may be more.
    pub(crate) heads: usize,
    pub(crate) head_width: usize,
    pub(crate) vocabulary: usize,
    /// Longest sequence, in tokens.
    pub(crate) context_length: usize,
}

/// How many positions a token sees at most in some of the layers, its own included, where `config.json` says so.
pub(crate) fn window(config: &Value) -> Option<usize> {
    let is_used = config.get("use_sliding_window").and_then(Value::as_bool) != Some(false);
    let window = config.get("sliding_window").filter(|_| is_used)?.as_u64()?;
    usize::try_from(window).ok().filter(|window| *window > 0)
}

impl Shape {
    /// Reads the sizes by any of the names that families of models give them. `path` is for messages.
    ///
    /// # Errors
    /// `BadInput` if one is missing or no positive number.
    pub(crate) fn read(config: &Value, path: &Path) -> Result<Shape> {
        let optional = |names: &[&str]| -> Result<Option<usize>> {
            let Some((name, value)) =
                names.iter().find_map(|name| Some((name, config.get(name).filter(|value| !value.is_null())?)))
            else {
                return Ok(None);
            };
            match value.as_u64().and_then(|value| usize::try_from(value).ok()).filter(|&value| value > 0) {
                Some(value) => Ok(Some(value)),
                None => Err(PluginError::bad_input(format!(
                    "`{name}` in `{}`: expected a positive whole number, found {value}",
                    path.display()
                ))),
            }
        };
        let needed = |names: &[&str]| {
            optional(names)?.ok_or_else(|| {
                PluginError::bad_input(format!("`{}` has none of `{}`", path.display(), names.join("`, `")))
                    .with_help("the `config.json` of the model that was exported must lie beside the ONNX file")
            })
        };
        let attention_heads = needed(&["num_attention_heads", "n_head", "num_heads"])?;
        let head_width = match optional(&["head_dim"])? {
            Some(width) => width,
            None => needed(&["hidden_size", "n_embd", "d_model"])? / attention_heads,
        };
        Ok(Shape {
            layers: needed(&["num_hidden_layers", "n_layer", "num_layers"])?,
            heads: optional(&["num_key_value_heads"])?.unwrap_or(attention_heads),
            head_width,
            vocabulary: needed(&["vocab_size"])?,
            context_length: needed(&["n_positions", "max_position_embeddings", "n_ctx", "max_seq_len"])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_window_counts_unless_it_is_not_used() {
        assert_eq!(window(&json!({ "sliding_window": 512 })), Some(512));
        assert_eq!(window(&json!({ "sliding_window": 512, "use_sliding_window": true })), Some(512));
        for none in [
            json!({}),
            json!({ "sliding_window": null }),
            json!({ "sliding_window": 512, "use_sliding_window": false }),
        ] {
            assert_eq!(window(&none), None);
        }
    }

    #[test]
    fn names_of_gpt2_and_of_llama() {
        let read = |config: Value| Shape::read(&config, "config.json".as_ref());
        let gpt2 = json!({ "n_layer": 2, "n_head": 3, "n_embd": 24, "vocab_size": 257, "n_positions": 96 });
        let expected = Shape { layers: 2, heads: 3, head_width: 8, vocabulary: 257, context_length: 96 };
        assert_eq!(read(gpt2.clone()).unwrap(), expected);
        let llama = json!({
            "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 8, "hidden_size": 60,
            "vocab_size": 257, "max_position_embeddings": 96
        });
        assert_eq!(read(llama).unwrap(), expected);
        let mut wrong = gpt2.clone();
        wrong["n_layer"] = json!(0);
        assert!(read(wrong).unwrap_err().message.contains("`n_layer` in `config.json`: expected a positive"));
        let mut missing = gpt2;
        missing.as_object_mut().unwrap().remove("n_positions");
        assert!(read(missing).unwrap_err().message.contains("none of `n_positions`, `max_position_embeddings`"));
    }
}
