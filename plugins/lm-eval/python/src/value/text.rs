//! A text of Python: a sequence of code points.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A text. Clones share it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str(Arc<str>);

impl Str {
    /// How many code points it has.
    pub fn length(&self) -> usize {
        if self.0.is_ascii() { self.0.len() } else { self.0.chars().count() }
    }

    /// The code point at an index.
    pub(crate) fn at(&self, index: usize) -> Option<char> {
        if self.0.is_ascii() {
            self.0.as_bytes().get(index).map(|byte| char::from(*byte))
        } else {
            self.0.chars().nth(index)
        }
    }

    /// The code points from one index to another, where both are in the text.
    pub(crate) fn between(&self, start: usize, stop: usize) -> &str {
        if start >= stop {
            return "";
        }
        if self.0.is_ascii() {
            return self.0.get(start..stop).unwrap_or_default();
        }
        let from = self.offset(start);
        let rest = self.0.get(from..).unwrap_or_default();
        let length = rest.char_indices().nth(stop - start).map_or(rest.len(), |(offset, _)| offset);
        rest.get(..length).unwrap_or_default()
    }

    /// Where in its bytes a code point begins; the end for an index behind it.
    pub(crate) fn offset(&self, index: usize) -> usize {
        if self.0.is_ascii() {
            return index.min(self.0.len());
        }
        self.0.char_indices().nth(index).map_or(self.0.len(), |(offset, _)| offset)
    }

    /// Which code point begins at an offset in its bytes.
    pub(crate) fn index_of(&self, offset: usize) -> usize {
        if self.0.is_ascii() { offset } else { self.0.get(..offset).unwrap_or(&self.0).chars().count() }
    }
}

impl Deref for Str {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Str(Arc::from(text))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Str(Arc::from(text))
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, to)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}
