//! Problems of a suite, and their positions.

use super::other_words::meant;
use std::fmt;
use std::sync::Arc;

/// A position in a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file, or the command-line option.
    pub origin: Arc<str>,
    /// Line from 1; 0 for an option of the command line, which has no lines.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.origin),
            line => write!(f, "{}:{line}:{}", self.origin, self.column),
        }
    }
}

/// One step of a [`FieldPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a mapping.
    Key(String),
    /// An index in a list, from 0.
    Index(usize),
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Key(key) => f.write_str(key),
            Segment::Index(index) => write!(f, "{index}"),
        }
    }
}

/// The path from the top of a suite to a field, written `models.teacher.plugin` or `evaluate.0.models.1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The path of these keys: `FieldPath::of(&["models", "teacher"])`.
    pub fn of(keys: &[&str]) -> Self {
        FieldPath(keys.iter().map(|key| Segment::Key((*key).to_owned())).collect())
    }

    /// This path, extended by a key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Segment::Key(key.to_owned()))
    }

    /// This path, extended by an index in a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    /// This path, extended by a step.
    #[must_use]
    pub fn then(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        FieldPath(segments)
    }

    /// The steps, from the top.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            write!(f, "{}{segment}", if index > 0 { "." } else { "" })?;
        }
        Ok(())
    }
}

/// A problem of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its position; none if it is not written in the suite.
    pub position: Option<Position>,
    /// The field, as [`FieldPath`] writes it; empty for the suite as a whole.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
    /// What to try next.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with the field at `path`, which is at `position`.
    pub fn at(position: &Position, path: &FieldPath, message: impl Into<String>) -> Self {
        Problem { position: Some(position.clone()), path: path.to_string(), message: message.into(), help: None }
    }

    /// Adds what to try next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean" where one of `valid` looks like `name`, or is what other tools call so.
    #[must_use]
    pub fn with_nearest<'a>(self, name: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        match meant(name, valid) {
            Some(near) => self.with_help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{}: ", printable(&position.to_string()))?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", printable(&self.path))?;
        }
        f.write_str(&printable(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {}", printable(help))?;
        }
        Ok(())
    }
}

/// A text without control characters, which a suite from elsewhere may contain, and which could affect the terminal.
fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() && c != '\n' { c.escape_debug().collect() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// All problems of a suite, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Sorts `problems` in the order of the file, those of the command line last, and removes duplicates.
    pub fn sorted(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| match &problem.position {
            Some(position) if position.line > 0 => (0, position.line, position.column),
            _ => (1, 0, 0),
        });
        let mut seen = std::collections::HashSet::new();
        problems.retain(|problem| seen.insert(problem.to_string()));
        Problems(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// `names` as a message lists them: in backticks, with commas.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
