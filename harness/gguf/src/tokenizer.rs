//! What a file says of its tokenizer.

use crate::{Gguf, Item};
use examiner_api::{PluginError, Result};
use examiner_lm::GgufTokenizer;

impl Gguf {
    /// The values of the keys `tokenizer.ggml.*`, as they are.
    ///
    /// # Errors
    /// `BadInput` for a value of another type, or a file without tokens, `Unsupported` for a rule that is not followed.
    pub fn tokenizer(&self) -> Result<GgufTokenizer> {
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let text = |name: &str| Ok::<_, PluginError>(self.text(&key(name))?.map(str::to_owned));
        let flag = |name: &str| self.flag(&key(name));
        let Some(model) = text("model")? else { return Err(self.unexpected(&key("model"), "a text")) };
        self.check_rules()?;
        let ends = ["eos_token_id", "eot_token_id", "eom_token_id"].map(|name| self.token(&key(name)));
        Ok(GgufTokenizer {
            model,
            pre: text("pre")?,
            tokens: self.needed_list(&key("tokens"), "texts", |item| match item {
                Item::Texts(texts) => Some(texts.clone()),
                _ => None,
            })?,
            scores: self.list(&key("scores"), "numbers", |item| match item {
                Item::Numbers(numbers) => Some(numbers.clone()),
                Item::Wholes(wholes) => Some(wholes.iter().map(|whole| *whole as f32).collect()),
                _ => None,
            })?,
            kinds: self.needed_list(&key("token_type"), "whole numbers", |item| match item {
                Item::Wholes(wholes) => Some(wholes.clone()),
                _ => None,
            })?,
            merges: self.list(&key("merges"), "texts", |item| match item {
                Item::Texts(texts) => Some(texts.clone()),
                _ => None,
            })?,
            bos: self.token(&key("bos_token_id"))?,
            ends: ends.into_iter().filter_map(Result::transpose).collect::<Result<_>>()?,
            unknown: self.token(&key("unknown_token_id"))?,
            add_bos: flag("add_bos_token")?,
            add_space_prefix: flag("add_space_prefix")?,
            // The file does not say so; llama.cpp goes by the model's name.
            strips_right: self.text("general.architecture")? == Some("phi3")
                && self.text(&key("model"))? == Some("llama"),
            chat_template: self.text("tokenizer.chat_template")?.map(str::to_owned),
        })
    }

    /// Refuses rules of SentencePiece that Llama's and Gemma's files do not use, and that would change tokens.
    fn check_rules(&self) -> Result<()> {
        let normalizes = "tokenizer.ggml.precompiled_charsmap";
        let collapses = "tokenizer.ggml.remove_extra_whitespaces";
        let refused = match (self.item(normalizes), self.flag(collapses)?) {
            (Some(Item::Wholes(map)), _) if !map.is_empty() => normalizes,
            (_, Some(true)) => collapses,
            _ => return Ok(()),
        };
        Err(PluginError::unsupported(format!("`{}`: `{refused}` is not supported", self.path().display()))
            .with_help("name the checkpoint's own `tokenizer.json` with the option `tokenizer`"))
    }

    fn token(&self, key: &str) -> Result<Option<u32>> {
        let id = self.whole(key)?.map(u32::try_from).transpose();
        id.map_err(|_| self.unexpected(key, "the id of a token"))
    }

    fn list<T>(&self, key: &str, of: &str, read: impl Fn(&Item) -> Option<T>) -> Result<Option<T>> {
        let wrong = || self.unexpected(key, &format!("a list of {of}"));
        self.item(key).map(|item| read(item).ok_or_else(wrong)).transpose()
    }

    fn needed_list<T>(&self, key: &str, of: &str, read: impl Fn(&Item) -> Option<T>) -> Result<T> {
        self.list(key, of, read)?.ok_or_else(|| self.unexpected(key, &format!("a list of {of}")))
    }
}
