//! One question's record: a line of the journal, and of `samples/<model>/<dataset>.jsonl`.

use examiner_api::{Answer, Gold, Outcome, PluginError, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One question with its answers and verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The question's index among all questions and repetitions of the dataset, from 0.
    pub index: u64,
    /// The sample's id.
    pub id: String,
    /// Which repetition of the sample it is, from 0.
    pub repeat: u32,
    /// Hash of everything that the record depends on: while it is the same, the record can be reused.
    pub key: String,
    /// The subset of the dataset that the sample belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Samples of one cluster are not independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The model's input: preamble, few-shot examples and prompt, joined. A model with a chat template gets the same as turns of
    /// a conversation.
    pub context: String,
    /// What the model read instead, where a chat template wrote another text: one, or one for each answer where they differ, empty
    /// for those whose text the template did not write. Tokens that a tokenizer puts before any text are not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rendered: Vec<String>,
    /// The choices, without the delimiter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The right answer.
    pub gold: Gold,
    /// The model's answers to the question's distinct requests, in the order of the requests. Requests without an answer are left
    /// out.
    pub answers: Vec<Answer>,
    /// The requests without an answer: their indices among the question's requests, and their errors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<usize, PluginError>,
    /// One verdict for each scorer.
    pub verdicts: Vec<ScorerVerdict>,
    /// Tokens that the model read.
    pub tokens_in: u64,
    /// Tokens that the model wrote.
    pub tokens_out: u64,
    /// How many of them are reasoning, where that is kept apart and counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Record {
    /// The error of the first scorer without a verdict, if there is one.
    pub fn error(&self) -> Option<&PluginError> {
        self.verdicts.iter().find_map(|verdict| match &verdict.verdict.outcome {
            Outcome::Error(error) => Some(error),
            _ => None,
        })
    }
}

/// One scorer's verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScorerVerdict {
    /// The scorer's label in the suite.
    pub scorer: String,
    /// Its verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Takes from the answers to one question what the model read: [`Record::rendered`].
pub fn take_rendered<'a>(answers: impl Iterator<Item = &'a mut Answer>) -> Vec<String> {
    let mut texts: Vec<String> = answers.map(|answer| answer.rendered().take().unwrap_or_default()).collect();
    let mut written = texts.iter().filter(|text| !text.is_empty());
    match written.next().cloned() {
        None => texts.clear(),
        Some(first) if written.all(|text| *text == first) => texts = vec![first],
        Some(_) => {}
    }
    texts
}

/// Gives the answers of a record what the model read.
pub fn give_rendered(texts: Vec<String>, answers: &mut [Answer]) {
    let one = (texts.len() == 1).then(|| texts[0].clone());
    let mut texts = texts.into_iter();
    for answer in answers {
        *answer.rendered() = one.clone().or_else(|| texts.next()).filter(|text| !text.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::ScoreResult;

    /// What is stored, and what the answers have again after it was read.
    fn stored(read: &[Option<&str>]) -> (Vec<String>, Vec<Option<String>>) {
        let answer = |text: &Option<&str>| {
            Answer::Score(ScoreResult { rendered: text.map(str::to_owned), ..ScoreResult::default() })
        };
        let mut answers: Vec<Answer> = read.iter().map(answer).collect();
        let stored = take_rendered(answers.iter_mut());
        assert!(answers.iter_mut().all(|answer| answer.rendered().is_none()));
        give_rendered(stored.clone(), &mut answers);
        let given = answers.iter_mut().map(|answer| answer.rendered().clone()).collect();
        assert_eq!(take_rendered(answers.iter_mut()), stored, "the same once more");
        (stored, given)
    }

    #[test]
    fn what_the_model_read_is_stored_once_where_it_is_the_same() {
        assert_eq!(stored(&[Some("a"), Some("a")]), (vec!["a".into()], vec![Some("a".into()), Some("a".into())]));
        assert_eq!(stored(&[Some("a"), None]).0, ["a"]);
        assert_eq!(stored(&[None, None]), (vec![], vec![None, None]));
        assert_eq!(stored(&[]), (vec![], vec![]));
    }

    #[test]
    fn different_texts_stay_with_their_answers() {
        let read = [Some("a"), None, Some("b"), Some("a")];
        let (texts, given) = stored(&read);
        assert_eq!(texts, ["a", "", "b", "a"]);
        assert_eq!(given, read.map(|text| text.map(str::to_owned)));
    }
}
