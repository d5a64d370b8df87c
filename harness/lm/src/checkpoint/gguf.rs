//! Checkpoints that are one GGUF file, or its parts: configuration, tokenizer and chat template in it, and nothing beside it.

use super::{Checkpoint, SpecialTokens, TOKENIZER_CONFIG};
use crate::gguf::{GgufTokenizer, HELP};
use crate::{AutoBool, Tokenizer};
use examiner_api::{Host, PluginError, Result};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::OnceLock;

/// What a GGUF file says beside its weights.
#[derive(Debug)]
pub struct GgufFile {
    /// The file; of several parts the first.
    pub path: PathBuf,
    /// The configuration, in the form of a `config.json`.
    pub config: Value,
    /// The tokenizer.
    pub tokenizer: GgufTokenizer,
}

impl Checkpoint {
    /// The checkpoint of a GGUF file. `source` is where it is, as it was given; `tokenizer` is the address of a `tokenizer.json`
    /// to use in place of the file's own tokenizer.
    ///
    /// # Errors
    /// `Unsupported` or `BadInput` for a tokenizer that cannot be built, `NotFound` for a `tokenizer.json` that is not there.
    pub fn from_gguf(source: &str, host: &Host, file: GgufFile, tokenizer: Option<&str>) -> Result<Self> {
        let GgufFile { path, config, tokenizer: described } = file;
        let ends = described.ends();
        let special_tokens = SpecialTokens::new(described.bos, ends.clone());
        let ((tokenizer, tokenizer_path), gguf_beginning) = match tokenizer {
            Some(address) => {
                let found = host.fetch(address)?;
                let tokenizer = Tokenizer::from_file(&found, described.bos, ends)?;
                ((tokenizer, found), described.add_bos.map(|_| described.adds_bos()))
            }
            None => {
                let tokenizer = described.build().map_err(|mut error| {
                    error.message = format!("`{}`: {}", path.display(), error.message);
                    error
                })?;
                ((tokenizer, path.clone()), Some(described.adds_bos()))
            }
        };
        let gguf_beginning = gguf_beginning.map(|(adds, what)| (adds, format!("{what} of `{}`", path.display())));
        // The tokens and the template under the names that the other checkpoints have for them.
        let tokenizer_config = json!({
            "bos_token": described.text(described.bos),
            "eos_token": described.text(described.ends.first().copied()),
            "unk_token": described.text(described.unknown),
            "chat_template": described.chat_template,
        });
        Ok(Checkpoint {
            source: source.to_owned(),
            host: host.clone(),
            config,
            tokenizer_path: Ok(tokenizer_path),
            tokenizer: OnceLock::from(Ok(tokenizer)),
            special_tokens,
            tokenizer_config: Some((tokenizer_config, path.clone())),
            config_path: path,
            gguf_beginning,
            is_gguf: true,
        })
    }

    /// What other programs read in place of a GGUF file's own tokenizer, by the names of Hugging Face's libraries: the tokenizer, with the
    /// tokens that belong before a text; the special tokens and the chat template; and the tokens that end an answer.
    ///
    /// # Errors
    /// `Unsupported` for a tokenizer that no `tokenizer.json` describes, `BadInput` for a file that asks for a beginning-of-text token and names
    /// none.
    pub fn tokenizer_files(&mut self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        self.decide_beginning(AutoBool::default())?;
        let Some(tokenizer) = self.tokenizer()?.as_file()? else {
            let message = format!(
                "`{}` describes a tokenizer by SentencePiece's merges (`tokenizer.ggml.model: llama`), which no `tokenizer.json` has exactly",
                self.source
            );
            return Err(PluginError::unsupported(message).with_help(HELP));
        };
        let mut config = self.tokenizer_config().map(|(config, _)| config.clone()).unwrap_or_default();
        config["tokenizer_class"] = json!("PreTrainedTokenizerFast");
        let special = json!(self.special_tokens);
        let pretty = |value: &Value| format!("{value:#}\n").into_bytes();
        Ok(vec![
            ("tokenizer.json", tokenizer),
            (TOKENIZER_CONFIG, pretty(&config)),
            ("generation_config.json", pretty(&special)),
        ])
    }
}
