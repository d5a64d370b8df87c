//! What stands beside a graph: sizes, special tokens, tokenizer, and what its inputs and outputs are called.

mod genai;

use super::shape::{self, Shape};
use examiner_api::{ErrorCode, Host, Result};
use examiner_lm::checkpoint::Checkpoint;
use std::fmt;

/// A checkpoint as far as it describes a graph.
pub(crate) struct Description {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) shape: Shape,
    pub(crate) names: Names,
    /// The graph's file, where the description names it.
    pub(crate) file: Option<String>,
    /// How many positions a token sees at most in some of the layers, its own included.
    pub(crate) window: Option<usize>,
}

impl Description {
    /// Reads the `genai_config.json` of `source`, and where there is none, its `config.json`.
    ///
    /// # Errors
    /// `NotFound` for a missing configuration, `BadInput` for a file that is not what it should be.
    pub(crate) fn open(source: &str, host: &Host) -> Result<Self> {
        let source = source.trim_end_matches('/');
        match host.fetch(&format!("{source}/{}", genai::FILE)) {
            Ok(path) => return genai::describe(source, host, path),
            Err(error) if error.code == ErrorCode::NotFound => (),
            Err(error) => return Err(error),
        }
        let checkpoint = Checkpoint::open(source, host)?;
        let shape = Shape::read(&checkpoint.config, &checkpoint.config_path)?;
        let window = shape::window(&checkpoint.config);
        Ok(Description { checkpoint, shape, names: Names::default(), file: None, window })
    }

    /// The name of the file with the sizes, for messages.
    pub(crate) fn file_name(&self) -> &str {
        self.checkpoint.config_path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// What the inputs and outputs of a graph are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) input_ids: String,
    pub(crate) mask: String,
    pub(crate) positions: String,
    /// Of keys, and of values.
    pub(crate) past: [LayerName; 2],
    /// The same of what comes out, in every way that they may be called.
    pub(crate) present: Vec<[LayerName; 2]>,
    pub(crate) logits: String,
}

impl Default for Names {
    /// As Hugging Face's Optimum calls them, and the exporter of this plugin.
    fn default() -> Self {
        let parts = |prefix: &str| ["key", "value"].map(|part| LayerName(format!("{prefix}.%d.{part}")));
        Names {
            input_ids: "input_ids".to_owned(),
            mask: "attention_mask".to_owned(),
            positions: "position_ids".to_owned(),
            past: parts("past_key_values"),
            present: vec![parts("present"), parts("present_key_values")],
            logits: "logits".to_owned(),
        }
    }
}

/// A name with `%d` in the place of a layer's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerName(pub(crate) String);

impl LayerName {
    pub(crate) fn of(&self, layer: usize) -> String {
        self.0.replace("%d", &layer.to_string())
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.replace("%d", "N"))
    }
}
