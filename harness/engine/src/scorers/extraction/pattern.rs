//! Regular expressions in options.

use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{ErrorCode, PluginError, Result};
use fancy_regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

/// A regular expression; one that cannot be read is refused with the options. Look-around and back-references work;
/// `(?i)` at the start ignores case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Regex);

/// Which of several matches counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Take {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        Regex::new(&source).map(Pattern).map_err(|error| format!("cannot read the pattern `{source}`: {error}"))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.0.as_str().to_owned()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// The group `group` of the first or last match. Without `group`: of a pattern with groups the first that is not
    /// empty, else the whole match.
    ///
    /// # Errors
    /// The pattern exceeds its backtracking limit.
    pub fn find(&self, text: &str, take: Take, group: Option<usize>) -> Result<Option<String>> {
        let mut matches = self.0.captures_iter(text);
        let chosen = match take {
            Take::First => matches.next().transpose(),
            Take::Last => matches.try_fold(None, |_, found| found.map(Some)),
        };
        let chosen = chosen.map_err(|error| self.limit_exceeded(&error))?;
        Ok(chosen.and_then(|captures| part(&captures, group)))
    }

    /// The text in which `with` replaces every match; `$1` in it is the first group.
    ///
    /// # Errors
    /// The pattern exceeds its backtracking limit.
    pub fn replace(&self, text: &str, with: &str) -> Result<String> {
        let replaced = self.0.try_replacen(text, 0, with);
        replaced.map(std::borrow::Cow::into_owned).map_err(|error| self.limit_exceeded(&error))
    }

    fn limit_exceeded(&self, error: &fancy_regex::Error) -> PluginError {
        PluginError::new(ErrorCode::Other, format!("cannot search with the pattern `{}`", self.0.as_str()))
            .with_cause(error)
            .with_help("rewrite the pattern without nested repetition")
    }

    /// The number of groups, the whole match included.
    pub fn groups(&self) -> usize {
        self.0.captures_len()
    }
}

fn part(captures: &Captures<'_, str>, group: Option<usize>) -> Option<String> {
    let text = |index: usize| captures.get(index).map(|found| found.as_str());
    let found = match group {
        Some(group) => text(group),
        None if captures.len() == 1 => text(0),
        None => (1..captures.len()).filter_map(text).find(|found| !found.is_empty()),
    };
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, text: &str, take: Take, group: Option<usize>) -> Option<String> {
        Pattern::try_from(pattern.to_owned()).unwrap().find(text, take, group).unwrap()
    }

    #[test]
    fn matches_and_groups_are_chosen() {
        assert_eq!(find(r"\d", "1 2 3", Take::First, None).as_deref(), Some("1"));
        assert_eq!(find(r"\d", "1 2 3", Take::Last, None).as_deref(), Some("3"));
        assert_eq!(find(r"(\d)-(\d)", "1-2 3-4", Take::Last, Some(2)).as_deref(), Some("4"));
        assert_eq!(find(r"(a)|(b)", "a b", Take::Last, None).as_deref(), Some("b"));
        assert_eq!(find(r"(a)|b", "b", Take::Last, None), None);
        assert_eq!(find(r"x", "a b", Take::Last, None), None);
        assert_eq!(find(r"(?<=\$)\d+", "3 $40", Take::First, None).as_deref(), Some("40"));
    }

    #[test]
    fn bad_patterns_are_refused_and_runaway_ones_are_errors() {
        let error = serde_json::from_str::<Pattern>(r#""(a""#).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the pattern `(a`"), "{error}");
        let pattern = Pattern::try_from(r"(a|a)*\1b".to_owned()).unwrap();
        let error = pattern.find(&"a".repeat(60), Take::First, None).unwrap_err();
        assert!(error.message.contains("cannot search with the pattern"), "{error}");
    }
}
