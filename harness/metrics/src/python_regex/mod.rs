//! Regular expressions as Python's module `re` has them, in version 3.11: grammar, classes of characters, order of search, groups.
//!
//! An engine of its own, because those of other libraries differ in what Python's users rely on: `\w` has no combining marks, `$` matches before a
//! line feed at the end, a repetition stops after an empty round, and places are counted in characters. What is not supported is an
//! error of [`Pattern::compile`]: names of characters (`\N{...}`), names of groups that are not ASCII, the flag `L`.
//!
//! A search takes a bounded number of steps, and ends with [`SearchError`] where Python would go on for hours.

mod class;
mod error;
mod escape;
mod matcher;
mod node;
mod parser;
mod program;
mod reader;
mod search;
mod template;

pub use error::{PatternError, SearchError};
pub use search::{Match, Matches, Subject};
pub use template::Template;

use crate::unicode::is_alphanumeric;
use std::sync::Arc;

/// The flags of a pattern: `re.IGNORECASE` and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// `re.A`: `\w`, `\d`, `\s`, `\b` and case know ASCII alone.
    pub ascii: bool,
    /// `re.U`, which is the default.
    pub unicode: bool,
    /// `re.I`: case does not count.
    pub ignore_case: bool,
    /// `re.M`: `^` and `$` match at lines.
    pub multi_line: bool,
    /// `re.S`: `.` matches a line feed.
    pub dot_all: bool,
    /// `re.X`: white space and comments do not count.
    pub verbose: bool,
}

impl Flags {
    /// No flag.
    pub const NONE: Flags =
        Flags { ascii: false, unicode: false, ignore_case: false, multi_line: false, dot_all: false, verbose: false };

    /// The flags of an integer, as Python has them: `re.I` is 2, `re.M` 8, `re.S` 16, `re.U` 32, `re.X` 64, `re.A` 256. None for any
    /// other bit.
    pub fn from_bits(bits: u32) -> Option<Flags> {
        let has = |bit: u32| bits & bit != 0;
        (bits & !(2 | 8 | 16 | 32 | 64 | 256) == 0).then(|| Flags {
            ascii: has(256),
            unicode: has(32),
            ignore_case: has(2),
            multi_line: has(8),
            dot_all: has(16),
            verbose: has(64),
        })
    }

    /// The same with the flags of these letters on or off.
    fn with(mut self, letters: &str, on: bool) -> Flags {
        for letter in letters.chars() {
            match letter {
                'a' => self.ascii = true,
                'u' => self.ascii = false,
                'i' => self.ignore_case = on,
                'm' => self.multi_line = on,
                's' => self.dot_all = on,
                'x' => self.verbose = on,
                _ => {}
            }
        }
        self
    }

    fn fold(self) -> class::Fold {
        match (self.ignore_case, self.ascii) {
            (false, _) => class::Fold::Exact,
            (true, true) => class::Fold::Ascii,
            (true, false) => class::Fold::Unicode,
        }
    }
}

/// A compiled pattern. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Pattern(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: String,
    flags: Flags,
    groups: usize,
    names: Vec<(String, usize)>,
    program: program::Program,
}

impl Pattern {
    /// So many steps may one search take.
    pub const MAX_STEPS: u64 = 200_000_000;

    /// Compiles a pattern: `re.compile(source, flags)`.
    ///
    /// # Errors
    /// Python would not compile it either, or it says something that is not supported.
    pub fn compile(source: &str, flags: Flags) -> Result<Pattern, PatternError> {
        if flags.ascii && flags.unicode {
            let message = "ASCII and UNICODE flags are incompatible".to_owned();
            return Err(PatternError { pattern: source.to_owned(), message, at: None });
        }
        let parsed = parser::parse(source, flags)?;
        let program = program::compile(&parsed.node);
        let (flags, groups, names) = (parsed.flags, parsed.groups, parsed.names);
        Ok(Pattern(Arc::new(Inner { source: source.to_owned(), flags, groups, names, program })))
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The flags, with those that the pattern sets itself.
    pub fn flags(&self) -> Flags {
        self.0.flags
    }

    /// The number of groups, the whole match not counted.
    pub fn groups(&self) -> usize {
        self.0.groups
    }

    /// The groups that have names, in the order of the pattern: `Pattern.groupindex`.
    pub fn group_names(&self) -> &[(String, usize)] {
        &self.0.names
    }
}

/// `re.escape`.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(
            c,
            '(' | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '?'
                | '*'
                | '+'
                | '-'
                | '|'
                | '^'
                | '$'
                | '\\'
                | '.'
                | '&'
                | '~'
                | '#'
                | ' '
                | '\t'
                | '\n'
                | '\r'
                | '\x0b'
                | '\x0c'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Whether a name of a group is one, as far as ASCII goes.
fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let is_word = |c: char| c.is_ascii() && (c == '_' || is_alphanumeric(u32::from(c)));
    chars.next().is_some_and(|c| is_word(c) && !c.is_ascii_digit()) && chars.all(is_word)
}

#[cfg(test)]
mod tests;
