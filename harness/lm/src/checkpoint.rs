//! A checkpoint: `config.json`, weights and `tokenizer.json` in one directory, as Hugging Face's libraries write them.
//!
//! What the weights are kept in is a plugin's business: it asks for its files by name, and names those that a model's
//! answers depend on for its identity.

mod activation;
mod beginning;
mod gguf;
mod gpt2;
mod identity;
mod special_tokens;
mod tensors;
mod weights;

pub use activation::Activation;
pub use gguf::GgufFile;
pub use gpt2::Gpt2Config;
pub use identity::CheckpointIdentity;
pub use special_tokens::SpecialTokens;
pub use tensors::{UnusedTensors, check_tensor};
pub use weights::{Shard, WeightFiles};

use crate::Tokenizer;
use examiner_api::{ErrorCode, Host, PluginError, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The file with a tokenizer's special tokens by name, its flags, and mostly the chat template.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The files of a checkpoint, read as far as every model family needs them.
pub struct Checkpoint {
    source: String,
    host: Host,
    /// `config.json`.
    pub config: Value,
    /// Its path, for messages.
    pub config_path: PathBuf,
    /// The path of `tokenizer.json`, or why it was not found: a training on tokens does without.
    tokenizer_path: Result<PathBuf>,
    /// What it says, from when it is first asked for.
    tokenizer: OnceLock<Result<Tokenizer>>,
    special_tokens: SpecialTokens,
    /// `tokenizer_config.json` and its path; none where there is no such file.
    tokenizer_config: Option<(Value, PathBuf)>,
    /// Whether a beginning-of-text token is put before a text, and what says so, where a GGUF file does. Nothing beside such
    /// a file is read.
    gguf_beginning: Option<(bool, String)>,
    is_gguf: bool,
}

impl Checkpoint {
    /// Finds the files of `source`, a directory or `hf://org/name`, and reads them, other than its weights and its
    /// tokenizer.
    ///
    /// # Errors
    /// `NotFound` for a missing configuration, `BadInput` for a file that is not what it should be. A tokenizer that is
    /// missing, or none, is the error of those methods that need it.
    pub fn open(source: &str, host: &Host) -> Result<Self> {
        let config_path = fetch(host, source.trim_end_matches('/'), "config.json")?;
        let config = read_json(&config_path)?;
        Self::with_config(source, host, config, config_path)
    }

    /// The same, of a checkpoint that has another file in place of `config.json`. `config` is what that file says, in the
    /// form of a `config.json`; results depend on all of `config_path`.
    ///
    /// # Errors
    /// `BadInput` for a file that is not what it should be.
    pub fn with_config(source: &str, host: &Host, config: Value, config_path: PathBuf) -> Result<Self> {
        let source = source.trim_end_matches('/');
        let tokenizer_path = match fetch(host, source, "tokenizer.json") {
            Err(error) if error.code != ErrorCode::NotFound => return Err(error),
            found => found,
        };
        let generation = read_optional(host, source, "generation_config.json")?.map_or(Value::Null, |(file, _)| file);
        let tokenizer_config = read_optional(host, source, TOKENIZER_CONFIG)?;
        let special_tokens =
            SpecialTokens::read(&generation, &config_path)?.or(SpecialTokens::read(&config, &config_path)?);
        let (source, host) = (source.to_owned(), host.clone());
        Ok(Checkpoint {
            source,
            host,
            config,
            config_path,
            tokenizer_path,
            tokenizer: OnceLock::new(),
            special_tokens,
            tokenizer_config,
            gguf_beginning: None,
            is_gguf: false,
        })
    }

    /// Where the checkpoint is, as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is a GGUF file.
    pub(crate) fn is_gguf(&self) -> bool {
        self.is_gguf
    }

    /// The program that loaded the plugin.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// A further file of the checkpoint.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub fn fetch(&self, name: &str) -> Result<PathBuf> {
        fetch(&self.host, &self.source, name)
    }

    /// A further file that a checkpoint may do without. A GGUF file has none.
    ///
    /// # Errors
    /// What keeps the file from being read, other than that it does not exist.
    pub fn fetch_optional(&self, name: &str) -> Result<Option<PathBuf>> {
        if self.is_gguf {
            return Ok(None);
        }
        match self.fetch(name) {
            Ok(path) => Ok(Some(path)),
            Err(error) if error.code == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The tokenizer of `tokenizer.json` or of a GGUF file, with the special tokens that the checkpoint names. It is
    /// read by the first who asks, which may take as long as weights do.
    ///
    /// # Errors
    /// `NotFound` if it does not exist, `BadInput` if it is none.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        let path = self.tokenizer_path()?;
        self.tokenizer.get_or_init(|| self.read_tokenizer(path)).as_ref().map_err(Clone::clone)
    }

    fn read_tokenizer(&self, path: &Path) -> Result<Tokenizer> {
        let tokens = &self.special_tokens;
        let mut tokenizer = Tokenizer::from_file(path, tokens.beginning(), tokens.ends().to_vec())?;
        if let Some((config, _)) = &self.tokenizer_config {
            beginning::name_beginning(&mut tokenizer, config);
        }
        Ok(tokenizer)
    }

    /// The same, as the last thing that the checkpoint is asked for.
    ///
    /// # Errors
    /// As for [`Checkpoint::tokenizer`].
    pub fn into_tokenizer(self) -> Result<Tokenizer> {
        let mut checkpoint = self;
        match checkpoint.tokenizer.take() {
            Some(read) => read,
            None => checkpoint.read_tokenizer(checkpoint.tokenizer_path()?),
        }
    }

    /// The path of `tokenizer.json`, or of the GGUF file.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub fn tokenizer_path(&self) -> Result<&Path> {
        self.tokenizer_path.as_deref().map_err(Clone::clone)
    }

    /// `tokenizer_config.json` and its path; none where there is no such file.
    pub(crate) fn tokenizer_config(&self) -> Option<(&Value, &Path)> {
        self.tokenizer_config.as_ref().map(|(config, path)| (config, path.as_path()))
    }

    /// The token for an empty context, where it is another one than `config.json` names.
    pub(crate) fn beginning_of_its_own(&self) -> Result<Option<u32>> {
        let tokens = &self.special_tokens;
        let named = tokens.beginning().or(tokens.ends().first().copied());
        Ok(self.tokenizer()?.beginning().filter(|token| Some(*token) != named))
    }

    /// The tokens that begin and end texts.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special_tokens
    }

    /// The value of `model_type`, for choosing the family; empty if there is none.
    pub fn model_type(&self) -> &str {
        self.config.get("model_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Refuses a tokenizer with tokens for which the model has no embedding.
    ///
    /// # Errors
    /// `BadInput` with both numbers, `NotFound` without a tokenizer.
    pub fn check_vocabulary(&self, embeddings: usize) -> Result<()> {
        let tokens = self.tokenizer()?.vocabulary();
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

/// A JSON file that a checkpoint may do without, and its path.
fn read_optional(host: &Host, source: &str, name: &str) -> Result<Option<(Value, PathBuf)>> {
    match fetch(host, source, name) {
        Ok(path) => Ok(Some((read_json(&path)?, path))),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of a special token as `tokenizer_config.json` has it: a text, or a map that holds one among its properties.
pub(crate) fn special_token_text(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content").and_then(Value::as_str))
}

/// Reads a JSON file.
///
/// # Errors
/// `NotFound` or `Io` if it cannot be read, `BadInput` if it is not JSON.
fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(|error| PluginError::io("read", path, &error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| PluginError::bad_input(format!("`{}` is not JSON", path.display())).with_cause(&error))
}
