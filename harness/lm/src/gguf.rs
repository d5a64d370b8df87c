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
use tokenizers::{AddedToken, DecoderWrapper};

/// What to do about a tokenizer that cannot be built.
pub(crate) const HELP: &str = "name the checkpoint's own `tokenizer.json` with the option `tokenizer`";

/// What turns end with, for files that do not say which token does.
const TURN_ENDS: [&str; 5] = ["<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"];

/// How byte-level vocabularies write a space.
const BYTE_SPACE: &str = "\u{120}";

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
        let vocabulary = self.vocabulary();
        if !vocabulary.contains_key(BYTE_SPACE) {
            return Err(wrong(format!(
                "there is no token `{BYTE_SPACE}` for a space; expected tokens written in bytes"
            )));
        }
        let builder = BPE::builder().vocab_and_merges(vocabulary, merges).ignore_merges(pre.ignores_merges);
        let mut inner = tokenizers::Tokenizer::new(guarded("building it", || builder.build())?);
        let mut steps = pre.steps()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use examiner_api::ErrorCode;

    /// `gpt2`: the tokenizer of the other tests, described.
    fn byte_level() -> GgufTokenizer {
        let file: serde_json::Value = serde_json::from_slice(testing::tokenizer().bytes()).unwrap();
        let mut described = examiner_test_support::checkpoint::Gguf::default();
        described.set_tokenizer(&file, "gpt-2");
        let mut tokenizer =
            GgufTokenizer { model: "gpt2".to_owned(), pre: Some("gpt-2".to_owned()), ..Default::default() };
        for (key, item) in described.items {
            use examiner_test_support::checkpoint::GgufItem::{I32s, Texts};
            match (key.as_str(), item) {
                ("tokenizer.ggml.tokens", Texts(tokens)) => tokenizer.tokens = tokens,
                ("tokenizer.ggml.token_type", I32s(kinds)) => {
                    tokenizer.kinds = kinds.into_iter().map(i64::from).collect()
                }
                ("tokenizer.ggml.merges", Texts(merges)) => tokenizer.merges = Some(merges),
                _ => {}
            }
        }
        tokenizer
    }

    /// `llama`: bytes, letters, some pieces, and the three kinds of tokens that are found before a text is cut.
    fn pieces() -> GgufTokenizer {
        let special = [("<unk>", kind::UNKNOWN), ("<s>", kind::CONTROL), ("</s>", kind::CONTROL)];
        let bytes = (0..=u8::MAX).map(|byte| (format!("<0x{byte:02X}>"), 6));
        let normal = ["\u{2581}", "a", "b", "c", "\u{2581}a", "ab", "\u{2581}ab", "bc"];
        let user = [("\n\n", kind::USER_DEFINED), ("<end_of_turn>", kind::CONTROL)];
        let named = |(text, kind): (&str, i64)| (text.to_owned(), kind);
        let normal = normal.into_iter().map(|text| (text.to_owned(), 1));
        let all = special.into_iter().map(named).chain(bytes).chain(normal).chain(user.into_iter().map(named));
        let (tokens, kinds): (Vec<String>, Vec<i64>) = all.unzip();
        let scores = (0..tokens.len()).map(|id| -(id as f32)).collect();
        GgufTokenizer {
            model: "llama".to_owned(),
            tokens,
            kinds,
            scores: Some(scores),
            bos: Some(1),
            ends: vec![2],
            unknown: Some(0),
            ..Default::default()
        }
    }

    #[test]
    fn byte_level_bpe_is_that_of_the_file_it_was_made_of() {
        let (built, original) = (byte_level().build().unwrap(), testing::tokenizer());
        for text in ["the cat said \u{e9} and \u{6f22}\u{5b57} \n\n  then left", "<|endoftext|> 12", "", " a"] {
            let tokens = built.encode(text).unwrap();
            assert_eq!(tokens, original.encode(text).unwrap(), "{text}");
            assert_eq!(built.decode(&tokens).unwrap(), original.decode(&tokens).unwrap());
        }
        assert_eq!(built.before(), [0_u32; 0]);
        assert!(built.decodes_in_pieces());
    }

    #[test]
    fn pieces_are_merged_between_the_tokens_that_stand_in_the_text() {
        let built = pieces().build().unwrap();
        let id = |text: &str| built.token(text).unwrap();
        let check = |text: &str, expected: &[&str]| {
            let tokens = built.encode(text).unwrap();
            let written: Vec<String> = tokens.iter().map(|token| built.written(*token).unwrap()).collect();
            assert_eq!(written, expected, "{text:?}");
        };
        // Of the pieces in it, `\u{2581}a` has the best score, and `bc` the worst.
        check("abc", &["\u{2581}ab", "c"]);
        check("a abc", &["\u{2581}a", "\u{2581}ab", "c"]);
        check("", &[]);
        check("<s>a</s>", &["<s>", "\u{2581}a", "</s>"]);
        check("a\n\na\n", &["\u{2581}a", "\n\n", "\u{2581}a", "<0x0A>"]);
        check("\u{e9}", &["\u{2581}", "<0xC3>", "<0xA9>"]);
        let tokens = built.encode("<s>a b\u{e9}</s>").unwrap();
        assert_eq!(built.decode(&tokens).unwrap(), "a b\u{e9}");
        assert_eq!((built.bos(), built.eos(), built.special_token("\n\n")), (Some(1), &[2][..], None));
        assert!(built.ends_piece(id("ab")) && !built.ends_piece(id("<0x0A>")) && !built.ends_piece(id("</s>")));

        let plain = GgufTokenizer { add_space_prefix: Some(false), ..pieces() }.build().unwrap();
        assert_eq!(plain.encode("abc").unwrap(), [id("ab"), id("c")]);
        assert_eq!(plain.decode(&plain.encode(" a").unwrap()).unwrap(), " a");
        let stripping = GgufTokenizer { strips_right: true, ..pieces() }.build().unwrap();
        assert_eq!(stripping.encode("</s>  a<s> a").unwrap(), [2, id("\u{2581}a"), 1, id("\u{2581}"), id("\u{2581}a")]);
    }

    #[test]
    fn answers_end_where_the_file_or_its_template_says() {
        let with = |template: &str| GgufTokenizer { chat_template: Some(template.to_owned()), ..pieces() };
        let end = pieces().tokens.len() as u32 - 1;
        assert_eq!(with("{{ messages }}").ends(), [2]);
        assert_eq!(with("{{ messages }}<end_of_turn>").ends(), [2, end]);
        assert_eq!(GgufTokenizer { ends: vec![end, 2, end], ..with("<end_of_turn>") }.ends(), [end, 2]);
    }

    #[test]
    fn texts_begin_by_flag_model_or_name() {
        let (yes, what) = pieces().adds_bos();
        assert!(yes && what.contains("`tokenizer.ggml.model: llama`"), "{what}");
        let (no, what) = byte_level().adds_bos();
        assert!(!no && what.contains("`tokenizer.ggml.pre: gpt-2`"), "{what}");
        assert!(GgufTokenizer { pre: Some("llama-bpe".to_owned()), ..byte_level() }.adds_bos().0);
        let (no, what) = GgufTokenizer { add_bos: Some(false), ..pieces() }.adds_bos();
        assert!(!no && what == "`tokenizer.ggml.add_bos_token`", "{what}");
    }

    #[test]
    fn what_is_wrong_with_a_description_is_said() {
        type Change = fn(&mut GgufTokenizer);
        let table: [(GgufTokenizer, Change, &str); 13] = [
            (byte_level(), |t| t.model = "t5".to_owned(), "`tokenizer.ggml.model: t5` is not supported"),
            (byte_level(), |t| t.pre = None, "there is no `pre`"),
            (byte_level(), |t| t.pre = Some("x".to_owned()), "`tokenizer.ggml.pre: x` is not a way to cut texts"),
            (byte_level(), |t| t.merges = None, "there are no `merges`"),
            (byte_level(), |t| t.merges = Some(vec!["ab".to_owned()]), "`ab` in `merges` is not two tokens"),
            (byte_level(), |t| t.merges = Some(vec!["ab zz".to_owned()]), "out of vocabulary"),
            (
                byte_level(),
                |t| t.tokens.iter_mut().for_each(|t| *t = t.replace(BYTE_SPACE, SPACE)),
                "no token `\u{120}` for a space",
            ),
            (byte_level(), |t| t.kinds.truncate(3), "`token_type` has "),
            (byte_level(), |t| t.bos = Some(1 << 20), "`bos_token_id` is 1048576; expected one of "),
            (pieces(), |t| t.tokens[5] = "<s>".to_owned(), "the tokens 1 and 5 are both `<s>`"),
            (pieces(), |t| t.scores = None, "there are no `scores`"),
            (pieces(), |t| t.scores = Some(vec![0.0; 3]), "`scores` has 3 values; expected "),
            (pieces(), |t| t.scores.as_mut().unwrap()[4] = f32::NAN, "the score of token 4 is NaN"),
        ];
        for (mut described, change, said) in table {
            change(&mut described);
            let error = described.build().unwrap_err();
            assert!(error.message.contains(said), "`{said}` is not in: {error}");
            assert!(matches!(error.code, ErrorCode::BadInput | ErrorCode::Unsupported));
        }
        // An empty token is no two tokens of one text.
        let mut described = pieces();
        described.tokens[5] = String::new();
        described.tokens[6] = String::new();
        described.build().unwrap();
    }
}
