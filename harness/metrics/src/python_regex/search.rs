//! Searching: `search`, `match`, `fullmatch`, `finditer`, `findall`, `split` and `sub`.

use super::Pattern;
use super::error::SearchError;
use super::matcher::{End, GivenUp, Matcher};

/// A text to search in. Places in it are counted in characters, as Python counts them.
#[derive(Debug, Clone)]
pub struct Subject<'t> {
    text: &'t str,
    codes: Vec<u32>,
    /// Where each character begins, in bytes, and where the last one ends; empty if every character is a byte.
    bytes: Vec<usize>,
}

impl<'t> Subject<'t> {
    /// Prepares a text.
    pub fn new(text: &'t str) -> Self {
        let codes = text.chars().map(u32::from).collect();
        let bytes = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).chain([text.len()]).collect(),
        };
        Subject { text, codes, bytes }
    }

    /// The text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Number of characters.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no character.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The text between two places.
    pub fn slice(&self, start: usize, end: usize) -> &'t str {
        &self.text[self.byte(start)..self.byte(end)]
    }

    /// The place of a character in bytes.
    pub fn byte(&self, at: usize) -> usize {
        self.bytes.get(at).copied().unwrap_or(at)
    }
}

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    slots: Vec<Option<usize>>,
    last_group: usize,
}

impl Match {
    /// Where the match begins, in characters.
    pub fn start(&self) -> usize {
        self.slots[0].unwrap_or_default()
    }

    /// Where it ends.
    pub fn end(&self) -> usize {
        self.slots[1].unwrap_or_default()
    }

    /// Where a group begins and ends; none if it has not matched, or is not there. Group 0 is the whole match.
    pub fn span(&self, group: usize) -> Option<(usize, usize)> {
        match (self.slots.get(2 * group)?, self.slots.get(2 * group + 1)?) {
            (Some(start), Some(end)) => Some((*start, *end)),
            _ => None,
        }
    }

    /// The text of a group.
    pub fn group<'t>(&self, subject: &Subject<'t>, group: usize) -> Option<&'t str> {
        self.span(group).map(|(start, end)| subject.slice(start, end))
    }

    /// The number of groups, the whole match not counted.
    pub fn groups(&self) -> usize {
        self.slots.len() / 2 - 1
    }

    /// `Match.lastindex`: the group that was closed last.
    pub fn last_index(&self) -> Option<usize> {
        (self.last_group > 0).then_some(self.last_group)
    }
}

/// All matches, one after the other: `finditer`.
pub struct Matches<'p, 't> {
    pattern: &'p Pattern,
    subject: &'p Subject<'t>,
    from: usize,
    /// Whether the last match was empty: the next one at the same place must not be.
    after_empty: bool,
    is_over: bool,
}

impl Iterator for Matches<'_, '_> {
    type Item = Result<Match, SearchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let end = if self.after_empty { End::NotEmpty } else { End::Anywhere };
        let found = self.pattern.attempt(self.subject, |matcher| matcher.search(self.from, end));
        match &found {
            Ok(Some(found)) => {
                self.after_empty = found.start() == found.end();
                self.from = found.end();
            }
            _ => self.is_over = true,
        }
        found.transpose()
    }
}

impl Pattern {
    fn attempt(
        &self,
        subject: &Subject<'_>,
        attempt: impl FnOnce(&mut Matcher<'_>) -> Result<bool, GivenUp>,
    ) -> Result<Option<Match>, SearchError> {
        let mut matcher = Matcher::new(&self.0.program, &subject.codes, self.groups(), Self::MAX_STEPS);
        match attempt(&mut matcher) {
            Ok(true) => Ok(Some(Match { slots: matcher.slots, last_group: matcher.last_group })),
            Ok(false) => Ok(None),
            Err(GivenUp) => {
                Err(SearchError { pattern: self.source().to_owned(), steps: Self::MAX_STEPS, length: subject.len() })
            }
        }
    }

    /// The first match that begins at the character `from` or later: `Pattern.search(text, from)`.
    ///
    /// # Errors
    /// The search took too many steps, here and below.
    pub fn search(&self, subject: &Subject<'_>, from: usize) -> Result<Option<Match>, SearchError> {
        self.attempt(subject, |matcher| matcher.search(from, End::Anywhere))
    }

    /// The match that begins at the character `from`: `Pattern.match(text, from)`.
    pub fn match_at(&self, subject: &Subject<'_>, from: usize) -> Result<Option<Match>, SearchError> {
        match from <= subject.len() {
            true => self.attempt(subject, |matcher| matcher.match_at(from, End::Anywhere)),
            false => Ok(None),
        }
    }

    /// The match that is the text from `from` on: `Pattern.fullmatch(text, from)`.
    pub fn full_match(&self, subject: &Subject<'_>, from: usize) -> Result<Option<Match>, SearchError> {
        match from <= subject.len() {
            true => self.attempt(subject, |matcher| matcher.match_at(from, End::Whole)),
            false => Ok(None),
        }
    }

    /// All matches from the character `from` on: `Pattern.finditer(text, from)`.
    pub fn matches<'p, 't>(&'p self, subject: &'p Subject<'t>, from: usize) -> Matches<'p, 't> {
        Matches { pattern: self, subject, from, after_empty: false, is_over: false }
    }

    /// Whether the pattern matches somewhere.
    pub fn is_match(&self, text: &str) -> Result<bool, SearchError> {
        Ok(self.search(&Subject::new(text), 0)?.is_some())
    }

    /// `Pattern.findall(text)`: for each match its groups, or the whole match where the pattern has none. A group that has not matched
    /// is empty.
    pub fn find_all<'t>(&self, text: &'t str) -> Result<Vec<Vec<&'t str>>, SearchError> {
        let subject = Subject::new(text);
        let groups = if self.groups() == 0 { 0..=0 } else { 1..=self.groups() };
        self.matches(&subject, 0)
            .map(|found| {
                let found = found?;
                Ok(groups.clone().map(|group| found.group(&subject, group).unwrap_or("")).collect())
            })
            .collect()
    }

    /// `Pattern.split(text, most)`: the text between matches, and their groups; `most` 0 splits at all of them.
    pub fn split<'t>(&self, text: &'t str, most: usize) -> Result<Vec<Option<&'t str>>, SearchError> {
        let subject = Subject::new(text);
        let mut parts = Vec::new();
        let mut from = 0;
        for found in self.matches(&subject, 0).take(if most == 0 { usize::MAX } else { most }) {
            let found = found?;
            parts.push(Some(subject.slice(from, found.start())));
            parts.extend((1..=self.groups()).map(|group| found.group(&subject, group)));
            from = found.end();
        }
        parts.push(Some(subject.slice(from, subject.len())));
        Ok(parts)
    }

    /// `Pattern.sub` with a function, which gets the match and the text.
    pub fn replace_with<E: From<SearchError>>(
        &self,
        text: &str,
        most: usize,
        mut with: impl FnMut(&Match, &Subject<'_>) -> Result<String, E>,
    ) -> Result<String, E> {
        let subject = Subject::new(text);
        let mut replaced = String::with_capacity(text.len());
        let mut from = 0;
        for found in self.matches(&subject, 0).take(if most == 0 { usize::MAX } else { most }) {
            let found = found?;
            replaced.push_str(subject.slice(from, found.start()));
            replaced.push_str(&with(&found, &subject)?);
            from = found.end();
        }
        replaced.push_str(subject.slice(from, subject.len()));
        Ok(replaced)
    }
}
