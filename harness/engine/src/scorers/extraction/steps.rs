//! The steps of a pipeline.

use super::{Pattern, Pipeline, Take, first_number, last_number};
use examiner_api::Result;
use examiner_api::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One step: a text in, a text or nothing out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The part before the first of these texts; everything if none of them occurs.
    Cut(Texts),
    /// The part after a marker; nothing if it does not occur.
    After(After),
    /// A match of a regular expression.
    Regex(RegexStep),
    /// Every match of a regular expression, replaced by a text.
    Replace(Replace),
    /// The first number, with its sign and thousands separators.
    FirstNumber,
    /// The last number, with its sign and thousands separators.
    LastNumber,
    /// The first line that is not empty.
    FirstLine,
    /// The last line that is not empty.
    LastLine,
    /// The content of the last `\boxed{...}`, which may contain braces.
    Boxed,
    /// The letter of an option: `(B)`, else a leading `B.`, else the first capital letter that is a word.
    OptionLetter,
    /// Removes these characters from both ends.
    Strip(String),
    /// Removes white space from both ends.
    Trim,
    /// In lower case.
    Lowercase,
    /// In upper case.
    Uppercase,
    /// The first letter in upper case, all others in lower case.
    Capitalize,
    /// The first of these pipelines that finds something.
    Any(Vec<Pipeline>),
}

/// The names of all steps, and whether they need options.
pub const STEPS: &[(&str, bool)] = &[
    ("cut", true),
    ("after", true),
    ("regex", true),
    ("replace", true),
    ("first-number", false),
    ("last-number", false),
    ("first-line", false),
    ("last-line", false),
    ("boxed", false),
    ("option-letter", false),
    ("strip", true),
    ("trim", false),
    ("lowercase", false),
    ("uppercase", false),
    ("capitalize", false),
    ("any", true),
];

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// A marker, alone or with options of the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text, or `marker` with `which` (first, last) and `ignore_case`")]
pub enum After {
    /// Its last occurrence counts, and so does case.
    Marker(String),
    /// With options.
    Options {
        /// The marker.
        marker: String,
        /// Which occurrence counts.
        #[serde(default = "last")]
        which: Take,
        /// Whether upper and lower case are the same, for ASCII letters.
        #[serde(default)]
        ignore_case: bool,
    },
}

/// A regular expression, alone or with the match and the group that count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a pattern that can be read, or `pattern` with `group` and `take` (first, last)"
)]
pub enum RegexStep {
    /// The first match counts.
    Pattern(Pattern),
    /// With options.
    Options {
        /// The pattern.
        pattern: Pattern,
        /// The number of the group; by default the first that is not empty, or the whole match of a pattern without groups.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<usize>,
        /// Which match counts.
        #[serde(default)]
        take: Take,
    },
}

/// A replacement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// The pattern, all matches of which are replaced.
    pattern: Pattern,
    /// The replacement, in which `$1` is the first group. Empty by default.
    #[serde(default)]
    with: String,
}

fn last() -> Take {
    Take::Last
}

impl Step {
    /// Its name in a suite.
    pub(super) fn name(&self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            Ok(Value::Object(step)) => step.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// Refuses options that can never match.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Step::Regex(RegexStep::Options { pattern, group: Some(group), .. }) if *group >= pattern.groups() => {
                let (pattern, last) = (String::from(pattern.clone()), pattern.groups() - 1);
                Err(format!("step `regex`: the pattern `{pattern}` has no group {group}, its last is {last}"))
            }
            _ => Ok(()),
        }
    }

    /// The result of the step for `text`, or nothing.
    ///
    /// # Errors
    /// A regular expression exceeds its backtracking limit.
    pub fn apply(&self, text: &str) -> Result<Option<String>> {
        let found = match self {
            Step::Cut(Texts::One(stop)) => Some(cut(text, std::slice::from_ref(stop))),
            Step::Cut(Texts::Many(stops)) => Some(cut(text, stops)),
            Step::After(After::Marker(marker)) => after(text, marker, Take::Last, false),
            Step::After(After::Options { marker, which, ignore_case }) => after(text, marker, *which, *ignore_case),
            Step::Regex(RegexStep::Pattern(pattern)) => return pattern.find(text, Take::First, None),
            Step::Regex(RegexStep::Options { pattern, group, take }) => return pattern.find(text, *take, *group),
            Step::Replace(Replace { pattern, with }) => return pattern.replace(text, with).map(Some),
            Step::Any(pipelines) => return first_of(pipelines, text),
            Step::FirstNumber => return Ok(first_number(text)),
            Step::LastNumber => return Ok(last_number(text)),
            Step::OptionLetter => return Ok(option_letter(text).map(String::from)),
            Step::Lowercase => return Ok(Some(text.to_lowercase())),
            Step::Uppercase => return Ok(Some(text.to_uppercase())),
            Step::Capitalize => return Ok(Some(capitalized(text))),
            Step::FirstLine => text.lines().find(|line| !line.trim().is_empty()),
            Step::LastLine => text.lines().rfind(|line| !line.trim().is_empty()),
            Step::Boxed => boxed(text),
            Step::Strip(characters) => Some(text.trim_matches(|c| characters.contains(c))),
            Step::Trim => Some(text.trim()),
        };
        Ok(found.map(str::to_owned))
    }
}

fn first_of(pipelines: &[Pipeline], text: &str) -> Result<Option<String>> {
    for pipeline in pipelines {
        if let Some(found) = pipeline.find(text)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn cut<'a>(text: &'a str, stops: &[String]) -> &'a str {
    let first = stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min();
    &text[..first.unwrap_or(text.len())]
}

fn after<'a>(text: &'a str, marker: &str, which: Take, ignore_case: bool) -> Option<&'a str> {
    let find = |text: &str, marker: &str| match which {
        Take::First => text.find(marker),
        Take::Last => text.rfind(marker),
    };
    let start = if ignore_case {
        // Lower case of ASCII letters alone keeps all byte offsets.
        find(&text.to_ascii_lowercase(), &marker.to_ascii_lowercase())
    } else {
        find(text, marker)
    };
    start.map(|start| &text[start + marker.len()..])
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + &letters.as_str().to_lowercase()
}

fn boxed(text: &str) -> Option<&str> {
    const OPENING: &str = "\\boxed{";
    let inside = &text[text.rfind(OPENING)? + OPENING.len()..];
    let mut depth = 1;
    let end = inside.char_indices().find(|(_, c)| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    });
    end.map(|(end, _)| &inside[..end])
}

/// The letter of an option, in upper case. `A` and `I` alone before a word in lower case are words.
fn option_letter(text: &str) -> Option<char> {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied();
    let in_parentheses =
        letters.windows(3).find(|window| window[0] == '(' && window[1].is_ascii_alphabetic() && window[2] == ')');
    if let Some(window) = in_parentheses {
        return Some(window[1].to_ascii_uppercase());
    }
    let trimmed = text.trim();
    let mut leading = trimmed.chars();
    if let Some(letter) = leading.next().filter(char::is_ascii_alphabetic)
        && matches!(leading.next(), None | Some('.' | ')' | ':' | ',' | '\n'))
    {
        return Some(letter.to_ascii_uppercase());
    }
    let alone = |index: &usize| {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '\'' || c == '’');
        let is_word = matches!(letters[*index], 'A' | 'I')
            && at(index + 1) == Some(' ')
            && at(index + 2).is_some_and(char::is_lowercase);
        letters[*index].is_ascii_uppercase()
            && !word(index.checked_sub(1).and_then(at))
            && !word(at(index + 1))
            && !is_word
    };
    (0..letters.len()).find(alone).map(|index| letters[index])
}
