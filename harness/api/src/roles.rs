//! The roles a plugin can play, as plain traits.
//!
//! Every role is batch-oriented: a call crosses the boundary once, and results stream back through a [`Sink`] as they
//! are ready, so that progress, journal and cancellation work by the sample.

use crate::{
    Answered, Ask, GenerateRequest, GenerateResult, Metadata, MetricInfo, PluginError, Question, Response, Sample,
    Sampling, ScoreRequest, ScoreResult, Shot, TokenCount, Verdict,
};
use serde::{Deserialize, Serialize};

/// What a role's author gets from every call that can fail.
pub type Result<T, E = PluginError> = std::result::Result<T, E>;

/// Whether the receiver wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Go on.
    Continue,
    /// Return soon, with `Ok`: what has not been sent is not wanted any more.
    Stop,
}

/// Where results go. It may be called from any thread; calls are taken one at a time and may block until the receiver
/// has caught up. It is never called after the method that was given it has returned.
pub trait Sink<T>: Sync {
    /// Sends one result.
    fn send(&self, item: T) -> Flow;
}

/// Where results go in wire form.
pub type RawSink<'a> = dyn Fn(&[u8]) -> Flow + Sync + 'a;

impl<T, F: Fn(T) -> Flow + Sync> Sink<T> for F {
    fn send(&self, item: T) -> Flow {
        self(item)
    }
}

/// A language model.
pub trait Model: Send {
    /// What the model is.
    fn info(&self) -> Result<ModelInfo>;

    /// Sends one response for each request, in any order, each id exactly once.
    ///
    /// The error is for what concerns the whole batch; what concerns one request goes into its response.
    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        let _ = (requests, sink);
        Err(PluginError::unsupported("this model cannot score log-likelihoods")
            .with_help("use a scorer that asks for generated answers, such as `answer-extraction`"))
    }

    /// Sends one response for each request, in any order, each id exactly once.
    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        let _ = (requests, sink);
        Err(PluginError::unsupported("this model cannot generate text")
            .with_help("use a scorer that asks for log-likelihoods, such as `perplexity-choice`"))
    }

    /// How many tokens each request has, in their order. Nothing is computed by the model, and nothing is asked of a server:
    /// `examiner plan` says by it what a run costs. [`ErrorCode::Unsupported`](crate::ErrorCode::Unsupported) where the tokens are not
    /// known here.
    fn count_tokens(&mut self, asks: &[Ask]) -> Result<Vec<TokenCount>> {
        let _ = asks;
        Err(PluginError::unsupported("this model does not count tokens"))
    }

    /// Facts about the work since the last time that they were asked for: tokens that were computed, say. They are written to `run.json`,
    /// with the model x dataset that they belong to. None unless the model says otherwise.
    fn usage(&mut self) -> Result<Metadata> {
        Ok(Metadata::new())
    }
}

/// The description of a model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelInfo {
    /// A name for people.
    pub name: String,
    /// Changes whenever an answer could: a hash of weights, tokenizer, number types and the like.
    pub fingerprint: String,
    /// Whether [`Model::score`] works.
    pub can_score: bool,
    /// Whether [`Model::generate`] works.
    pub can_generate: bool,
    /// Whether it makes use of a request's turns; they are left out of requests to any other model.
    pub reads_turns: bool,
    /// Whether [`Model::score`] takes [`Span::Rolling`](crate::Span::Rolling) and [`Span::Strided`](crate::Span::Strided); no other
    /// model is asked for them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scores_windows: bool,
    /// Whether results depend on which requests share a batch. Exact unless the model says otherwise.
    #[serde(skip_serializing_if = "BatchInvariance::is_exact")]
    pub batch_invariance: BatchInvariance,
    /// Longest sequence, in tokens.
    pub context_length: Option<u32>,
    /// Number of tokens in the vocabulary.
    pub vocabulary: Option<u32>,
    /// What tokens cost, where they cost something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<TokenPrice>,
    /// The checkpoint that it was opened from, as the suite names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// What users should know when they read its results, a sentence each: that it ran on another device than the one asked
    /// for, say. They are shown below the results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What users may want to know before they run it, a phrase each: how a text begins, say. `examiner plan` prints them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Anything else worth writing to `run.json`: parameters, device, number type.
    pub details: Metadata,
}

/// What tokens cost, in any currency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TokenPrice {
    /// A million tokens that the model reads.
    pub input_per_million: f64,
    /// A million tokens that it writes.
    pub output_per_million: f64,
}

/// Whether a model's results depend on which other requests stand in a batch, in what order, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchInvariance {
    /// They do not, in any bit: the same request has the same result in every batch.
    #[default]
    Exact,
    /// A log-likelihood moves by no more than so many nats, the sum of its tokens. Answers may differ.
    Within(f64),
    /// Nothing is promised: it is not known how the results are computed, on a server for example.
    NotPromised,
}

impl BatchInvariance {
    /// Whether results are the same in every bit.
    pub fn is_exact(&self) -> bool {
        *self == BatchInvariance::Exact
    }
}

/// A set of questions.
pub trait Dataset: Send {
    /// What the dataset is.
    fn info(&self) -> Result<DatasetInfo>;

    /// The rows that few-shot examples are taken from, in order. Empty if there are none.
    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        Ok(Vec::new())
    }

    /// Sends every sample, in the dataset's order, the same at each call.
    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()>;

    /// Sends every sample as a model is to learn it, in one of the forms of [`DatasetInfo::forms`]: prompt, delimiter and right
    /// answer become a row. The default knows [`ANSWERS_FORM`] alone: the samples as they are.
    fn training_samples(&mut self, form: &str, sink: &dyn Sink<Sample>) -> Result<()> {
        match form {
            ANSWERS_FORM => self.samples(sink),
            _ => Err(PluginError::bad_options(format!("expected the form `{ANSWERS_FORM}`, found `{form}`"))),
        }
    }
}

/// The form to learn from that every dataset has: question and right answer as they are.
pub const ANSWERS_FORM: &str = "answers";

/// The description of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetInfo {
    /// Changes whenever a sample could: a hash of the rows and of the options that shape them.
    pub fingerprint: String,
    /// The version of the prompt's wording, for OpenCompass's layout of results.
    pub version: String,
    /// How many samples there are, where it is known before reading them.
    pub rows: Option<u64>,
    /// The scorer to use when the suite names none.
    pub scorer: Option<String>,
    /// That scorer's options when the suite gives none.
    pub scorer_options: Metadata,
    /// What stands before the few-shot examples.
    pub preamble: String,
    /// What stands between few-shot examples, and between the last one and the question.
    pub shot_separator: String,
    /// How answers are generated when the suite does not say.
    pub sampling: Sampling,
    /// Whether the mean over the subsets, each counting the same however large it is, is reported besides the mean over
    /// all samples.
    pub macro_average: bool,
    /// Groups of subsets, each reported by rows of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<SubsetGroup>,
    /// Whether there are samples with [turns](Sample::turns) of their own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_turns: bool,
    /// The forms in which [`Dataset::training_samples`] sends samples to learn from; [`ANSWERS_FORM`] is one of them.
    pub forms: Vec<String>,
}

/// Subsets of a dataset whose results are reported as one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SubsetGroup {
    /// Its name, other than those of all subsets and other groups.
    pub name: String,
    /// The names of its subsets.
    pub subsets: Vec<String>,
    /// What is reported.
    pub metrics: Vec<GroupMetric>,
}

/// A metric of a [`SubsetGroup`]: the mean of its values in the group's subsets. A subset that does not have the metric is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupMetric {
    /// The metric's name.
    pub metric: String,
    /// Whether a subset counts by its number of samples; otherwise each counts the same.
    pub weight_by_size: bool,
}

impl Default for DatasetInfo {
    fn default() -> Self {
        DatasetInfo {
            fingerprint: String::new(),
            version: String::new(),
            rows: None,
            scorer: None,
            scorer_options: Metadata::new(),
            preamble: String::new(),
            shot_separator: "\n\n".to_owned(),
            sampling: Sampling::default(),
            macro_average: false,
            groups: Vec::new(),
            has_turns: false,
            forms: vec![ANSWERS_FORM.to_owned()],
        }
    }
}

/// Turns questions into requests, and answers into metrics.
pub trait Scorer: Send {
    /// What the scorer reports. The first metric is the one that figures show.
    fn info(&self) -> Result<ScorerInfo>;

    /// The requests of each question, in the order in which [`Scorer::score`] gets their answers.
    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>>;

    /// One verdict for each item. Only questions of which every request was answered come here.
    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>>;

    /// The value of a metric with [`crate::Aggregation::Corpus`], from the statistics of the samples.
    fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        let _ = statistics;
        Err(PluginError::unsupported(format!("this scorer has no corpus metric `{metric}`")))
    }
}

/// The description of a scorer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScorerInfo {
    /// The metrics of each sample.
    pub metrics: Vec<MetricInfo>,
    /// Changes whenever a verdict could: the scorer's options and the version of its rules.
    pub fingerprint: String,
    /// Whether it asks for log-likelihoods.
    pub asks_score: bool,
    /// Whether it asks for generated answers.
    pub asks_generate: bool,
}

/// Looks at what a plugin needs of the machine, for `examiner doctor`.
pub trait Diagnostic: Send {
    /// What was looked for, and what was found. Nothing is changed, and nothing is fetched.
    fn findings(&self) -> Result<Vec<Finding>>;
}

/// Something that a plugin needs, or could use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is: `ONNX Runtime`, `CUDA`.
    pub subject: String,
    /// Whether it is there.
    pub state: FindingState,
    /// What was found and where, or what is missing, in one sentence.
    pub detail: String,
    /// The command that fixes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingState {
    /// It is there and works.
    Ok,
    /// It is not there; only those who want it need it.
    Absent,
    /// It is there and does not work.
    Broken,
}
