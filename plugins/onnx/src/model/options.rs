//! The options of the model in a suite.

use crate::providers::Devices;
use examiner_api::schemars::{self, JsonSchema};
use examiner_lm::LocalOptions;
use examiner_lm::chat::{ChatOptions, ChatUse};
use serde::Deserialize;
use std::path::PathBuf;

/// A model exported to ONNX, run through ONNX Runtime.
///
/// The limits are those of [`LocalOptions`] and conversations those of [`ChatOptions`], written out because unknown keys
/// could not be refused otherwise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Options {
    /// A directory with an ONNX model, `config.json` and `tokenizer.json`, or `hf://org/name`: an export of this plugin,
    /// or of Hugging Face's Optimum with past keys and values.
    pub checkpoint: String,
    /// The model's file in the checkpoint. If not given: the first that is there of `model.onnx`,
    /// `decoder_model_merged.onnx`, `decoder_with_past_model.onnx`, the same in `onnx/`.
    #[serde(default)]
    pub file: Option<String>,
    /// Where the model runs: `cpu`, `cuda`, `cuda:N` with the number of a GPU, `tensorrt`, `tensorrt:N`; or a list of
    /// them, most wanted first, where what the first cannot compute is left to the next. If not given: `cpu`.
    #[serde(default)]
    pub device: Devices,
    /// Whether a device that cannot be used is passed over with a warning. Otherwise it is an error.
    #[serde(default)]
    pub fallback: bool,
    /// The library of ONNX Runtime, or a directory with it. If not given: what `ORT_DYLIB_PATH` names, else what lies
    /// beside the program, else what a Python environment has.
    #[serde(default)]
    pub runtime: Option<PathBuf>,
    /// Threads that compute. If not given: one for each core.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub threads: Option<usize>,
    /// How much ONNX Runtime rearranges the graph before it runs it. If not given: `all`.
    #[serde(default)]
    pub graph_optimization: GraphOptimization,
    /// Most memory of a GPU that ONNX Runtime takes, in MiB. If not given: what it needs.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub memory_limit_mib: Option<usize>,
    /// Most tokens in one pass through the model. The logits of all of them exist at the same time, unless the model was
    /// exported with `logits: wanted`.
    #[serde(default = "max_batch_tokens")]
    #[schemars(range(min = 1))]
    pub max_batch_tokens: usize,
    /// Most sequences computed at the same time.
    #[serde(default = "max_sequences")]
    #[schemars(range(min = 1))]
    pub max_sequences: usize,
    /// Most positions whose keys and values are kept, all sequences together; never less than one whole context. A pass
    /// takes room for those that it reads once more. If not given: as many as fit into 2 GiB.
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

/// Levels of ONNX Runtime's graph optimization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum GraphOptimization {
    /// The graph as it is.
    None,
    /// What removes work without changing operators.
    Basic,
    /// Joined operators, too.
    Extended,
    /// The layout of memory, too.
    #[default]
    All,
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

fn shots_as_turns() -> bool {
    ChatOptions::default().shots_as_turns
}

fn max_batch_tokens() -> usize {
    1024
}

fn max_sequences() -> usize {
    LocalOptions::default().max_sequences
}

fn share_prefixes() -> bool {
    LocalOptions::default().share_prefixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_checkpoint_is_needed_and_unknown_keys_are_refused() {
        let options: Options = serde_json::from_value(json!({ "checkpoint": "gpt2-onnx" })).unwrap();
        assert_eq!(options.limits(), LocalOptions { max_batch_tokens: 1024, ..LocalOptions::default() });
        assert_eq!(options.graph_optimization, GraphOptimization::All);
        let wrong = |more: serde_json::Value| {
            let mut all = json!({ "checkpoint": "gpt2-onnx" });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Options>(all).unwrap_err().to_string()
        };
        assert!(wrong(json!({ "thread": 2 })).contains("thread"));
        assert!(wrong(json!({ "graph_optimization": "most" })).contains("extended"));
    }
}
