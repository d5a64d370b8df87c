//! How questions and examples are worded.

use crate::official::{Example, OPENING, Official};
use examiner_api::schemars;
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Reasoning that ends in `So the answer is ...`: `Q: ...` and `A: Let's think step by step.`
    #[default]
    Cot,
    /// The bare answer: `Q: ...` and `A:`.
    Answers,
    /// One of the listed options, by likelihood; tasks whose questions list none are left out.
    Choices,
}

/// What stands between a prompt and the answer.
pub(crate) const DELIMITER: &str = " ";

impl Form {
    /// All of them.
    pub(crate) const ALL: [Form; 3] = [Form::Cot, Form::Answers, Form::Choices];

    /// The question alone.
    pub(crate) fn question(self, question: &str) -> String {
        match self {
            Form::Cot => format!("Q: {question}\nA: {OPENING}"),
            Form::Answers | Form::Choices => format!("Q: {question}\nA:"),
        }
    }

    /// The question with the first `shots` examples of its task, and what the task is about, before it.
    pub(crate) fn prompt(self, official: Option<&Official>, question: &str, shots: usize) -> String {
        let Some(official) = official.filter(|_| shots > 0) else { return self.question(question) };
        let mut parts = vec![official.description.clone()];
        parts.extend(official.examples.iter().take(shots).map(|example| self.example(example)));
        parts.push(self.question(question));
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n")
    }

    fn example(self, example: &Example) -> String {
        let answer = match self {
            Form::Cot => example.reasoning.clone(),
            Form::Answers | Form::Choices => format!("{DELIMITER}{}", example.answer),
        };
        self.question(&example.question) + &answer
    }
}
