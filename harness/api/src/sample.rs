//! What a dataset gives and what a scorer makes of it.

use crate::{GenerateResult, Metadata, PluginError, Sampling, ScoreResult, Span, Turn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The right answer of a sample.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gold {
    /// There is none.
    #[default]
    None,
    /// The choice at this place, from 0.
    Choice(usize),
    /// Any of these texts.
    Text(Vec<String>),
}

impl Gold {
    /// A single right text.
    pub fn text(answer: impl Into<String>) -> Self {
        Gold::Text(vec![answer.into()])
    }
}

/// One question of a dataset.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Unique within the dataset, and the same in every run.
    pub id: String,
    /// The question as the model sees it, few-shot examples not included.
    pub prompt: String,
    /// What stands between the prompt and an answer, a space mostly.
    #[serde(default)]
    pub delimiter: String,
    /// The answers to choose from, without the delimiter; empty for a free answer.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The right answer.
    #[serde(default)]
    pub gold: Gold,
    /// The part of the dataset that the sample belongs to, reported by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Samples of one cluster are not independent; standard errors take it into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The row itself.
    #[serde(default)]
    pub document: Value,
    /// The prompt as a conversation, where it is more than one turn of the user. A model that
    /// [reads turns](crate::ModelInfo::reads_turns) is asked these instead of the prompt; see [`crate::DatasetInfo::has_turns`].
    #[serde(default, skip_serializing_if = "crate::turn::none")]
    pub turns: Arc<Vec<Turn>>,
    /// What travels with every request of this sample.
    #[serde(default)]
    pub metadata: Arc<Metadata>,
}

/// An example that stands before the question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shot {
    /// The id of the row that it was made of, so that no question is shown its own answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The example's question, as in [`Sample::prompt`].
    pub prompt: String,
    /// The example's answer, with its delimiter.
    pub answer: String,
}

/// A sample with its few-shot examples chosen: what a scorer works on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Question {
    /// The sample.
    pub sample: Sample,
    /// Preamble, few-shot examples and the sample's prompt, joined.
    pub context: String,
    /// The context as a conversation, for a model that [reads turns](crate::ModelInfo::reads_turns); empty where it is one
    /// turn of the user, the sample's prompt.
    #[serde(default, skip_serializing_if = "crate::turn::none")]
    pub turns: Arc<Vec<Turn>>,
    /// How answers are generated.
    pub sampling: Sampling,
}

/// One request that a scorer wants answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Log-likelihood, as in [`crate::ScoreRequest`].
    Score {
        /// What stands before the continuation.
        context: String,
        /// The context as a conversation, for a model that [reads turns](crate::ModelInfo::reads_turns); empty where it is one
        /// turn of the user.
        #[serde(default, skip_serializing_if = "crate::turn::none")]
        turns: Arc<Vec<Turn>>,
        /// What is scored.
        continuation: String,
        /// Which tokens are scored.
        span: Span,
    },
    /// A free answer, as in [`crate::GenerateRequest`].
    Generate {
        /// What the answer goes on from.
        prompt: String,
        /// The prompt as a conversation, for a model that [reads turns](crate::ModelInfo::reads_turns); empty where it is one
        /// turn of the user.
        #[serde(default, skip_serializing_if = "crate::turn::none")]
        turns: Arc<Vec<Turn>>,
        /// How to choose tokens.
        sampling: Sampling,
    },
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Ask::Score`].
    Score(ScoreResult),
    /// To [`Ask::Generate`].
    Generate(GenerateResult),
}

impl Answer {
    /// Number of tokens that the model read, of those that it was asked to read.
    pub fn tokens_read(&self) -> u32 {
        match self {
            Answer::Score(score) => score.total_tokens.saturating_sub(score.truncated_tokens),
            Answer::Generate(generated) => generated.tokens_in,
        }
    }

    /// Number of tokens that it did not read: they were cut off on the left, because the model's context holds no more.
    pub fn truncated_tokens(&self) -> u32 {
        match self {
            Answer::Score(score) => score.truncated_tokens,
            Answer::Generate(generated) => generated.truncated_tokens,
        }
    }

    /// The text that it read where that is not what was asked: [`crate::ScoreResult::rendered`].
    pub fn rendered(&mut self) -> &mut Option<String> {
        match self {
            Answer::Score(score) => &mut score.rendered,
            Answer::Generate(generated) => &mut generated.rendered,
        }
    }
}

/// A question with the answers to all that its scorer asked, in the order of asking.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answered {
    /// The question.
    pub question: Question,
    /// One answer for each ask.
    pub answers: Vec<Answer>,
}

/// How a sample ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The answer was judged.
    #[default]
    Scored,
    /// The model answered, but no answer could be extracted: counts as wrong, and is counted.
    Unanswered,
    /// No answer was obtained: never counted as wrong.
    Error(PluginError),
}

/// A scorer's judgement of one sample.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// How the sample ended.
    pub outcome: Outcome,
    /// The sample's value of each metric; must hold every metric with [`Aggregation::Mean`] unless `outcome` is an error.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Sufficient statistics of each metric with [`Aggregation::Corpus`], there unless `outcome` is an error, as `metrics` are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statistics: BTreeMap<String, Vec<f64>>,
    /// The answer as it was found in the text, or the chosen option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extracted: Option<String>,
    /// Whatever else is worth a look (normalized answers, the value of each option).
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub details: Metadata,
}

/// How a metric's values over all samples become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// The mean, with its standard error.
    #[default]
    Mean,
    /// [`crate::Scorer::corpus`] over the samples' statistics, with a seeded bootstrap.
    Corpus,
}

/// A metric that a scorer reports.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricInfo {
    /// Its name in `summary.csv`.
    pub name: String,
    /// How it is aggregated.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// The lowest and highest value that a single sample can have, from which the range of the missing ones follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<(f64, f64)>,
    /// Whether a verdict may lack it: such a sample is not counted for it. So it is where the parts of a dataset are judged by
    /// different metrics.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}
