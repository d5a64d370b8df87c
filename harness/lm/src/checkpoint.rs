//! A checkpoint: `config.json`, weights and `tokenizer.json` in one place, as Hugging Face's libraries write them.
//!
//! What the weights are kept in is a plugin's business: it asks for its files by name, and names those that a model's
//! answers depend on for the fingerprint.

mod activation;
mod gpt2;
mod weights;

pub use activation::Activation;
pub use gpt2::Gpt2Config;
pub use weights::{Shard, WeightFiles};

use crate::Tokenizer;
use examiner_api::{ErrorCode, Host, PluginError, Result};
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are hashed at a time: enough for every core.
const PIECE: u64 = 16 << 20;

/// The files of a checkpoint, read as far as every model family needs them.
pub struct Checkpoint {
    source: String,
    host: Host,
    /// `config.json`.
    pub config: Value,
    /// Where it lies, for messages.
    pub config_path: PathBuf,
    /// `tokenizer.json`, with the special tokens that the checkpoint names.
    pub tokenizer: Tokenizer,
    tokenizer_path: PathBuf,
    special: SpecialTokens,
}

impl Checkpoint {
    /// Finds and reads the files of `source`, other than its weights: a directory, or `hf://org/name`.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `BadInput` for one that is not what it should be.
    pub fn open(source: &str, host: &Host) -> Result<Self> {
        let source = source.trim_end_matches('/');
        let config_path = fetch(host, source, "config.json")?;
        let config = read_json(&config_path)?;
        Self::with_config(source, host, config, config_path)
    }

    /// The same with a configuration that stands elsewhere: in the file of the weights, say. `config_path` is that file.
    ///
    /// # Errors
    /// As for [`Checkpoint::open`].
    pub fn with_config(source: &str, host: &Host, config: Value, config_path: PathBuf) -> Result<Self> {
        let source = source.trim_end_matches('/');
        let tokenizer_path = fetch(host, source, "tokenizer.json")?;
        let generation = match fetch(host, source, "generation_config.json").and_then(|path| read_json(&path)) {
            Ok(generation) => generation,
            Err(error) if error.code == ErrorCode::NotFound => Value::Null,
            Err(error) => return Err(error),
        };
        let special = SpecialTokens::read(&generation, &config_path)?.or(SpecialTokens::read(&config, &config_path)?);
        let tokenizer = Tokenizer::from_file(&tokenizer_path, special.beginning(), special.ends())?;
        let (source, host) = (source.to_owned(), host.clone());
        Ok(Checkpoint { source, host, config, config_path, tokenizer, tokenizer_path, special })
    }

    /// Where the checkpoint is, as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The program behind the plugin.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// A further file of the checkpoint.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub fn fetch(&self, name: &str) -> Result<PathBuf> {
        fetch(&self.host, &self.source, name)
    }

    /// A further file that a checkpoint may do without.
    ///
    /// # Errors
    /// What keeps the file from being read, other than that it is not there.
    pub fn fetch_optional(&self, name: &str) -> Result<Option<PathBuf>> {
        match self.fetch(name) {
            Ok(path) => Ok(Some(path)),
            Err(error) if error.code == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A hash that changes with any byte of the configuration, the tokenizer and the given files of weights.
    ///
    /// # Errors
    /// `Io` if a file cannot be read.
    pub fn fingerprint(&self, weights: &[&Path]) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for path in [&self.config_path, &self.tokenizer_path].into_iter().map(PathBuf::as_path).chain(weights.to_vec())
        {
            hasher.update(hash(path).map_err(|error| PluginError::io("read", path, &error))?.as_bytes());
        }
        hasher.update(format!("{:?}", self.special).as_bytes());
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// What `model_type` says, for choosing the family; empty if it says nothing.
    pub fn model_type(&self) -> &str {
        self.config.get("model_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Refuses a tokenizer that gives tokens for which the model has no embedding.
    ///
    /// # Errors
    /// `BadInput` with both numbers.
    pub fn check_vocabulary(&self, embeddings: usize) -> Result<()> {
        let tokens = self.tokenizer.vocabulary();
        if tokens > embeddings {
            return Err(PluginError::bad_input(format!(
                "the tokenizer has {tokens} tokens, but `{}` has embeddings for {embeddings} (`vocab_size`)",
                self.config_path.display()
            ))
            .with_help("`tokenizer.json` and the weights must come from the same checkpoint"));
        }
        Ok(())
    }
}

/// The hash of a file, of which only a piece is in memory at a time: the weights stand there already.
fn hash(path: &Path) -> std::io::Result<blake3::Hash> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = Vec::new();
    while (&mut file).take(PIECE).read_to_end(&mut piece)? > 0 {
        hasher.update_rayon(&piece);
        piece.clear();
    }
    Ok(hasher.finalize())
}

fn fetch(host: &Host, source: &str, name: &str) -> Result<PathBuf> {
    host.fetch(&format!("{source}/{name}")).map_err(|mut error| {
        error.message = format!("no `{name}` in the checkpoint `{source}`: {}", error.message);
        error.help.get_or_insert_with(|| {
            "a checkpoint is a directory, or `hf://org/name`, with `config.json`, `tokenizer.json` and weights"
                .to_owned()
        });
        error
    })
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
pub struct SpecialTokens {
    #[serde(default)]
    bos_token_id: Option<Ids>,
    #[serde(default)]
    eos_token_id: Option<Ids>,
}

impl SpecialTokens {
    /// Reads them from a configuration; `Null` names none. `path` is for messages.
    ///
    /// # Errors
    /// `BadInput` for what is no id.
    pub fn read(file: &Value, path: &Path) -> Result<Self> {
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
        self.bos_token_id.clone().and_then(|ids| ids.list().first().copied())
    }

    /// The tokens that end one.
    pub fn ends(&self) -> Vec<u32> {
        self.eos_token_id.clone().map(Ids::list).unwrap_or_default()
    }

    /// What this file says, and where it is silent the other.
    pub fn or(self, other: SpecialTokens) -> Self {
        SpecialTokens {
            bos_token_id: self.bos_token_id.or(other.bos_token_id),
            eos_token_id: self.eos_token_id.or(other.eos_token_id),
        }
    }
}

/// Reads a JSON file.
///
/// # Errors
/// `NotFound` or `Io` if it cannot be read, `BadInput` if it is not JSON.
pub fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(|error| PluginError::io("read", path, &error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| PluginError::bad_input(format!("`{}` is not JSON", path.display())).with_cause(&error))
}
