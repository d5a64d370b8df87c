//! Which part of what a model wrote is reasoning, and which is its answer.

use crate::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The marks between which a model reasons before it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReasoningMarks {
    /// What reasoning begins with. Empty where a model begins with it and writes no such mark.
    pub start: String,
    /// What reasoning ends with.
    pub end: String,
}

impl Default for ReasoningMarks {
    /// `<think>` and `</think>`, which most models write.
    fn default() -> Self {
        ReasoningMarks { start: "<think>".to_owned(), end: "</think>".to_owned() }
    }
}

/// Whether a model's reasoning is told from its answer, as a suite says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected `auto`, `true`, `false` or marks such as `{ start: <think>, end: </think> }`")]
pub enum ReasoningOption {
    /// By the usual marks, or not at all.
    Fixed(bool),
    /// By what is known of the model.
    Auto(AutoReasoning),
    /// By these marks.
    Marks(ReasoningMarks),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AutoReasoning {
    /// The word.
    Auto,
}

impl Default for ReasoningOption {
    fn default() -> Self {
        ReasoningOption::Auto(AutoReasoning::Auto)
    }
}

impl ReasoningOption {
    /// The marks, where `auto` stands for the usual ones if `is_known` says that the model writes them.
    ///
    /// # Errors
    /// `BadOptions` for marks of which the last is empty.
    pub fn marks(&self, is_known: bool) -> Result<Option<ReasoningMarks>> {
        match self {
            ReasoningOption::Fixed(false) => Ok(None),
            ReasoningOption::Auto(_) if !is_known => Ok(None),
            ReasoningOption::Fixed(true) | ReasoningOption::Auto(_) => Ok(Some(ReasoningMarks::default())),
            ReasoningOption::Marks(marks) if marks.end.is_empty() => Err(PluginError::bad_options(
                "expected `end` of `reasoning` to be what the reasoning ends with, found nothing",
            )
            .with_help("most models write `</think>`")),
            ReasoningOption::Marks(marks) => Ok(Some(marks.clone())),
        }
    }
}

/// A text in two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parted<'a> {
    /// What stands between the marks, white space included; none where the model did not reason.
    pub reasoning: Option<&'a str>,
    /// What comes after it, without the white space between; empty where the reasoning does not end.
    pub answer: &'a str,
}

impl ReasoningMarks {
    /// Parts what a model wrote into reasoning and answer.
    ///
    /// The answer is what stands after the last end mark, as with `think_end_token` of lm-evaluation-harness; all before it is reasoning,
    /// whether or not it begins with a start mark, which may have stood in the prompt. Without an end mark everything is
    /// reasoning where the text begins with a start mark, or `begins_inside` says that the prompt has ended with one; otherwise everything
    /// is the answer, and stays as it is.
    pub fn part<'a>(&self, text: &'a str, begins_inside: bool) -> Parted<'a> {
        let opened = self.opened(text, begins_inside);
        match (text.rfind(&self.end), opened) {
            (Some(at), _) => {
                let from = opened.filter(|from| *from <= at).unwrap_or(0);
                let answer = trim_start(&text[at + self.end.len()..]);
                Parted { reasoning: Some(&text[from..at]), answer }
            }
            (None, Some(from)) => Parted { reasoning: Some(&text[from..]), answer: "" },
            (None, None) => Parted { reasoning: None, answer: text },
        }
    }

    /// Where the reasoning begins in a text that begins with it: after the start mark, or at once where that has stood in the prompt.
    pub fn opened(&self, text: &str, begins_inside: bool) -> Option<usize> {
        if begins_inside || self.start.is_empty() {
            return Some(0);
        }
        let trimmed = trim_start(text);
        trimmed.starts_with(&self.start).then(|| text.len() - trimmed.len() + self.start.len())
    }

    /// Whether a text that is still growing may yet begin with the start mark.
    pub fn may_open(&self, text: &str) -> bool {
        self.start.starts_with(trim_start(text))
    }
}

/// Cuts off what Python's `str.lstrip` takes for white space.
fn trim_start(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, begins_inside: bool) -> (Option<&str>, &str) {
        let Parted { reasoning, answer } = ReasoningMarks::default().part(text, begins_inside);
        (reasoning, answer)
    }

    #[test]
    fn the_answer_is_what_stands_after_the_reasoning() {
        assert_eq!(part("18", false), (None, "18"));
        assert_eq!(part(" 18\n", false), (None, " 18\n"), "without reasoning nothing is cut off");
        assert_eq!(part("<think>9 + 9</think>18", false), (Some("9 + 9"), "18"));
        assert_eq!(part("\n<think>\n9 + 9\n</think>\n\n18 \n", false), (Some("\n9 + 9\n"), "18 \n"));
        assert_eq!(part("9 + 9</think>18", true), (Some("9 + 9"), "18"), "the prompt has the start mark");
        assert_eq!(part("9 + 9</think>18", false), (Some("9 + 9"), "18"), "as a server may have it");
        assert_eq!(part("<think>a</think>17<think>b</think>18", false), (Some("a</think>17<think>b"), "18"));
    }

    #[test]
    fn reasoning_that_does_not_end_is_no_answer() {
        assert_eq!(part("<think>9 + ", false), (Some("9 + "), ""));
        assert_eq!(part("9 + ", true), (Some("9 + "), ""));
        assert_eq!(part("", true), (Some(""), ""));
        assert_eq!(part("<think>9", true), (Some("<think>9"), ""), "a mark within the reasoning is a part of it");
        assert_eq!(part("18 <think>", false), (None, "18 <think>"), "an answer may speak of the mark");
        let begins = ReasoningMarks { start: String::new(), ..ReasoningMarks::default() };
        assert_eq!(begins.part("9 + ", false), Parted { reasoning: Some("9 + "), answer: "" });
    }

    #[test]
    fn a_suite_says_what_the_marks_are() {
        let of = |written: &str, is_known| {
            let option: Result<ReasoningOption, _> = serde_json::from_str(written);
            option.map_err(|error| error.to_string())?.marks(is_known).map_err(|error| error.message)
        };
        let usual = || Ok(Some(ReasoningMarks::default()));
        assert_eq!((of("\"auto\"", true), of("\"auto\"", false)), (usual(), Ok(None)));
        assert_eq!((of("true", false), of("false", true)), (usual(), Ok(None)));
        let own = ReasoningMarks { start: "[THINK]".to_owned(), end: "[/THINK]".to_owned() };
        assert_eq!(of(r#"{ "start": "[THINK]", "end": "[/THINK]" }"#, false), Ok(Some(own)));
        assert!(of(r#"{ "end": "" }"#, false).unwrap_err().contains("`end` of `reasoning`"));
        assert!(of("\"yes\"", true).unwrap_err().contains("expected `auto`, `true`, `false` or marks"));
        assert!(of(r#"{ "begin": "x" }"#, true).is_err());
    }

    #[test]
    fn a_growing_text_may_open_the_reasoning_until_it_says_something_else() {
        let marks = ReasoningMarks::default();
        for text in ["", "\n", "<", "\n<thi", "<think>"] {
            assert!(marks.may_open(text), "{text:?}");
        }
        for text in ["1", "<b>", "<think> 1"] {
            assert!(!marks.may_open(text), "{text:?}");
        }
        assert_eq!((marks.opened("\n<think> 1", false), marks.opened("1", false)), (Some(8), None));
    }
}
