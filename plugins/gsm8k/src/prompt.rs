//! How questions and few-shot answers are worded.

use crate::problem::Problem;
use examiner_api::{rows, schemars};
use serde::{Deserialize, Serialize};

/// The wording of questions and few-shot answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Prompt {
    /// `Question: ...` and `Answer:`; few-shot answers as they stand in the data, `#### 18` at their end, as in
    /// lm-evaluation-harness.
    #[default]
    QuestionAnswer,
    /// `Question: ...` and `Answer: Let's think step by step.`; few-shot answers without the calculator's `<<6*3=18>>`,
    /// and `The answer is 18.` at their end.
    Cot,
    /// `Q: ...` and `A:`, as in training rows made of BIG-Bench-Hard; few-shot answers as with `cot`.
    Short,
}

impl Prompt {
    /// The question as the model sees it.
    pub(crate) fn question(self, question: &str) -> String {
        match self {
            Prompt::QuestionAnswer => format!("Question: {question}\nAnswer:"),
            Prompt::Cot => format!("Question: {question}\nAnswer: Let's think step by step."),
            Prompt::Short => format!("Q: {question}\nA:"),
        }
    }

    /// A few-shot example's answer, without the delimiter.
    pub(crate) fn worked_answer(self, problem: &Problem) -> String {
        match self {
            Prompt::QuestionAnswer => problem.worked.clone(),
            Prompt::Cot | Prompt::Short => {
                format!("{}\nThe answer is {}.", without_calculator(problem.reasoning()), problem.answer)
            }
        }
    }

    /// What ends an answer: the next question, or a sign of the model's own.
    pub(crate) fn stop(self) -> Vec<String> {
        let next = match self {
            Prompt::QuestionAnswer | Prompt::Cot => "Question:",
            Prompt::Short => "\nQ:",
        };
        [next, "</s>", "<|im_end|>"].map(str::to_owned).to_vec()
    }

    /// Changes with the wording: six digits, as OpenCompass writes them.
    pub(crate) fn version(self) -> String {
        let example = Problem {
            index: 0,
            question: "Q".to_owned(),
            worked: "<<1>>1\n#### 1".to_owned(),
            answer: "1".to_owned(),
            document: Default::default(),
        };
        let mut version = rows::digest([self.question(&example.question), self.worked_answer(&example)]);
        version.truncate(6);
        version
    }
}

/// Leaves out the calculator's annotations: `<<6*3=18>>18` becomes `18`.
fn without_calculator(worked: &str) -> String {
    let mut plain = String::with_capacity(worked.len());
    let mut rest = worked;
    while let Some((before, annotation)) = rest.split_once("<<") {
        let Some((_, after)) = annotation.split_once(">>") else { break };
        plain.push_str(before);
        rest = after;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_the_calculator() {
        assert_eq!(without_calculator("2 * $3 = $<<2*3=6>>6, 6 / 2 = <<6/2=3>>3"), "2 * $3 = $6, 6 / 2 = 3");
        assert_eq!(without_calculator("a << b"), "a << b", "an annotation without an end is none");
    }

    #[test]
    fn the_version_tells_wordings_apart() {
        assert_ne!(Prompt::QuestionAnswer.version(), Prompt::Cot.version());
        assert_eq!(Prompt::Cot.version().len(), 6);
    }
}
