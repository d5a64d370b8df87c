//! The authors' prompt for a task: what it is about, and worked examples.

use examiner_api::{PluginError, Result};
use std::path::Path;

/// How every worked answer begins.
pub(crate) const OPENING: &str = "Let's think step by step.";
/// Before it stands a note that is not part of the prompt.
const RULE: &str = "-----\n";

/// A task's description and worked examples.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Official {
    /// What the task is about.
    pub(crate) description: String,
    /// Questions with their reasoning, in the authors' order.
    pub(crate) examples: Vec<Example>,
}

/// A worked example.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Example {
    /// The question, options included.
    pub(crate) question: String,
    /// What follows [`OPENING`], up to and with `So the answer is ...`; begins with a line break or a space.
    pub(crate) reasoning: String,
    /// What the reasoning ends in.
    pub(crate) answer: String,
}

impl Official {
    /// Reads a prompt file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| PluginError::io("read", path, &error))?;
        Self::parse(&text).map_err(|what| {
            PluginError::bad_input(format!("`{}`: {what}", path.display()))
                .with_help("expected a description, then examples that begin with `Q: `, each after an empty line")
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.replace("\r\n", "\n");
        let text = text.split_once(RULE).map_or(&*text, |(_, prompt)| prompt);
        let text = format!("\n\n{}", text.trim());
        let mut parts = text.split("\n\nQ: ");
        let description = parts.next().unwrap_or_default().trim().to_owned();
        let examples: Vec<Example> =
            parts.zip(1..).map(|(part, number)| example(part, number)).collect::<Result<_, _>>()?;
        match examples.is_empty() {
            false => Ok(Official { description, examples }),
            true => Err("found no example".to_owned()),
        }
    }
}

fn example(text: &str, number: usize) -> Result<Example, String> {
    let answer_begins = format!("\nA: {OPENING}");
    let (question, reasoning) =
        text.split_once(&answer_begins).ok_or_else(|| format!("example {number} has no `A: {OPENING}`"))?;
    let (_, answer) = reasoning
        .rsplit_once("answer is ")
        .ok_or_else(|| format!("the reasoning of example {number} does not end in `the answer is ...`"))?;
    let answer = answer.lines().next().unwrap_or_default();
    let answer = answer.strip_suffix('.').unwrap_or(answer).to_owned();
    Ok(Example { question: question.to_owned(), reasoning: reasoning.trim_end().to_owned(), answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_a_description_of_several_paragraphs_and_examples() {
        let text = "A note.\n-----\nAdd numbers.\n\nAll of them.\n\nQ: 1 + 2 =\nA: Let's think step by step.\nOne and two \
                    is three.\nSo the answer is 3.\n\nQ: Which?\nOptions:\n(A) a\nA: Let's think step by step.\nSo the \
                    answer is (A).\n";
        let official = Official::parse(text).unwrap();
        assert_eq!(official.description, "Add numbers.\n\nAll of them.");
        let [first, second] = &official.examples[..] else { panic!("{official:?}") };
        assert_eq!((&*first.question, &*first.answer), ("1 + 2 =", "3"));
        assert_eq!(first.reasoning, "\nOne and two is three.\nSo the answer is 3.");
        assert_eq!((&*second.question, &*second.answer), ("Which?\nOptions:\n(A) a", "(A)"));
        assert_eq!(Official::parse(&text.replace('\n', "\r\n")).unwrap(), official);
    }

    #[test]
    fn what_cannot_be_read_is_reported() {
        assert_eq!(Official::parse("only words").unwrap_err(), "found no example");
        assert!(Official::parse("Q: 1?\nA: 1").unwrap_err().contains("example 1 has no `A: Let's"));
        assert!(Official::parse("Q: 1?\nA: Let's think step by step.\nNo.").unwrap_err().contains("does not end in"));
    }
}
