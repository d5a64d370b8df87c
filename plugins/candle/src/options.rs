//! The options of the model in a suite.

use crate::device::NumberType;
use examiner_api::schemars::{self, JsonSchema};
use examiner_lm::LocalOptions;
use examiner_lm::chat::{ChatOptions, ChatUse};
use serde::Deserialize;

/// A local language model on candle.
///
/// The limits are those of [`LocalOptions`] and conversations those of [`ChatOptions`], written out because unknown keys could not be refused otherwise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Options {
    /// A directory with `config.json`, `tokenizer.json` and `model.safetensors` (or shards and their index), or
    /// `hf://org/name`; or a `.gguf` file with `tokenizer.json` beside it.
    #[schemars(extend("x-model-types" = crate::families::names()))]
    pub checkpoint: String,
    /// `auto` (a GPU if this build can use one and there is one, else the CPU), `cpu`, `cuda`, `cuda:N` with the number
    /// of a GPU, or `cpu-candle` (candle's own operations on the CPU: slower, and results depend on the batch in their
    /// last digits; to compare with).
    #[serde(default = "auto")]
    pub device: String,
    /// The number type that weights are rounded to and kept in: `f32`, `f16`, `bf16`, or on the CPU `int8`, where the
    /// weights of linear layers are whole numbers with a scale for each output. On the CPU arithmetic is in 32 bits
    /// whatever it is. Fewer bits take less memory, and less time where few sequences are computed at the same time; all
    /// but `f32` change scores, unless the file has no more bits: see by how much with both in one suite and
    /// `examiner compare`.
    #[serde(default)]
    pub dtype: NumberType,
    /// Most tokens in one pass through the model. More is faster up to a point, and takes memory for activations.
    #[serde(default = "max_batch_tokens")]
    #[schemars(range(min = 1))]
    pub max_batch_tokens: usize,
    /// Most sequences computed at the same time.
    #[serde(default = "max_sequences")]
    #[schemars(range(min = 1))]
    pub max_sequences: usize,
    /// Most positions whose keys and values are kept, all sequences together; never less than one whole context. If not
    /// given: as many as fit into 2 GiB.
    #[serde(default)]
    pub max_cache_tokens: Option<usize>,
    /// Whether what several sequences begin with is computed once.
    #[serde(default = "share_prefixes")]
    pub share_prefixes: bool,
    /// Whether prompts go through the checkpoint's chat template: `auto` (if it has one), `true` (it must have one) or
    /// `false` (as they are).
    #[serde(default)]
    pub chat: ChatUse,
    /// What the system says first in every conversation.
    #[serde(default)]
    pub system: Option<String>,
    /// Whether few-shot examples are turns of the conversation; otherwise they stand, with the question, in one.
    #[serde(default = "shots_as_turns")]
    pub shots_as_turns: bool,
    /// The date that a template gets when it asks for today's, as `2026-01-31`; always 26 July 2024 if not given.
    #[serde(default)]
    pub chat_date: Option<String>,
}

impl Options {
    pub(crate) fn limits(&self) -> LocalOptions {
        LocalOptions {
            max_batch_tokens: self.max_batch_tokens,
            max_sequences: self.max_sequences,
            max_cache_tokens: self.max_cache_tokens,
            share_prefixes: self.share_prefixes,
        }
    }

    pub(crate) fn conversation(&self) -> ChatOptions {
        ChatOptions {
            chat: self.chat,
            system: self.system.clone(),
            shots_as_turns: self.shots_as_turns,
            chat_date: self.chat_date.clone(),
        }
    }
}

fn auto() -> String {
    "auto".to_owned()
}

fn max_batch_tokens() -> usize {
    LocalOptions::default().max_batch_tokens
}

fn max_sequences() -> usize {
    LocalOptions::default().max_sequences
}

fn share_prefixes() -> bool {
    LocalOptions::default().share_prefixes
}

fn shots_as_turns() -> bool {
    ChatOptions::default().shots_as_turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_checkpoint_is_needed_and_unknown_keys_are_refused() {
        let options: Options = serde_json::from_value(json!({ "checkpoint": "gpt2" })).unwrap();
        assert_eq!((options.limits(), options.conversation()), (LocalOptions::default(), ChatOptions::default()));
        assert_eq!((options.device.as_str(), options.dtype), ("auto", NumberType::F32));
        let wrong = serde_json::from_value::<Options>(json!({ "checkpoint": "gpt2", "dtpye": "f16" })).unwrap_err();
        assert!(wrong.to_string().contains("dtpye"), "{wrong}");
        assert!(serde_json::from_value::<Options>(json!({ "checkpoint": "gpt2", "dtype": "f64" })).is_err());
    }
}
