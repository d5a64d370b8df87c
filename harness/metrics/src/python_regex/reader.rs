//! The characters of a pattern, with what begins an escape kept together.

use super::error::PatternError;

/// A character of a pattern, or a backslash with what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Plain(char),
    Escaped(char),
}

/// Reads a pattern from left to right.
pub(super) struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    pub(super) fn new(source: &str) -> Self {
        Reader { chars: source.chars().collect(), at: 0 }
    }

    /// The place of the next character, counted in characters.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to an earlier place.
    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next character, which a backslash may be.
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Result<Option<Piece>, PatternError> {
        let Some(c) = self.peek() else { return Ok(None) };
        self.at += 1;
        if c != '\\' {
            return Ok(Some(Piece::Plain(c)));
        }
        let escaped = self.peek().ok_or_else(|| self.error("bad escape (end of pattern)"))?;
        self.at += 1;
        Ok(Some(Piece::Escaped(escaped)))
    }

    /// Takes the next character if it is this one.
    pub(super) fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    /// Takes at most `most` characters of a kind.
    pub(super) fn take_while(&mut self, most: usize, kind: impl Fn(char) -> bool) -> String {
        let taken: String = self.chars[self.at..].iter().take(most).take_while(|c| kind(**c)).collect();
        self.at += taken.chars().count();
        taken
    }

    /// Takes what stands before `end`, and `end`; it must not be empty.
    pub(super) fn take_until(&mut self, end: char, what: &str) -> Result<String, PatternError> {
        let rest = &self.chars[self.at..];
        let Some(length) = rest.iter().position(|c| *c == end) else {
            return Err(self.error(&match rest.is_empty() {
                true => format!("missing {what}"),
                false => format!("missing {end}, unterminated name"),
            }));
        };
        if length == 0 {
            return Err(self.error(&format!("missing {what}")));
        }
        let taken = rest[..length].iter().collect();
        self.at += length + 1;
        Ok(taken)
    }

    /// An error here.
    pub(super) fn error(&self, message: &str) -> PatternError {
        self.error_at(message, self.at)
    }

    pub(super) fn error_at(&self, message: &str, at: usize) -> PatternError {
        PatternError { pattern: self.chars.iter().collect(), message: message.to_owned(), at: Some(at) }
    }
}
