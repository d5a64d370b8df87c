//! The roles a plugin can play, as plain traits.
//!
//! Every role is batch-oriented: a call crosses the boundary once, and results stream back through a [`Sink`] as they
//! are ready, so that progress, journal and cancellation work by the sample.

use crate::{
    Answered, Ask, GenerateRequest, GenerateResult, Host, Metadata, MetricInfo, PluginError, Question, Response,
    Sample, Sampling, ScoreRequest, ScoreResult, Shot, Verdict,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::PathBuf;

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
    /// Hands over one result.
    fn send(&self, item: T) -> Flow;
}

impl<T, F: Fn(T) -> Flow + Sync> Sink<T> for F {
    fn send(&self, item: T) -> Flow {
        self(item)
    }
}

/// How a role comes to be: from its options in the suite.
pub trait Open: Sized + 'static {
    /// The role's options. Derive `Deserialize` with `deny_unknown_fields`, and `JsonSchema`, so that
    /// `examiner check` and editors know them.
    type Options: DeserializeOwned + schemars::JsonSchema;

    /// Makes the role. Files are opened and options judged here, so that a suite fails before its work starts.
    fn open(options: Self::Options, host: Host) -> Result<Self>;
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
}

/// What a model says of itself.
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
    /// Longest sequence, in tokens.
    pub context_length: Option<u32>,
    /// Number of tokens in the vocabulary.
    pub vocabulary: Option<u32>,
    /// Anything else worth writing to `run.json`: parameters, device, number type.
    pub details: Metadata,
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
}

/// What a dataset says of itself.
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

/// What a scorer says of itself.
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

/// A row to learn from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainingRow {
    /// Unique within the file.
    pub id: String,
    /// What is given.
    pub prompt: String,
    /// What is learned, with its delimiter.
    pub completion: String,
    /// Anything else that the row carries (task, teacher, reasoning).
    #[serde(flatten)]
    pub metadata: Metadata,
}

/// Teaches a model.
pub trait Trainer: Send {
    /// Trains from `job.from` on `job.rows` and leaves a checkpoint directory. With checkpoints of an interrupted run in
    /// `job.out`, goes on from the last.
    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport>;
}

/// What a [`Trainer`] is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainJob {
    /// The checkpoint directory to start from; none to start from scratch.
    pub from: Option<PathBuf>,
    /// A file of [`TrainingRow`]s, JSON lines.
    pub rows: PathBuf,
    /// Where checkpoints and curves go.
    pub out: PathBuf,
    /// Where TensorBoard event files go; none to write none.
    #[serde(default)]
    pub events: Option<PathBuf>,
    /// Key of all random numbers.
    pub seed: u64,
}

/// A step of training, as it happens.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainEvent {
    /// Steps done.
    pub step: u64,
    /// Steps to do.
    pub steps: u64,
    /// Mean loss of the step, in nats per token.
    pub loss: Option<f64>,
    /// Mean loss of the validation rows, in nats per token.
    pub validation_loss: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: Option<f64>,
    /// Tokens a second.
    pub tokens_per_s: Option<f64>,
}

/// What came of a [`TrainJob`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainReport {
    /// The checkpoint directory that later stages use.
    pub checkpoint: PathBuf,
    /// Steps done.
    pub steps: u64,
    /// Anything else worth reporting.
    pub details: Metadata,
}

/// Makes a data file by asking models through the host.
pub trait Recipe: Send {
    /// Writes the file and says where it is. Run again after an interruption, asks nothing twice.
    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport>;
}

/// What a [`Recipe`] is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RecipeJob {
    /// The name of the model to ask, for [`Host::model`].
    pub teacher: String,
    /// The directory that the file is published to.
    pub out: PathBuf,
    /// At most this many questions of each task: for a first look.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Key of all random numbers.
    pub seed: u64,
}

/// A question of a recipe answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipeEvent {
    /// Questions done.
    pub done: u64,
    /// Questions to do.
    pub total: u64,
    /// Rows kept.
    pub kept: u64,
}

/// What came of a [`RecipeJob`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipeReport {
    /// The file of [`TrainingRow`]s.
    pub rows: PathBuf,
    /// Questions asked.
    pub asked: u64,
    /// Rows kept.
    pub kept: u64,
    /// Anything else worth reporting.
    pub details: Metadata,
}

/// Turns a checkpoint directory into another format.
pub trait Exporter: Send {
    /// Exports and says what was written.
    fn export(&mut self, job: ExportJob) -> Result<ExportReport>;
}

/// What an [`Exporter`] is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExportJob {
    /// The checkpoint directory.
    pub from: PathBuf,
    /// Where the export goes.
    pub out: PathBuf,
}

/// What came of an [`ExportJob`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportReport {
    /// What later stages use.
    pub checkpoint: PathBuf,
    /// Anything else worth reporting.
    pub details: Metadata,
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
