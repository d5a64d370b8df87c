//! The options of the model in a suite.

use crate::providers::Devices;
use examiner_api::schemars::{self, JsonSchema};
use examiner_lm::{DivergenceFrom, LocalOptions, OwnOptions, WithLocalOptions};
use serde::Deserialize;
use std::path::PathBuf;

/// All options of the model: those of every local model, and [`OnnxOptions`].
pub type Options = WithLocalOptions<OnnxOptions>;

/// A model exported to ONNX, run through ONNX Runtime.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct OnnxOptions {
    /// A directory with an ONNX model, `config.json` and `tokenizer.json`, or `hf://org/name`: an export of this plugin,
    /// or of Hugging Face's Optimum with past keys and values; or a model of ONNX Runtime GenAI's builder, with its
    /// `genai_config.json`.
    #[schemars(extend("format" = "path"))]
    pub checkpoint: String,
    /// The model's file in the checkpoint, as `onnx/model_q4.onnx`. If not given: the one that `genai_config.json` names;
    /// without it, the first that is there of `model.onnx`, `decoder_model_merged.onnx`, `decoder_with_past_model.onnx`, the same
    /// in `onnx/`.
    #[serde(default)]
    pub file: Option<String>,
    /// Where the model runs: `cpu`, `cuda`, `cuda:N` with the number of a GPU, `tensorrt`, `tensorrt:N`, `webgpu`, `webgpu:N`,
    /// `openvino`, `tensorrt-rtx`, or an execution provider in a library of its own, `{ provider: NAME, library: FILE, options:
    /// { ... }, number: N }`, where `library` may be left away for the names before; or a list of them, most wanted first:
    /// what CUDA or TensorRT cannot compute is left to the next, and of different kinds of GPU the first that can be used is
    /// taken. If not given: `cpu`.
    #[serde(default)]
    pub device: Devices,
    /// Whether a device that cannot be used, or that computes nothing of the graph, is passed over with a warning. Otherwise it
    /// is an error.
    #[serde(default)]
    pub fallback: bool,
    /// The library of ONNX Runtime, or a directory with it. If not given: what `ORT_DYLIB_PATH` names, else what lies
    /// beside the program, else what a Python environment has.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub runtime: Option<PathBuf>,
    /// Threads that compute. If not given: one for each core.
    #[serde(default)]
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub threads: Option<usize>,
    /// How much ONNX Runtime rearranges the graph before it runs it. If not given: `all`.
    #[serde(default)]
    pub graph_optimization: GraphOptimization,
    /// Most memory of a GPU that ONNX Runtime takes, in MiB. If not given: what it needs.
    #[serde(default)]
    #[schemars(range(min = 1))]
    #[schemars(extend("x-no-effect" = true))]
    pub memory_limit_mib: Option<usize>,
    /// A checkpoint that the model is compared with wherever it scores: what a quantized one was made from, say. What the scorer `perplexity`
    /// then reports with `divergence: true` is the Kullback-Leibler divergence of the model from it, and how often both have the same most
    /// probable token. It is loaded beside the model, as that is; `{ checkpoint: PATH, file: NAME }` names its file. Both must have the same
    /// vocabulary and tokenizer, and the shorter of their contexts counts. Answers are the model's alone.
    #[serde(default)]
    pub divergence_from: Option<DivergenceFrom<BaseOptions>>,
}

/// What a model is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct BaseOptions {
    /// The checkpoint.
    #[schemars(extend("format" = "path"))]
    pub checkpoint: String,
    /// As the model's own `file`.
    #[serde(default)]
    pub file: Option<String>,
}

impl OnnxOptions {
    /// How the model is loaded that this one is compared with.
    pub(crate) fn base(&self) -> Option<OnnxOptions> {
        let (checkpoint, file) = match self.divergence_from.clone()? {
            DivergenceFrom::Checkpoint(checkpoint) => (checkpoint, None),
            DivergenceFrom::Model(BaseOptions { checkpoint, file }) => (checkpoint, file),
        };
        Some(OnnxOptions { checkpoint, file, divergence_from: None, ..self.clone() })
    }
}

impl OwnOptions for OnnxOptions {
    fn local_defaults() -> LocalOptions {
        // The logits of all tokens of a pass exist at the same time, unless the graph has `logits: wanted`.
        LocalOptions { max_batch_tokens: 1024, ..LocalOptions::default() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_checkpoint_is_needed_and_unknown_keys_are_refused() {
        let options: Options = serde_json::from_value(json!({ "checkpoint": "gpt2-onnx" })).unwrap();
        assert_eq!(options.local, LocalOptions { max_batch_tokens: 1024, ..LocalOptions::default() });
        assert_eq!(options.own.graph_optimization, GraphOptimization::All);
        let wrong = |more: serde_json::Value| {
            let mut all = json!({ "checkpoint": "gpt2-onnx" });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Options>(all).unwrap_err().to_string()
        };
        assert!(wrong(json!({ "thread": 2 })).contains("thread"));
        assert!(wrong(json!({ "graph_optimization": "most" })).contains("extended"));
    }
}
