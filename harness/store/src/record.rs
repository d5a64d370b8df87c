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
    /// What the model read instead, where a chat template wrote another text: one for all requests, or one for each answer where they
    /// differ. Tokens that a tokenizer puts before any text are not in it.
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
