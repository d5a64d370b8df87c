//! Tokenizers that GGUF files describe, by the keys `tokenizer.ggml.*`.
//!
//! What the keys mean is what llama.cpp does with them. Byte-level BPE (`gpt2`) is the `tokenizers` library's;
//! SentencePiece's BPE (`llama`) is merged by [`SentencePiece`].

mod pre_tokenizer;

use crate::Tokenizer;
use crate::sentencepiece::{SPACE, SentencePiece};
use crate::tokenizer::guarded;
use examiner_api::{PluginError, Result};
use pre_tokenizer::PreTokenizer;
use std::collections::HashMap;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::replace::Replace;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, DecoderWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

/// What to do about a tokenizer that cannot be built.
pub(crate) const HELP: &str = "name the checkpoint's own `tokenizer.json` with the option `tokenizer`";

/// What turns end with, for files that do not say which token does.
const TURN_ENDS: [&str; 5] = ["<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"];

/// Kinds of tokens, as `tokenizer.ggml.token_type` numbers them.
mod kind {
    pub(super) const UNKNOWN: i64 = 2;
    pub(super) const CONTROL: i64 = 3;
    pub(super) const USER_DEFINED: i64 = 4;
}

/// A tokenizer as a GGUF file describes it: the values of its keys `tokenizer.ggml.*`.
#[derive(Debug, Clone, Default)]
pub struct GgufTokenizer {
    /// `model`: `gpt2` or `llama`.
    pub model: String,
    /// `pre`: the name of how texts are cut before merges.
    pub pre: Option<String>,
    /// `tokens`, by id.
    pub tokens: Vec<String>,
    /// `scores`, one for each token.
    pub scores: Option<Vec<f32>>,
    /// `token_type`, one for each token.
    pub kinds: Vec<i64>,
    /// `merges`: two tokens with a space between them, the first merge first.
    pub merges: Option<Vec<String>>,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `eos_token_id`, `eot_token_id` and `eom_token_id`, as far as they are there.
    pub ends: Vec<u32>,
    /// `unknown_token_id`.
    pub unknown: Option<u32>,
    /// `add_bos_token`.
    pub add_bos: Option<bool>,
    /// `add_space_prefix`.
    pub add_space_prefix: Option<bool>,
    /// Whether special tokens take the white space after them, as those of Phi-3 do.
    pub strips_right: bool,
    /// `tokenizer.chat_template`.
    pub chat_template: Option<String>,
}

impl GgufTokenizer {
    /// The tokens that end an answer: those that the file names, and where the chat template ends turns with another one,
    /// that.
    pub(crate) fn ends(&self) -> Vec<u32> {
        let template = self.chat_template.as_deref().unwrap_or_default();
        let is_special = |id: usize| matches!(self.kind(id), kind::CONTROL | kind::USER_DEFINED);
        let written = |text: &str| TURN_ENDS.contains(&text) && template.contains(text);
        let tokens = self.tokens.iter().enumerate();
        let found =
            tokens.filter(|(id, text)| is_special(*id) && written(text)).filter_map(|(id, _)| id.try_into().ok());
        let mut ends = Vec::new();
        for token in self.ends.iter().copied().chain(found) {
            if !ends.contains(&token) {
                ends.push(token);
            }
        }
        ends
    }

    /// Whether a beginning-of-text token is put before a text, and what says so.
    pub(crate) fn adds_bos(&self) -> (bool, String) {
        let default = self.model == "llama" || self.pre_tokenizer().is_some_and(|pre| pre.adds_bos);
        match (self.add_bos, self.pre.as_deref().filter(|_| self.model != "llama")) {
            (Some(flag), _) => (flag, "`tokenizer.ggml.add_bos_token`".to_owned()),
            (None, None) => (default, format!("`tokenizer.ggml.model: {}` without `add_bos_token`", self.model)),
            (None, Some(pre)) => (default, format!("`tokenizer.ggml.pre: {pre}` without `add_bos_token`")),
        }
    }

    /// The text of a token.
    pub(crate) fn text(&self, token: Option<u32>) -> Option<&str> {
        self.tokens.get(usize::try_from(token?).ok()?).map(String::as_str)
    }

    /// Builds the tokenizer.
    ///
    /// # Errors
    /// `Unsupported` for another model or another way to cut texts, `BadInput` for a description that is incomplete or
    /// contradicts itself.
    pub fn build(&self) -> Result<Tokenizer> {
        self.check()?;
        let (mut inner, pieces) = match self.model.as_str() {
            "gpt2" => (self.byte_level()?, None),
            "llama" => (self.pieces_decoder()?, Some(self.pieces()?)),
            other => {
                let message = format!("`tokenizer.ggml.model: {other}` is not supported; these are: `gpt2`, `llama`");
                return Err(PluginError::unsupported(message).with_help(HELP));
            }
        };
        guarded("adding special tokens", || inner.add_tokens(self.added()))?;
        Ok(Tokenizer::built(inner, pieces, self.bos, self.ends()))
    }

    /// Refuses lists that do not fit each other, and ids of no token.
    fn check(&self) -> Result<()> {
        let count = self.tokens.len();
        let scores = self.scores.as_ref().map_or(count, Vec::len);
        for (name, length) in [("scores", scores), ("token_type", self.kinds.len())] {
            if length != count {
                return Err(wrong(format!("`{name}` has {length} values; expected {count}, one for each of `tokens`")));
            }
        }
        let named = [("bos_token_id", self.bos), ("unknown_token_id", self.unknown)];
        let ends = self.ends.iter().map(|id| ("eos_token_id", Some(*id)));
        for (name, id) in named.into_iter().chain(ends) {
            if let Some(id) = id.filter(|id| usize::try_from(*id).map_or(true, |id| id >= count)) {
                return Err(wrong(format!("`{name}` is {id}; expected one of {count} tokens")));
            }
        }
        let mut ids = HashMap::with_capacity(count);
        for (id, token) in self.tokens.iter().enumerate().filter(|(_, token)| !token.is_empty()) {
            if let Some(first) = ids.insert(token.as_str(), id) {
                return Err(wrong(format!("the tokens {first} and {id} are both `{token}`")));
            }
        }
        Ok(())
    }

    fn kind(&self, id: usize) -> i64 {
        self.kinds.get(id).copied().unwrap_or_default()
    }

    /// The tokens that are found in a text before it is cut. Special ones do not show in answers.
    fn added(&self) -> Vec<AddedToken> {
        let keeps_space = |text: &str| matches!(text, "<unk>" | "<s>" | "<|endoftext|>");
        let added = self.tokens.iter().enumerate().filter_map(|(id, text)| {
            let special = matches!(self.kind(id), kind::CONTROL | kind::UNKNOWN);
            let is_added = (special || self.kind(id) == kind::USER_DEFINED) && !text.is_empty();
            let rstrip = self.strips_right && !keeps_space(text);
            is_added.then(|| AddedToken::from(text.clone(), special).normalized(false).rstrip(rstrip))
        });
        added.collect()
    }

    /// All tokens by their text. An empty one gets a text that nobody writes, as llama.cpp does it.
    fn vocabulary(&self) -> Vocab {
        let text = |(id, token): (u32, &String)| match token.as_str() {
            "" => (format!("[EMPTY_{id}]"), id),
            token => (token.to_owned(), id),
        };
        (0..).zip(&self.tokens).map(text).collect()
    }

    fn pre_tokenizer(&self) -> Option<PreTokenizer> {
        self.pre.as_deref().and_then(pre_tokenizer::named)
    }

    /// `gpt2`: bytes as characters, merged by rank.
    fn byte_level(&self) -> Result<tokenizers::Tokenizer> {
        let Some(name) = &self.pre else {
            return Err(wrong(
                "there is no `pre`, the name of how texts are cut; older converters left it out".to_owned(),
            ));
        };
        let Some(pre) = self.pre_tokenizer() else {
            let message = format!("`tokenizer.ggml.pre: {name}` is not a way to cut texts that is known here");
            return Err(PluginError::unsupported(message).with_help(HELP));
        };
        let Some(merges) = &self.merges else { return Err(wrong("there are no `merges`".to_owned())) };
        let merges = merges.iter().map(|merge| {
            // The first token may be a space itself, though no byte-level vocabulary writes it so.
            let space = merge.char_indices().skip(1).find(|(_, character)| *character == ' ');
            let pair = space.map(|(at, _)| (merge[..at].to_owned(), merge[at + 1..].to_owned()));
            pair.ok_or_else(|| wrong(format!("`{merge}` in `merges` is not two tokens with a space between them")))
        });
        let merges = merges.collect::<Result<Vec<_>>>()?;
        let builder = BPE::builder().vocab_and_merges(self.vocabulary(), merges).ignore_merges(pre.ignores_merges);
        let mut inner = tokenizers::Tokenizer::new(guarded("building it", || builder.build())?);
        let split = |expression: &&str| {
            let pattern = SplitPattern::Regex((*expression).to_owned());
            let split = guarded("cutting texts", || Split::new(pattern, SplitDelimiterBehavior::Isolated, false))?;
            Ok(PreTokenizerWrapper::from(split))
        };
        let mut steps = pre.expressions.iter().map(split).collect::<Result<Vec<_>>>()?;
        let bytes = ByteLevel::new(false, false, false);
        steps.push(bytes.into());
        inner.with_pre_tokenizer(Some(PreTokenizers::new(steps)));
        inner.with_decoder(Some(bytes));
        guarded("normalizing texts", || inner.with_normalizer(pre.composes.then_some(NFC)).map(|_| ()))?;
        Ok(inner)
    }

    /// `llama`: what turns tokens into text. The model has the vocabulary, and no merges.
    fn pieces_decoder(&self) -> Result<tokenizers::Tokenizer> {
        let builder = BPE::builder().vocab_and_merges(self.vocabulary(), Vec::new());
        let mut inner = tokenizers::Tokenizer::new(guarded("building it", || builder.build())?);
        let spaces = guarded("building it", || Replace::new(SPACE, " "))?;
        let mut steps: Vec<DecoderWrapper> =
            vec![spaces.into(), ByteFallback::default().into(), Fuse::default().into()];
        if self.adds_space() {
            steps.push(Strip::new(' ', 1, 0).into());
        }
        inner.with_decoder(Some(Decoders::new(steps)));
        Ok(inner)
    }

    fn adds_space(&self) -> bool {
        self.add_space_prefix.unwrap_or(true)
    }

    /// `llama`: what cuts texts.
    fn pieces(&self) -> Result<SentencePiece> {
        let Some(scores) = &self.scores else { return Err(wrong("there are no `scores`".to_owned())) };
        if let Some(id) = scores.iter().position(|score| !score.is_finite()) {
            return Err(wrong(format!("the score of token {id} is {}", scores[id])));
        }
        let pieces: HashMap<String, (u32, f32)> =
            self.vocabulary().into_iter().map(|(text, id)| (text, (id, scores[id as usize]))).collect();
        let byte = |byte: u8| pieces.get(&format!("<0x{byte:02X}>")).map(|(id, _)| *id);
        let bytes = (0..=u8::MAX).map(byte).collect();
        Ok(SentencePiece { bytes, unknown: self.unknown, adds_space: self.adds_space(), pieces })
    }
}

fn wrong(what: String) -> PluginError {
    PluginError::bad_input(format!("`tokenizer.ggml`: {what}")).with_help(HELP)
}
