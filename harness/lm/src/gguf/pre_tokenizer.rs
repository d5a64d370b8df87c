//! How texts are cut before merges, by the names that `tokenizer.ggml.pre` has for it.
//!
//! A file has the name alone; what it means is llama.cpp's table (`src/llama-vocab.cpp`), of which here are the names of the
//! families that are run. Where llama.cpp rewrote a model's own expression for its engine, this is the model's own: they
//! differ in letters with a case beyond ASCII (`tekken`, `gpt-4o`).

use crate::tokenizer::guarded;
use examiner_api::Result;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

/// GPT-2's. Without its last part, `|\s+`: what no part fits is a piece of its own.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
/// Digits one by one, and then GPT-2's.
const DIGITS_AND_GPT2: [&str; 2] = [r"\p{N}", GPT2];
/// GPT-4's, with up to three digits at a time.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same with one.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// What llama.cpp had before it knew names.
const DEFAULT: [&str; 4] = [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"];
const DEEPSEEK_CODER: [&str; 5] =
    [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u{4e00}-\u{9fa5}\u{800}-\u{4e00}\u{ac00}-\u{d7ff}]+", r"\p{N}"];

/// What a name stands for.
pub(super) struct PreTokenizer {
    /// Each cuts what those before it left in one piece: what fits is a piece, and so is what lies between.
    pub(super) expressions: &'static [&'static str],
    /// Whether characters are composed first (NFC). llama.cpp does not; but the tokenizers of these models do.
    pub(super) composes: bool,
    /// Whether a piece that is a token is taken for it, whatever its merges.
    pub(super) ignores_merges: bool,
    /// Whether a beginning-of-text token is put before a text where the file does not say.
    pub(super) adds_bos: bool,
}

impl PreTokenizer {
    /// The cuts, one after the other.
    ///
    /// # Errors
    /// `BadInput` if the library takes one of the expressions for none.
    pub(super) fn steps(&self) -> Result<Vec<PreTokenizerWrapper>> {
        let split = |expression: &&str| {
            let pattern = SplitPattern::Regex((*expression).to_owned());
            let split = guarded("cutting texts", || Split::new(pattern, SplitDelimiterBehavior::Isolated, false))?;
            Ok(PreTokenizerWrapper::from(split))
        };
        self.expressions.iter().map(split).collect()
    }
}

/// What a name stands for, if it is known.
pub(super) fn named(name: &str) -> Option<PreTokenizer> {
    let plain = |expressions| PreTokenizer { expressions, composes: false, ignores_merges: false, adds_bos: false };
    Some(match name {
        "default" => plain(&DEFAULT),
        "gpt-2" | "phi-2" | "mpt" | "exaone4" | "trillion" | "granite-docling" => plain(&[GPT2]),
        "olmo" => PreTokenizer { composes: true, ..plain(&[GPT2]) },
        "smollm" | "refact" | "starcoder" | "command-r" | "codeshell" | "exaone" | "minerva-7b" => {
            plain(&DIGITS_AND_GPT2)
        }
        "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "pixtral" | "midm-2.0" => {
            PreTokenizer { ignores_merges: true, adds_bos: true, ..plain(&[LLAMA3]) }
        }
        "dbrx" | "smaug-bpe" => plain(&[LLAMA3]),
        "qwen2" => PreTokenizer { composes: true, ..plain(&[QWEN2]) },
        "deepseek-r1-qwen" | "megrez" | "stablelm2" => plain(&[QWEN2]),
        "tekken" => PreTokenizer { ignores_merges: true, adds_bos: true, ..plain(&[TEKKEN]) },
        "gpt-4o" | "llama4" | "kanana2" => plain(&[GPT4O]),
        "deepseek-coder" => plain(&DEEPSEEK_CODER),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _};

    /// What a name makes of a text, its pieces side by side.
    fn cut(name: &str, text: &str) -> String {
        let mut pieces = PreTokenizedString::from(text);
        for step in named(name).unwrap().steps().unwrap() {
            step.pre_tokenize(&mut pieces).unwrap();
        }
        let pieces = pieces.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        pieces.into_iter().map(|(piece, ..)| piece).collect::<Vec<_>>().join("|")
    }

    /// The pieces are those that llama.cpp's own spelling of the expressions gives in Python's `regex`.
    #[test]
    fn names_cut_texts_as_llama_cpp_does() {
        for (names, expected) in [
            (&["gpt-2", "olmo", "mpt", "phi-2"][..], "I|'|LL| pay| $|1234|.|5| forMe|\n\n | (|now|)"),
            (
                &["llama-bpe", "llama3", "dbrx", "smaug-bpe", "falcon3"],
                "I|'LL| pay| $|123|4|.|5| forMe|\n\n| | (|now|)",
            ),
            (&["qwen2", "deepseek-r1-qwen", "megrez"], "I|'LL| pay| $|1|2|3|4|.|5| forMe|\n\n| | (|now|)"),
            (&["smollm", "refact", "starcoder", "exaone"], "I|'|LL| pay| $|1|2|3|4|.|5| forMe|\n\n | (|now|)"),
            (&["tekken"], "I|'LL| pay| $|1|2|3|4|.|5| for|Me|\n\n| | (|now|)"),
            (&["gpt-4o", "llama4"], "I'LL| pay| $|123|4|.|5| for|Me|\n\n| | (|now|)"),
            (&["default"], "I|'|LL| pay| |$|123|4|.|5| forMe|\n\n  |(|now|)"),
            (&["deepseek-coder"], "I|'|LL| pay| $|1|2|3|4|.|5| forMe|\n|\n| | (|now|)"),
        ] {
            for name in names {
                assert_eq!(cut(name, "I'LL pay $1234.5 forMe\n\n  (now)"), expected, "{name}");
            }
        }
        assert!(named("jais").is_none());
    }
}
