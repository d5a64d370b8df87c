//! The text of a growing answer, decoded a few tokens at a time.
//!
//! **The law.** At every step the text is what decoding all tokens at once gives. Text is settled where no later token can
//! change it; a step then decodes the tokens after that, behind those of the last settled stretch as context, because
//! decoders write the first token of a text differently. Where a tokenizer's decoder gives no such guarantee
//! ([`Tokenizer::ends_piece`]), nothing is ever settled, and every step decodes the whole.

use crate::Tokenizer;
use examiner_api::{PluginError, Result};

/// The settled text of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Detokenizer {
    /// Of all tokens before `settled`.
    text: String,
    /// The first token of the context.
    context: usize,
    /// The first token that is not settled.
    settled: usize,
    /// What the context decodes to by itself.
    context_text: String,
}

/// What further tokens add to the settled text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extension {
    /// The text after the settled one. Without later tokens, characters at its end may be incomplete.
    pub(crate) text: String,
    /// If all of it is settled: how many tokens that are, and what those since the last settled one decode to.
    settles: Option<(usize, String)>,
}

impl Detokenizer {
    /// The text that no later token changes.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// How many of an answer's first tokens [`Detokenizer::extend`] does not need.
    pub(crate) fn skipped(&self) -> usize {
        self.context
    }

    /// Decodes `tokens`, which are all of the answer's but the first [`Detokenizer::skipped`].
    ///
    /// # Errors
    /// `BadInput` if the tokenizer's own decoder fails.
    pub(crate) fn extend(&self, tokenizer: &Tokenizer, tokens: &[u32]) -> Result<Extension> {
        let text = tokenizer.decode(tokens)?;
        let text = text.strip_prefix(&self.context_text).ok_or_else(|| {
            PluginError::bad_input("the tokenizer's decoder changed the text of earlier tokens")
                .with_help("its `decoder` in `tokenizer.json` may be wrongly configured")
        })?;
        let text = text.to_owned();
        let complete = !text.ends_with(char::REPLACEMENT_CHARACTER);
        if !complete || !tokens.last().is_some_and(|&last| tokenizer.ends_piece(last)) {
            return Ok(Extension { text, settles: None });
        }
        // An empty context would leave it open which token is the first of the text.
        let context_text = tokenizer.decode(&tokens[self.settled - self.context..])?;
        let settles = (!context_text.is_empty()).then_some((self.context + tokens.len(), context_text));
        Ok(Extension { text, settles })
    }

    /// Takes over what is settled of an extension.
    pub(crate) fn accept(&mut self, extension: Extension) {
        if let Some((tokens, context_text)) = extension.settles {
            self.text.push_str(&extension.text);
            self.context = self.settled;
            self.settled = tokens;
            self.context_text = context_text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// Words, parts of words, bytes of characters of two to four bytes and of none, and a special token.
    const TOKENS: [&str; 24] = [
        "<s>", "▁", "▁the", "the", "a", "##b", "n</w>", " ", "é", "漢", "🦀", "\u{fffd}", "<0x41>", "<0xC3>", "<0xA9>",
        "<0xF0>", "<0x9F>", "<0xA6>", "<0x80>", "<0xFF>", "<0x0A>", "▁▁", ".", "<|turn|>",
    ];

    fn tokenizer(decoder: Value) -> Tokenizer {
        let vocabulary: serde_json::Map<_, _> =
            TOKENS.iter().enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect();
        let special = |id: usize| {
            json!({ "id": id, "content": TOKENS[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
        };
        let file = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
            "post_processor": null, "added_tokens": [special(0), special(23)], "decoder": decoder,
            "model": { "type": "WordLevel", "unk_token": "<s>", "vocab": vocabulary }
        });
        Tokenizer::from_bytes(serde_json::to_vec(&file).unwrap(), Some(0), vec![0]).unwrap()
    }

    /// The decoders of checkpoints, and whether they decode in pieces.
    fn decoders() -> Vec<(Value, bool)> {
        let replace = json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " });
        let (bytes, fuse) = (json!({ "type": "ByteFallback" }), json!({ "type": "Fuse" }));
        let strip =
            |start: usize, stop: usize| json!({ "type": "Strip", "content": " ", "start": start, "stop": stop });
        let sequence = |decoders: &[&Value]| json!({ "type": "Sequence", "decoders": decoders });
        let metaspace =
            |scheme: &str| json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true });
        let byte_level =
            json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
        vec![
            // Llama 2, Gemma, T5, GPT-2, BERT.
            (sequence(&[&replace, &bytes, &fuse, &strip(1, 0)]), true),
            (sequence(&[&replace, &bytes, &fuse]), true),
            (sequence(&[&bytes, &metaspace("always")]), true),
            (metaspace("first"), true),
            (metaspace("never"), true),
            (byte_level.clone(), true),
            (json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }), true),
            (Value::Null, true),
            (sequence(&[&replace, &fuse, &strip(3, 0)]), true),
            (sequence(&[&fuse, &replace]), false),
            (sequence(&[&fuse, &byte_level]), false),
            (json!({ "type": "BPEDecoder", "suffix": "</w>" }), false),
            (json!({ "type": "CTC", "pad_token": "a", "word_delimiter_token": "▁", "cleanup": true }), false),
        ]
    }

    /// The text after each token, and how many tokens were decoded for it.
    fn grow(tokenizer: &Tokenizer, tokens: &[u32]) -> (Vec<String>, usize) {
        let mut detokenizer = Detokenizer::default();
        let mut decoded = 0;
        let texts = (1..=tokens.len()).map(|length| {
            let open = &tokens[detokenizer.skipped()..length];
            decoded += open.len();
            let extension = detokenizer.extend(tokenizer, open).unwrap();
            let text = format!("{}{}", detokenizer.text(), extension.text);
            detokenizer.accept(extension);
            text
        });
        (texts.collect(), decoded)
    }

    fn check(tokenizer: &Tokenizer, tokens: &[u32]) -> Result<(), TestCaseError> {
        let (texts, _) = grow(tokenizer, tokens);
        for (length, text) in (1..).zip(texts) {
            prop_assert_eq!(&text, &tokenizer.decode(&tokens[..length]).unwrap(), "{:?}", &tokens[..length]);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(400))]

        #[test]
        fn every_step_is_the_text_of_all_tokens(tokens in prop::collection::vec(0..TOKENS.len() as u32 + 1, 0..40)) {
            for (decoder, _) in decoders() {
                check(&tokenizer(decoder), &tokens)?;
            }
        }

        /// Tokens of single bytes, of which most make no character.
        #[test]
        fn every_step_is_the_text_of_all_bytes(tokens in prop::collection::vec(0_u32..266, 0..40), text in "[a-c é漢🦀]{0,12}") {
            let tokenizer = testing::tokenizer();
            check(&tokenizer, &tokens)?;
            check(&tokenizer, &[tokenizer.encode(&text).unwrap(), tokens].concat())?;
        }
    }

    #[test]
    fn decoders_are_known_by_what_they_promise() {
        for (decoder, in_pieces) in decoders() {
            assert_eq!(tokenizer(decoder.clone()).decodes_in_pieces(), in_pieces, "{decoder}");
        }
    }

    #[test]
    fn a_long_answer_is_not_decoded_again_and_again() {
        let tokens: Vec<u32> = [2, 4, 8, 13, 14, 3].repeat(200);
        for (decoder, in_pieces) in decoders() {
            let (_, decoded) = grow(&tokenizer(decoder.clone()), &tokens);
            assert_eq!(decoded < 8 * tokens.len(), in_pieces, "{decoder}: {decoded}");
        }
    }

    /// A later byte turns all bytes before it into none: nothing within a run of bytes is settled.
    #[test]
    fn a_run_of_bytes_is_settled_at_its_end() {
        let (llama, _) = decoders().swap_remove(0);
        let (texts, _) = grow(&tokenizer(llama), &[4, 13, 14, 13, 4]);
        assert_eq!(texts, ["a", "a\u{fffd}", "aé", "a\u{fffd}\u{fffd}\u{fffd}", "a\u{fffd}\u{fffd}\u{fffd}a"]);
    }
}
