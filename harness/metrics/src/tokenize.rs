//! The tokenizers of sacreBLEU that are rules: `13a`, `zh`, `char`, `none`.

use crate::error::{Result, unsupported};
use crate::unicode::{split, strip};

/// How a text is split into tokens for BLEU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tokenization {
    /// The rules of `mteval-v13a`, for languages with spaces between words.
    #[default]
    V13a,
    /// Each Chinese character by itself, the rest by the rules of `13a`.
    Chinese,
    /// Each character.
    Characters,
    /// White space.
    None,
}

impl Tokenization {
    /// The tokenizer of this name in sacreBLEU.
    ///
    /// # Errors
    /// There is none of this name, or it needs a model.
    pub fn named(name: &str) -> Result<Tokenization> {
        match name {
            "13a" => Ok(Tokenization::V13a),
            "zh" => Ok(Tokenization::Chinese),
            "char" => Ok(Tokenization::Characters),
            "none" => Ok(Tokenization::None),
            _ => unsupported(format!(
                "expected one of `13a`, `zh`, `char`, `none` as tokenizer of BLEU, found `{name}`; those that need a model or \
                 tables of another version of Unicode are not supported"
            )),
        }
    }
}

/// The tokens of a text, with spaces between.
pub(crate) fn tokenized(text: &str, how: Tokenization) -> String {
    match how {
        Tokenization::None => text.to_owned(),
        Tokenization::Characters => {
            let mut spaced = String::with_capacity(2 * text.len());
            text.chars().for_each(|c| spaced.extend([c, ' ']));
            spaced
        }
        Tokenization::Chinese => {
            let mut spaced = String::with_capacity(2 * text.len());
            for c in strip(text).chars() {
                match is_chinese(c) {
                    true => spaced.extend([' ', c, ' ']),
                    false => spaced.push(c),
                }
            }
            western(&spaced)
        }
        Tokenization::V13a => {
            let mut text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
            if text.contains('&') {
                text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
            }
            western(&format!(" {text} "))
        }
    }
}

/// What of a text the tokenizer `zh` splits off. The range at the end is what is left of the ideographs above the first plane, whose
/// codes sacreBLEU writes with four digits and a fifth character.
fn is_chinese(c: char) -> bool {
    matches!(u32::from(c),
        0x3400..=0x4db5 | 0x4e00..=0x9fbb | 0xf900..=0xfa2d | 0xfa30..=0xfa6a | 0xfa70..=0xfad9 | 0xff00..=0xffef
        | 0x2e80..=0x2eff | 0x3000..=0x303f | 0x31c0..=0x31ef | 0x2f00..=0x2fdf | 0x2ff0..=0x2fff | 0x3100..=0x312f
        | 0x31a0..=0x31bf | 0xfe10..=0xfe1f | 0xfe30..=0xfe4f | 0x2600..=0x27bf | 0x3200..=0x33ff
        | 0x2001..=0x2a6d)
}

/// Splits off punctuation of western languages; periods and commas between digits, and hyphens that follow no digit, are kept.
fn western(text: &str) -> String {
    let split_off = points(&punctuation(text));
    split(&split_off).collect::<Vec<_>>().join(" ")
}

fn is_point(c: char) -> bool {
    matches!(c, '.' | ',')
}

/// A text with spaces around ASCII's punctuation, but for apostrophe, comma, hyphen and period.
pub(crate) fn punctuation(text: &str) -> String {
    let mut spaced = String::with_capacity(2 * text.len());
    for c in text.chars() {
        match c {
            '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/' => spaced.extend([' ', c, ' ']),
            _ => spaced.push(c),
        }
    }
    spaced
}

/// Spaces around periods, commas and hyphens, by the digits beside them.
pub(crate) fn points(text: &str) -> String {
    let split_off =
        pairs(text, |one, other| !one.is_ascii_digit() && is_point(other), |one, other| [one, ' ', other, ' ']);
    let split_off =
        pairs(&split_off, |one, other| is_point(one) && !other.is_ascii_digit(), |one, other| [' ', one, ' ', other]);
    pairs(&split_off, |one, other| one.is_ascii_digit() && other == '-', |one, other| [one, ' ', other, ' '])
}

/// Replaces pairs of neighbours, from left to right; a character is part of one pair.
fn pairs(text: &str, is_pair: impl Fn(char, char) -> bool, replaced: impl Fn(char, char) -> [char; 4]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(one) = chars.next() {
        match chars.next_if(|other| is_pair(one, *other)) {
            Some(other) => out.extend(replaced(one, other)),
            None => out.push(one),
        }
    }
    out
}
