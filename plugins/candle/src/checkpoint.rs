//! A checkpoint: `config.json`, `model.safetensors` and `tokenizer.json`, as Hugging Face's libraries write them.

mod tensors;

pub(crate) use tensors::Tensors;

use examiner_api::{ErrorCode, Host, PluginError, Result};
use examiner_lm::Tokenizer;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The files of a checkpoint, read as far as every model family needs them.
pub(crate) struct Checkpoint {
    /// `config.json`.
    pub(crate) config: Value,
    pub(crate) config_path: PathBuf,
    pub(crate) weights_path: PathBuf,
    pub(crate) tokenizer: Tokenizer,
    /// Changes with any byte of any file that matters.
    pub(crate) fingerprint: String,
}

impl Checkpoint {
    /// Finds and reads the files of `source`: a directory, or `hf://org/name`.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `BadInput` for one that is not what it should be.
    pub(crate) fn open(source: &str, host: &Host) -> Result<Self> {
        let source = source.trim_end_matches('/');
        let fetch = |name: &str| {
            host.fetch(&format!("{source}/{name}")).map_err(|mut error| {
                error.message = format!("no `{name}` in the checkpoint `{source}`: {}", error.message);
                error.help.get_or_insert_with(|| {
                    "a checkpoint is a directory, or `hf://org/name`, with `config.json`, `model.safetensors` and \
                     `tokenizer.json`"
                        .to_owned()
                });
                error
            })
        };
        let config_path = fetch("config.json")?;
        let weights_path = fetch("model.safetensors")?;
        let tokenizer_path = fetch("tokenizer.json")?;
        let config = read_json(&config_path)?;
        let generation = match fetch("generation_config.json").and_then(|path| read_json(&path)) {
            Ok(generation) => generation,
            Err(error) if error.code == ErrorCode::NotFound => Value::Null,
            Err(error) => return Err(error),
        };
        let special = SpecialTokens::read(&generation, &config_path)?.or(SpecialTokens::read(&config, &config_path)?);
        let fingerprint = fingerprint(&[&config_path, &weights_path, &tokenizer_path], &special)?;
        let tokenizer = Tokenizer::from_file(&tokenizer_path, special.beginning(), special.ends())?;
        Ok(Checkpoint { config, config_path, weights_path, tokenizer, fingerprint })
    }

    /// What `model_type` says, for choosing the family.
    pub(crate) fn model_type(&self) -> &str {
        self.config.get("model_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Refuses a tokenizer that gives tokens for which the model has no embedding.
    pub(crate) fn check_vocabulary(&self, embeddings: usize) -> Result<()> {
        let tokens = self.tokenizer.vocabulary();
        if tokens > embeddings {
            return Err(PluginError::bad_input(format!(
                "the tokenizer has {tokens} tokens, but `{}` has embeddings for {embeddings} (`vocab_size`)",
                self.config_path.display()
            ))
            .with_help("`tokenizer.json` and `model.safetensors` must come from the same checkpoint"));
        }
        Ok(())
    }
}

/// One id, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Several(Vec<u32>),
}

impl Ids {
    fn list(self) -> Vec<u32> {
        match self {
            Ids::One(id) => vec![id],
            Ids::Several(ids) => ids,
        }
    }
}

/// The tokens that begin and end a text, which `generation_config.json` may say otherwise than `config.json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SpecialTokens {
    #[serde(default)]
    bos_token_id: Option<Ids>,
    #[serde(default)]
    eos_token_id: Option<Ids>,
}

impl SpecialTokens {
    pub(crate) fn read(file: &Value, path: &Path) -> Result<Self> {
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
    pub(crate) fn beginning(&self) -> Option<u32> {
        self.bos_token_id.clone().and_then(|ids| ids.list().first().copied())
    }

    /// The tokens that end one.
    pub(crate) fn ends(&self) -> Vec<u32> {
        self.eos_token_id.clone().map(Ids::list).unwrap_or_default()
    }

    /// What this file says, and where it is silent the other.
    pub(crate) fn or(self, other: SpecialTokens) -> Self {
        SpecialTokens {
            bos_token_id: self.bos_token_id.or(other.bos_token_id),
            eos_token_id: self.eos_token_id.or(other.eos_token_id),
        }
    }
}

pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).map_err(|error| PluginError::io("read", path, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| PluginError::bad_input(format!("`{}` is not JSON", path.display())).with_cause(&error))
}

fn fingerprint(paths: &[&Path], special: &SpecialTokens) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        let mut file = blake3::Hasher::new();
        file.update_mmap_rayon(path).map_err(|error| PluginError::io("read", path, &error))?;
        hasher.update(file.finalize().as_bytes());
    }
    hasher.update(format!("{special:?}").as_bytes());
    Ok(hasher.finalize().to_hex().to_string())
}
