//! A byte-level byte-pair encoding like GPT-2's, trained on the rows.

use super::options::TokenizerOptions;
use super::rows::Line;
use examiner_api::{PluginError, Result};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{AddedToken, Tokenizer};

/// What ends a text, as in GPT-2's own vocabulary.
pub(super) const END: &str = "<|endoftext|>";

/// The bytes of a `tokenizer.json`.
pub(super) fn train(options: &TokenizerOptions, lines: &[Line]) -> Result<Vec<u8>> {
    let failed = |error: tokenizers::Error| {
        PluginError::bad_input(format!("cannot train a tokenizer of {} tokens: {error}", options.vocab_size))
    };
    if options.vocab_size < 257 {
        let message = format!("`vocab_size: {}`: there are 256 bytes and an end of text", options.vocab_size);
        return Err(PluginError::bad_options(message).with_help("write 257 or more"));
    }
    let trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(options.vocab_size)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END, true)])
        .build();
    let mut tokenizer = Tokenizer::new(BPE::default());
    let bytes = ByteLevel::new(false, true, true);
    tokenizer.with_pre_tokenizer(Some(match options.split_digits {
        true => PreTokenizerWrapper::from(Sequence::new(vec![Digits::new(true).into(), bytes.into()])),
        false => bytes.into(),
    }));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let texts: Vec<String> = lines.iter().filter(|line| line.is_text()).map(Line::text).collect();
    let mut trainer = TrainerWrapper::from(trainer);
    tokenizer.train(&mut trainer, texts.iter()).map_err(failed)?;
    Ok(tokenizer.to_string(true).map_err(failed)?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_tokens_of_their_own_if_asked_for() {
        let lines = vec![Line::of_texts("12 + 12 = ", "24 because 12 and 12 are 24"); 3];
        for (split_digits, tokens) in [(true, 3), (false, 1)] {
            let options = TokenizerOptions { vocab_size: 300, split_digits, path: None };
            let bytes = train(&options, &lines).unwrap();
            assert_eq!(bytes, train(&options, &lines).unwrap(), "the same rows make the same tokenizer");
            let tokenizer = examiner_lm::Tokenizer::from_bytes(bytes, None, vec![]).unwrap();
            assert_eq!(tokenizer.encode("a 12").unwrap().len() - 1, tokens, "`split_digits: {split_digits}`");
            assert_eq!(tokenizer.decode(&tokenizer.encode("12 é\n漢").unwrap()).unwrap(), "12 é\n漢");
            assert!(tokenizer.special_token(END).is_some() && tokenizer.vocabulary() <= 300);
        }
        let small = TokenizerOptions { vocab_size: 100, ..TokenizerOptions::default() };
        assert!(train(&small, &lines).unwrap_err().message.contains("256 bytes"));
    }
}
