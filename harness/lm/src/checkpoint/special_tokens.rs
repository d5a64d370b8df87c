//! The tokens that begin and end texts.

use examiner_api::{PluginError, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// One id, or several.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Several(Vec<u32>),
}

impl Ids {
    fn list(&self) -> &[u32] {
        match self {
            Ids::One(id) => std::slice::from_ref(id),
            Ids::Several(ids) => ids,
        }
    }
}

/// The tokens that begin and end a text, which `generation_config.json` may set otherwise than `config.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SpecialTokens {
    #[serde(default)]
    bos_token_id: Option<Ids>,
    #[serde(default)]
    eos_token_id: Option<Ids>,
}

impl SpecialTokens {
    /// Those of a GGUF file.
    pub(super) fn new(beginning: Option<u32>, ends: Vec<u32>) -> Self {
        SpecialTokens { bos_token_id: beginning.map(Ids::One), eos_token_id: Some(Ids::Several(ends)) }
    }

    /// Reads them from a configuration; `Null` names none. `path` is for messages.
    ///
    /// # Errors
    /// `BadInput` for what is no id.
    pub(super) fn read(file: &Value, path: &Path) -> Result<Self> {
        if file.is_null() {
            return Ok(SpecialTokens::default());
        }
        Self::deserialize(file).map_err(|error| {
            PluginError::bad_input(format!(
                "`bos_token_id` and `eos_token_id` beside `{}` must be an id or a list of ids",
                path.display()
            ))
            .with_cause(&error)
        })
    }

    /// The token that begins a text.
    pub fn beginning(&self) -> Option<u32> {
        self.bos_token_id.as_ref().and_then(|ids| ids.list().first().copied())
    }

    /// The tokens that end one.
    pub fn ends(&self) -> &[u32] {
        self.eos_token_id.as_ref().map_or(&[], Ids::list)
    }

    /// What this file sets, and otherwise what the other does.
    pub(super) fn or(self, other: SpecialTokens) -> Self {
        SpecialTokens {
            bos_token_id: self.bos_token_id.or(other.bos_token_id),
            eos_token_id: self.eos_token_id.or(other.eos_token_id),
        }
    }
}
