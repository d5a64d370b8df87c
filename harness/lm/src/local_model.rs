//! A decoder and its tokenizer as a model.

use crate::answer::Answer;
use crate::chat::Chat;
use crate::prefix_tree::Sharing;
use crate::scheduler::Limits;
use crate::split::check_vocabulary;
use crate::{Decoder, Split, Tokenizer, generator, scorer, split};
use examiner_api::{
    Flow, GenerateRequest, GenerateResult, Model, ModelInfo, PluginError, Response, Result, ScoreRequest, ScoreResult,
    Sink,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How a local model spends time and memory. None of it changes a result.
///
/// Plugins flatten it into their options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct LocalOptions {
    /// Most tokens in one pass through the model. More is faster up to a point, and takes memory for activations.
    #[schemars(range(min = 1))]
    pub max_batch_tokens: usize,
    /// Most answers that grow at the same time.
    #[schemars(range(min = 1))]
    pub max_sequences: usize,
    /// Most positions whose keys and values are kept, all sequences together; never less than one whole context. An
    /// answer counts with its prompt and `max_new_tokens` from the start, so that none has to give way later. If not
    /// given: as many as fit into 2 GiB.
    pub max_cache_tokens: Option<usize>,
    /// Whether what several sequences begin with is computed once.
    pub share_prefixes: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        LocalOptions { max_batch_tokens: 2048, max_sequences: 64, max_cache_tokens: None, share_prefixes: true }
    }
}

/// Bytes of keys and values that are kept if the suite does not say.
const DEFAULT_CACHE_BYTES: usize = 2 << 30;

/// A [`Model`] that runs here: a decoder, its tokenizer, and what it says of itself.
pub struct LocalModel<D> {
    decoder: D,
    tokenizer: Tokenizer,
    options: LocalOptions,
    info: ModelInfo,
    chat: Option<Chat>,
}

impl<D: Decoder> LocalModel<D> {
    /// Puts a model together.
    ///
    /// # Errors
    /// `BadOptions` if a limit is 0.
    pub fn new(decoder: D, tokenizer: Tokenizer, options: LocalOptions, info: ModelInfo) -> Result<Self> {
        for (name, value) in [("max_batch_tokens", options.max_batch_tokens), ("max_sequences", options.max_sequences)]
        {
            if value == 0 {
                return Err(PluginError::bad_options(format!("expected `{name}` to be at least 1, found `0`")));
            }
        }
        Ok(LocalModel { decoder, tokenizer, options, info, chat: None })
    }

    /// Speaks to the model like this from now on: see [`crate::checkpoint::Checkpoint::chat`]. Answers then end with the
    /// tokenizer's `eos_token` too, which is where a turn ends. The model's description says whether there is a template.
    #[must_use]
    pub fn with_chat(mut self, chat: Option<Chat>) -> Self {
        match &chat {
            Some(chat) => {
                chat.describe(&mut self.info);
                if let Some(token) = chat.eos_token() {
                    self.tokenizer.also_ends_with(token);
                }
            }
            None => {
                self.info.details.insert("chat".to_owned(), false.into());
            }
        }
        self.chat = chat;
        self
    }

    /// The decoder.
    pub fn decoder(&self) -> &D {
        &self.decoder
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Positions that all caches together may hold.
    pub fn cache_tokens(&self) -> usize {
        let fit = DEFAULT_CACHE_BYTES / self.decoder.cache_bytes_per_token().max(1);
        self.options.max_cache_tokens.unwrap_or(fit).max(self.decoder.context_length())
    }

    fn prefixes(&self) -> Sharing {
        Sharing::Prefixes { copied: !self.decoder.forks_share_memory() }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            batch_tokens: self.options.max_batch_tokens,
            cache_tokens: self.cache_tokens(),
            sequences: self.options.max_sequences,
        }
    }
}

impl<D: Decoder> Model for LocalModel<D> {
    fn info(&self) -> Result<ModelInfo> {
        Ok(self.info.clone())
    }

    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        let (context_length, vocabulary) = (self.decoder.context_length(), self.decoder.vocabulary());
        let (tokenizer, chat) = (&self.tokenizer, &self.chat);
        let splits: Vec<Result<Split>> = requests
            .par_iter()
            .map(|request| {
                let request = match chat {
                    Some(chat) => Cow::Owned(chat.scoring(request)?),
                    None => Cow::Borrowed(request),
                };
                let split = split(&request, tokenizer, context_length)?;
                check_vocabulary(&split.tokens, vocabulary)?;
                Ok(split)
            })
            .collect();
        let mut scored = Vec::with_capacity(requests.len());
        for (request, split) in requests.iter().zip(splits) {
            match split {
                Ok(split) => scored.push((request.id, split)),
                Err(error) => {
                    if sink.send(Response::err(request.id, error)) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
        }
        let sharing = match (self.options.share_prefixes, self.decoder.can_fork()) {
            (true, true) => self.prefixes(),
            (true, false) => Sharing::Duplicates,
            (false, _) => Sharing::Nothing,
        };
        // Scored sequences are done after a pass or two; how many there are at once follows from the other limits.
        let limits = Limits { sequences: usize::MAX, ..self.limits() };
        let decoder = &mut self.decoder;
        on_the_threads(|| scorer::score(decoder, scored, sharing, limits, sink));
        Ok(())
    }

    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let (context_length, vocabulary) = (self.decoder.context_length(), self.decoder.vocabulary());
        let (tokenizer, chat) = (&self.tokenizer, &self.chat);
        let prompts: Vec<_> = requests
            .into_par_iter()
            .map(|request| {
                let request = match chat {
                    Some(chat) => chat.generation(request)?,
                    None => request,
                };
                Answer::new(request, tokenizer, context_length, vocabulary)
            })
            .collect();
        let mut answers = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            match prompt {
                Ok(answer) => answers.push(answer),
                Err((id, error)) => {
                    if sink.send(Response::err(id, error)) == Flow::Stop {
                        return Ok(());
                    }
                }
            }
        }
        // Answers to equal prompts need not be equal, so there is nothing between prefixes and nothing.
        let share = self.options.share_prefixes && self.decoder.can_fork();
        let sharing = if share { self.prefixes() } else { Sharing::Nothing };
        let limits = self.limits();
        let decoder = &mut self.decoder;
        on_the_threads(|| generator::generate(decoder, tokenizer, answers, sharing, limits, sink));
        Ok(())
    }
}

/// Runs a walk on one of the threads that compute, so that handing work to the others wakes nobody else up.
fn on_the_threads(walk: impl FnOnce() -> Flow + Send) {
    // Whether the sink wants no more is of no use here: the walk has ended.
    let _ = rayon::scope(|_| walk());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, schemars::JsonSchema)]
    struct PluginOptions {
        checkpoint: String,
        #[serde(flatten)]
        local: LocalOptions,
    }

    #[test]
    fn options_can_be_flattened_into_those_of_a_plugin() {
        let text = r#"{"checkpoint": "a", "max_batch_tokens": 7, "max_cache_tokens": 500}"#;
        let options: PluginOptions = serde_json::from_str(text).unwrap();
        let expected = LocalOptions { max_batch_tokens: 7, max_cache_tokens: Some(500), ..LocalOptions::default() };
        assert_eq!((options.checkpoint.as_str(), options.local), ("a", expected));
        let schema = schemars::schema_for!(PluginOptions);
        let properties = schema.get("properties").unwrap().as_object().unwrap();
        assert_eq!(properties.len(), 5);
        assert_eq!(properties["max_sequences"]["minimum"], 1);
    }
}
