//! SentencePiece's BPE: neighbours are merged by the score of the piece that they make.
//!
//! The best score goes first, and of equal scores the leftmost. A list of ranked pairs, as the `tokenizers` library has it, is
//! not quite the same: there two ways to make one piece have two ranks, and pieces of equal scores an order.

use examiner_api::{PluginError, Result};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// What stands for a space.
pub(crate) const SPACE: &str = "\u{2581}";

/// The pieces of a vocabulary.
#[derive(Debug)]
pub(crate) struct SentencePiece {
    /// By their text: id and score.
    pub(crate) pieces: HashMap<String, (u32, f32)>,
    /// The tokens of single bytes, where the vocabulary has all of them.
    pub(crate) bytes: Option<Vec<u32>>,
    /// The token for what has none, if there are no tokens of bytes.
    pub(crate) unknown: Option<u32>,
    /// Whether a space is put before a text, and before what follows a special token.
    pub(crate) adds_space: bool,
}

/// A part of the text, from one byte to another, in a list of neighbours.
struct Symbol {
    start: usize,
    end: usize,
    before: Option<usize>,
    after: Option<usize>,
}

/// A merge that was possible when it was found.
struct Merge {
    score: f32,
    left: usize,
    right: usize,
    /// Where the two ended then: one of them may have grown since.
    ends: (usize, usize),
}

impl Ord for Merge {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Merge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Merge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Merge {}

impl SentencePiece {
    /// Adds the tokens of a text without special tokens. `begins` is whether it begins the whole, or follows a special token.
    ///
    /// # Errors
    /// `BadInput` for a character that is no piece, where there are neither tokens of bytes nor an unknown token.
    pub(crate) fn encode(&self, text: &str, begins: bool, tokens: &mut Vec<u32>) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let space = if self.adds_space && begins { SPACE } else { "" };
        let text = format!("{space}{}", text.replace(' ', SPACE));
        let mut was_unknown = false;
        for part in self.merged(&text) {
            let piece = self.pieces.get(part);
            match piece {
                Some((id, _)) => tokens.push(*id),
                None => self.encode_unknown(part, was_unknown, tokens)?,
            }
            was_unknown = piece.is_none();
        }
        Ok(())
    }

    /// A character that is no piece: its bytes, or one unknown token for all that stand side by side.
    fn encode_unknown(&self, part: &str, was_unknown: bool, tokens: &mut Vec<u32>) -> Result<()> {
        match (&self.bytes, self.unknown) {
            (Some(bytes), _) => tokens.extend(part.bytes().map(|byte| bytes[usize::from(byte)])),
            (None, Some(unknown)) if !was_unknown => tokens.push(unknown),
            (None, Some(_)) => {}
            (None, None) => return Err(PluginError::bad_input(format!("the tokenizer has no token for `{part}`"))),
        }
        Ok(())
    }

    /// The parts of a text that nothing can be merged of any more.
    fn merged<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let mut symbols = characters(text);
        let mut merges = BinaryHeap::new();
        for right in 1..symbols.len() {
            merges.extend(self.merge(text, &symbols, right - 1, right));
        }
        while let Some(Merge { left, right, ends, .. }) = merges.pop() {
            let is_merged = |symbol: &Symbol| symbol.start == symbol.end;
            if (symbols[left].end, symbols[right].end) != ends
                || is_merged(&symbols[left])
                || is_merged(&symbols[right])
            {
                continue;
            }
            let after = symbols[right].after;
            symbols[left].end = symbols[right].end;
            symbols[left].after = after;
            // What is merged into its left neighbour is empty from then on.
            symbols[right].start = symbols[right].end;
            if let Some(after) = after {
                symbols[after].before = Some(left);
                merges.extend(self.merge(text, &symbols, left, after));
            }
            if let Some(before) = symbols[left].before {
                merges.extend(self.merge(text, &symbols, before, left));
            }
        }
        symbols.into_iter().filter(|symbol| symbol.start < symbol.end).map(|symbol| &text[symbol.start..symbol.end])
    }

    /// The merge of two neighbours, if together they are a piece.
    fn merge(&self, text: &str, symbols: &[Symbol], left: usize, right: usize) -> Option<Merge> {
        let ends = (symbols[left].end, symbols[right].end);
        let (_, score) = self.pieces.get(&text[symbols[left].start..ends.1])?;
        Some(Merge { score: *score, left, right, ends })
    }
}

/// Every character as a symbol of its own.
fn characters(text: &str) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
    for (start, character) in text.char_indices() {
        let index = symbols.len();
        if let Some(last) = symbols.last_mut() {
            last.after = Some(index);
        }
        symbols.push(Symbol { start, end: start + character.len_utf8(), before: index.checked_sub(1), after: None });
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vocabulary(pieces: &[(&str, f32)]) -> SentencePiece {
        let pieces = pieces.iter().zip(0..).map(|((text, score), id)| ((*text).to_owned(), (id, *score))).collect();
        SentencePiece { pieces, bytes: None, unknown: Some(99), adds_space: false }
    }

    /// The rule, word by word: of all neighbours that make a piece, merge the best, the leftmost of equals, and begin again.
    fn slowly(vocabulary: &SentencePiece, text: &str) -> Vec<String> {
        let mut parts: Vec<String> = text.chars().map(String::from).collect();
        loop {
            let mut best: Option<(f32, usize)> = None;
            for left in 0..parts.len().saturating_sub(1) {
                let both = format!("{}{}", parts[left], parts[left + 1]);
                if let Some((_, score)) = vocabulary.pieces.get(&both)
                    && best.is_none_or(|(best, _)| *score > best)
                {
                    best = Some((*score, left));
                }
            }
            let Some((_, left)) = best else { return parts };
            let right = parts.remove(left + 1);
            parts[left].push_str(&right);
        }
    }

    proptest! {
        #[test]
        fn merges_are_those_of_the_rule(
            pieces in prop::collection::btree_map("[ab\u{e9}]{2,4}", -4_i8..0, 0..24), text in "[ab\u{e9}c]{0,24}",
        ) {
            // Few scores, so that many are equal.
            let pieces: Vec<(&str, f32)> =
                pieces.iter().map(|(text, score)| (text.as_str(), f32::from(*score))).collect();
            let vocabulary = vocabulary(&pieces);
            prop_assert_eq!(vocabulary.merged(&text).collect::<Vec<_>>(), slowly(&vocabulary, &text));
        }
    }

    #[test]
    fn equal_pieces_are_merged_from_the_left() {
        // `aba` is made of `ab a` and of `a ba`; with ranks of pairs, one of the two always went first.
        let vocabulary = vocabulary(&[("a", -9.0), ("b", -9.0), ("ab", -1.0), ("ba", -1.0), ("aba", -2.0)]);
        assert_eq!(vocabulary.merged("abaab").collect::<Vec<_>>(), ["aba", "ab"]);
        assert_eq!(vocabulary.merged("babaa").collect::<Vec<_>>(), ["ba", "ba", "a"]);
    }

    #[test]
    fn what_is_no_piece_is_bytes_or_one_unknown_token() {
        let encode = |vocabulary: &SentencePiece, text: &str| {
            let mut tokens = Vec::new();
            vocabulary.encode(text, true, &mut tokens).map(|()| tokens)
        };
        let mut vocabulary = vocabulary(&[(SPACE, -1.0), ("a", -2.0)]);
        assert_eq!(encode(&vocabulary, "a\u{e9}\u{e9}a\u{e9}").unwrap(), [1, 99, 1, 99]);
        vocabulary.unknown = None;
        assert!(encode(&vocabulary, "\u{e9}").unwrap_err().message.contains("no token for `\u{e9}`"));
        vocabulary.bytes = Some((1000..1256).collect());
        assert_eq!(encode(&vocabulary, "a \u{e9}").unwrap(), [1, 0, 1000 + 0xc3, 1000 + 0xa9]);
        vocabulary.adds_space = true;
        assert_eq!(encode(&vocabulary, "a").unwrap(), [0, 1]);
        assert_eq!(encode(&vocabulary, "").unwrap(), [0_u32; 0]);
    }
}
