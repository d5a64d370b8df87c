//! Text to tokens and back, by the checkpoint's `tokenizer.json`, or by what a GGUF file says.

use crate::sentencepiece::SentencePiece;
use examiner_api::{PluginError, Result};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use tokenizers::{DecoderWrapper, NormalizerWrapper, OffsetReferential, OffsetType};

/// A checkpoint's tokenizer.
///
/// [`Tokenizer::encode`] adds no tokens. Those that belong before a text, as the post-processor of the file has it, are
/// [`Tokenizer::before`]; those that it would put behind a text are left out, because a prompt is continued, except where a long text is
/// scored as lm-evaluation-harness does it. Special tokens written in a text, such as `<|endoftext|>`, are recognised. Truncation and padding that
/// the file may ask for are switched off, because both would change what is scored.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What cuts a text into tokens instead of the model of `inner`, which then knows no merges.
    pieces: Option<Arc<SentencePiece>>,
    bytes: Vec<u8>,
    bos: Option<u32>,
    eos: Vec<u32>,
    beginning: Option<u32>,
    before: Vec<u32>,
    /// What the post-processor puts behind a text.
    after: Vec<u32>,
    decodes_in_pieces: bool,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. `bos` and `eos` are the ids that the checkpoint's `config.json` or
    /// `generation_config.json` names (`bos_token_id`, and `eos_token_id`, which may be a list).
    ///
    /// # Errors
    /// `NotFound` or `Io` if the file cannot be read, `BadInput` if it is not a tokenizer.
    pub fn from_file(path: &Path, bos: Option<u32>, eos: Vec<u32>) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| PluginError::io("read the tokenizer", path, &error))?;
        Self::from_bytes(bytes, bos, eos).map_err(|mut error| {
            error.message = format!("`{}` is not a tokenizer: {}", path.display(), error.message);
            error.with_help("the file must be the `tokenizer.json` of the Hugging Face `tokenizers` library")
        })
    }

    /// Reads a tokenizer from the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// `BadInput` if the bytes are not a tokenizer.
    pub fn from_bytes(bytes: Vec<u8>, bos: Option<u32>, eos: Vec<u32>) -> Result<Self> {
        let mut inner = guarded("reading it", || tokenizers::Tokenizer::from_bytes(&bytes))?;
        inner.with_truncation(None).map_err(|error| PluginError::bad_input(error.to_string()))?;
        inner.with_padding(None);
        let (before, after) = around(&inner)?;
        Ok(Tokenizer { bytes, before, after, ..Self::built(inner, None, bos, eos) })
    }

    /// A tokenizer that is no file of its own, and puts nothing before a text. `pieces` cuts texts, if there are any.
    pub(crate) fn built(
        inner: tokenizers::Tokenizer,
        pieces: Option<SentencePiece>,
        bos: Option<u32>,
        eos: Vec<u32>,
    ) -> Self {
        Tokenizer {
            decodes_in_pieces: decodes_in_pieces(inner.get_decoder()),
            inner,
            pieces: pieces.map(Arc::new),
            bytes: Vec::new(),
            bos,
            beginning: bos.or(eos.first().copied()),
            eos,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// The tokens of a text, none added.
    ///
    /// # Errors
    /// `BadInput` if the tokenizer has no token for something in the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if let Some(pieces) = &self.pieces {
            return self.encode_pieces(pieces, text);
        }
        let encoding = guarded("tokenizing a text", || self.inner.encode_fast(text, false));
        Ok(encoding.map_err(|error| failed("cannot tokenize a text", error))?.get_ids().to_vec())
    }

    /// The tokens of a text by SentencePiece's merges, between those tokens that are written as they are.
    fn encode_pieces(&self, pieces: &SentencePiece, text: &str) -> Result<Vec<u32>> {
        let added = self.inner.get_added_vocabulary();
        let fragments = added.extract_and_normalize::<NormalizerWrapper>(None, text);
        let mut tokens = Vec::new();
        let mut begins = true;
        for (fragment, _, token) in fragments.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            match token {
                Some(token) => tokens.extend(token.iter().map(|token| token.id)),
                None => pieces.encode(fragment, begins, &mut tokens)?,
            }
            begins = token.is_some();
        }
        Ok(tokens)
    }

    /// The text of tokens, special tokens left out. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// `BadInput` if the tokenizer's own decoder fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        let text = guarded("turning tokens into text", || self.inner.decode(tokens, true));
        text.map_err(|error| failed("cannot turn tokens into text", error))
    }

    /// Whether text is made token by token, apart from how a text begins and from characters of several tokens: tokens
    /// after a piece (see [`Tokenizer::ends_piece`]) then leave its text as it is.
    #[cfg(test)]
    pub(crate) fn decodes_in_pieces(&self) -> bool {
        self.decodes_in_pieces
    }

    /// Whether a piece of text may end with this token, if its last character is complete: it shows in the text, and is no
    /// byte that becomes a character together with later ones.
    pub(crate) fn ends_piece(&self, token: u32) -> bool {
        let shows =
            |text: &String| !self.inner.get_added_vocabulary().is_special_token(text) && !text.starts_with("<0x");
        self.decodes_in_pieces && self.inner.id_to_token(token).as_ref().is_some_and(shows)
    }

    /// The beginning-of-text token that the configuration names.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The tokens that end an answer.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// Takes a special token for one more that ends an answer; what is none ends nothing.
    pub(crate) fn also_ends_with(&mut self, text: &str) {
        if let Some(token) = self.special_token(text).filter(|token| !self.eos.contains(token)) {
            self.eos.push(token);
        }
    }

    /// The token for an empty context: the beginning-of-text token, or where a model has none (Qwen, say) the first
    /// end-of-text token, as in lm-evaluation-harness.
    pub fn beginning(&self) -> Option<u32> {
        self.beginning
    }

    /// The tokens that stand before every text, mostly a beginning-of-text token or nothing.
    pub fn before(&self) -> &[u32] {
        &self.before
    }

    /// The tokens of a text after those that stand before every text, and how many these are: none where the text begins with
    /// them, or `adds_before` is false.
    ///
    /// # Errors
    /// As for [`Tokenizer::encode`].
    pub fn encode_whole(&self, text: &str, adds_before: bool) -> Result<(Vec<u32>, usize)> {
        let tokens = self.encode(text)?;
        match &self.before[..] {
            before if adds_before && !tokens.starts_with(before) => Ok(([before, &tokens].concat(), before.len())),
            _ => Ok((tokens, 0)),
        }
    }

    /// The tokens of a text that is scored from its first token on: with all that the post-processor puts around it, unless it
    /// begins with the token of an empty context, as in lm-evaluation-harness.
    ///
    /// # Errors
    /// As for [`Tokenizer::encode`].
    pub(crate) fn encode_rolling(&self, text: &str) -> Result<Vec<u32>> {
        let tokens = self.encode(text)?;
        let beginning = self.beginning.and_then(|token| self.written(token));
        match beginning.is_some_and(|beginning| text.starts_with(&beginning)) {
            true => Ok(tokens),
            false => Ok([&self.before, &tokens[..], &self.after].concat()),
        }
    }

    /// Puts other tokens before every text.
    pub(crate) fn set_before(&mut self, tokens: Vec<u32>) {
        self.before = tokens;
    }

    /// Puts nothing behind any text.
    pub(crate) fn put_nothing_after(&mut self) {
        self.after = Vec::new();
    }

    /// Sets the beginning-of-text token and the token for an empty context.
    pub(crate) fn set_beginning(&mut self, bos: Option<u32>, beginning: Option<u32>) {
        self.bos = bos;
        self.beginning = beginning;
    }

    /// How a token is written.
    pub(crate) fn written(&self, token: u32) -> Option<String> {
        self.inner.id_to_token(token)
    }

    /// The id of a token written exactly so, special or not.
    pub(crate) fn token(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    /// The id of a special token written exactly so.
    pub fn special_token(&self, text: &str) -> Option<u32> {
        let added = self.inner.get_added_vocabulary();
        if added.is_special_token(text) { self.inner.token_to_id(text) } else { None }
    }

    /// Number of tokens, added ones included.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The tokenizer as a `tokenizer.json` that puts around a text what this one does; none if it merges as SentencePiece does, which is
    /// not what such a file can say.
    ///
    /// # Errors
    /// `BadInput` if the `tokenizers` library cannot write it.
    pub(crate) fn as_file(&self) -> Result<Option<Vec<u8>>> {
        if self.pieces.is_some() {
            return Ok(None);
        }
        let text = guarded("writing a tokenizer", || self.inner.to_string(false))?;
        let json =
            |error: serde_json::Error| PluginError::bad_input("a tokenizer cannot be written").with_cause(&error);
        let mut file: Value = serde_json::from_str(&text).map_err(json)?;
        file["post_processor"] = self.around_a_text();
        serde_json::to_vec(&file).map(Some).map_err(json)
    }

    /// The post-processor that puts before a text and behind it what belongs there.
    fn around_a_text(&self) -> Value {
        if self.before.is_empty() && self.after.is_empty() {
            return Value::Null;
        }
        let name = |token: &u32| self.written(*token).unwrap_or_else(|| token.to_string());
        let special = |token| json!({ "SpecialToken": { "id": name(token), "type_id": 0 } });
        let with = |texts: &[&str]| {
            let texts = texts.iter().map(|text| json!({ "Sequence": { "id": text, "type_id": 0 } }));
            self.before.iter().map(special).chain(texts).chain(self.after.iter().map(special)).collect::<Vec<_>>()
        };
        let tokens = self.before.iter().chain(&self.after);
        let tokens = tokens.map(|token| {
            let name = name(token);
            (name.clone(), json!({ "id": name, "ids": [token], "tokens": [name] }))
        });
        json!({
            "type": "TemplateProcessing", "single": with(&["A"]), "pair": with(&["A", "B"]),
            "special_tokens": tokens.collect::<serde_json::Map<_, _>>()
        })
    }

    /// The bytes of `tokenizer.json`; none of a tokenizer from a GGUF file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What the post-processor puts before a text and behind it. A letter may be several tokens, or none, and stays the same in both
/// encodings.
fn around(inner: &tokenizers::Tokenizer) -> Result<(Vec<u32>, Vec<u32>)> {
    let encode = |special| guarded("tokenizing a letter", || inner.encode_fast("a", special));
    // A tokenizer that knows no letter at all is refused when a text is tokenized.
    let (Ok(plain), Ok(whole)) = (encode(false), encode(true)) else { return Ok(Default::default()) };
    let (plain, whole) = (plain.get_ids(), whole.get_ids());
    let at = (0..=whole.len().saturating_sub(plain.len())).find(|at| whole[*at..].starts_with(plain));
    Ok(at.map(|at| (whole[..at].to_vec(), whole[at + plain.len()..].to_vec())).unwrap_or_default())
}

/// Which decoders write each token by itself: after those that join all of them, nothing may depend on more than the
/// beginning. A replacement by anything but a space could make something that looks like a byte.
fn decodes_in_pieces(decoder: Option<&DecoderWrapper>) -> bool {
    let steps = match decoder {
        None => return true,
        Some(DecoderWrapper::Sequence(sequence)) => sequence.get_decoders(),
        Some(single) => std::slice::from_ref(single),
    };
    let mut joined = false;
    steps.iter().all(|step| match step {
        DecoderWrapper::Fuse(_) | DecoderWrapper::ByteLevel(_) => !std::mem::replace(&mut joined, true),
        DecoderWrapper::Metaspace(_) | DecoderWrapper::WordPiece(_) | DecoderWrapper::ByteFallback(_) => !joined,
        DecoderWrapper::Replace(replace) => !joined && replace.content == " ",
        DecoderWrapper::Strip(strip) => !joined || strip.stop == 0,
        DecoderWrapper::BPE(_) | DecoderWrapper::CTC(_) | DecoderWrapper::Sequence(_) => false,
    })
}

/// The `tokenizers` library panics over some files that no tokenizer was ever saved in; here
/// that is an error like any other.
pub(crate) fn guarded<T>(doing: &str, call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| PluginError::bad_input(error.to_string())),
        Err(payload) => {
            let panic = PluginError::from_panic(doing, &*payload);
            Err(PluginError::bad_input(format!("the `tokenizers` library {}", panic.message)))
        }
    }
}

fn failed(what: &str, mut error: PluginError) -> PluginError {
    error.message = format!("{what}: {}", error.message);
    error
}

#[cfg(test)]
mod tests {
    use crate::testing;
    use examiner_api::ErrorCode;

    #[test]
    fn text_goes_through_unchanged_and_special_tokens_are_recognised() {
        let tokenizer = testing::tokenizer();
        let text = "the cat said é and 漢字 \n\n  then left";
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
        assert_eq!(tokenizer.encode("<|endoftext|>").unwrap(), [0]);
        assert_eq!(tokenizer.decode(&[0, 0]).unwrap(), "");
        assert_eq!(tokenizer.special_token("<|endoftext|>"), Some(0));
        assert_eq!(tokenizer.special_token("a"), None);
        assert_eq!(tokenizer.encode("").unwrap(), [0_u32; 0]);
    }

    #[test]
    fn truncation_and_padding_of_the_file_do_not_apply() {
        let mut file: serde_json::Value = serde_json::from_slice(testing::tokenizer().bytes()).unwrap();
        file["truncation"] = serde_json::json!({
            "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0
        });
        file["padding"] = serde_json::json!({
            "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
            "pad_token": "<|endoftext|>"
        });
        let bytes = serde_json::to_vec(&file).unwrap();
        let tokenizer = super::Tokenizer::from_bytes(bytes, None, vec![]).unwrap();
        assert_eq!(tokenizer.encode("abc!?").unwrap().len(), 5);
    }

    /// Found by fuzzing: a file that was cut off within its decoder, and a decoder that takes more than there is.
    #[test]
    fn a_file_that_the_library_panics_over_is_an_error() {
        let whole = testing::tokenizer();
        let text = String::from_utf8(whole.bytes().to_vec()).unwrap();
        let within = text.find("\"decoder\":").unwrap() + 12;
        let error = super::Tokenizer::from_bytes(text[..within].into(), None, vec![]).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadInput);
        assert!(error.message.contains("the `tokenizers` library panicked while reading it"), "{error}");
        let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file["decoder"] = serde_json::json!({ "type": "Strip", "content": "a", "start": 0, "stop": 2 });
        let strips = super::Tokenizer::from_bytes(serde_json::to_vec(&file).unwrap(), None, vec![]).unwrap();
        let error = strips.decode(&strips.encode("a").unwrap()).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadInput);
        assert!(
            error.message.starts_with("cannot turn tokens into text: the `tokenizers` library panicked"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = super::Tokenizer::from_file(file.path(), None, vec![]).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadInput);
        assert!(error.message.contains(&file.path().display().to_string()), "{error}");
        let missing = super::Tokenizer::from_file("nowhere/tokenizer.json".as_ref(), None, vec![]).unwrap_err();
        assert_eq!(missing.code, ErrorCode::NotFound);
    }
}
