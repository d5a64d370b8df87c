//! The types of a suite as it is written. Its meaning is determined by the plan.

use super::paths::Paths;
use examiner_api::Sampling;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;

/// Options that the harness passes to a plugin. Texts in them may contain references and `$${` for a literal `${`, which
/// `substitute` has to fill in before use.
pub type Options = Map<String, Value>;

/// Entries by name, in the order of the suite, which is the order of every table.
pub type Named<T> = IndexMap<String, T>;

/// A whole suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suite {
    /// The suite's name; names of runs begin with it.
    pub name: String,
    /// Key of all random numbers.
    pub seed: u64,
    /// How many local models may be resident at a time.
    pub parallel: usize,
    /// When to give up a model x dataset because of samples without an answer.
    pub fail_on_error: FailOnError,
    /// What becomes of samples that do not fit into a model's context.
    pub on_truncation: OnTruncation,
    /// How roles of plugins run in processes of their own; none to run them in the program itself.
    pub isolate: Option<Isolation>,
    /// Values for `${vars.NAME}`, which are already filled in.
    #[serde(serialize_with = "in_order")]
    pub vars: Named<Value>,
    /// The files of particular plugins, and their hashes.
    #[serde(serialize_with = "in_order")]
    pub plugins: Named<PluginPin>,
    /// Models by name.
    #[serde(serialize_with = "in_order")]
    pub models: Named<ModelSpec>,
    /// Datasets by name.
    #[serde(serialize_with = "in_order")]
    pub datasets: Named<DatasetSpec>,
    /// Stages that make data files.
    #[serde(serialize_with = "in_order")]
    pub teach: Named<TeachSpec>,
    /// Stages that train.
    #[serde(serialize_with = "in_order")]
    pub train: Named<TrainSpec>,
    /// Stages that convert checkpoints to other formats.
    #[serde(serialize_with = "in_order")]
    pub export: Named<ExportSpec>,
    /// Which models are examined on which datasets.
    pub evaluate: Vec<Evaluation>,
    /// What is reported.
    pub report: ReportSpec,
    /// The directory of runs whose answers are used again. Like `gate`, it is no part of what the suite is.
    #[serde(skip)]
    pub reuse: Option<PathBuf>,
    /// The directory with repositories that is read instead of the Hugging Face hub. What is read there counts, not where it is.
    #[serde(skip)]
    pub hub_mirror: Option<PathBuf>,
    /// Rules that the results must keep. They decide nothing that is done, and are thus no part of what the suite is.
    #[serde(skip)]
    pub gate: Vec<Options>,
    /// Where its relative paths begin.
    #[serde(skip)]
    pub paths: Paths,
}

/// When to give up a model x dataset because of samples without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailOnError {
    /// Never (`false`): errors are rows of the report.
    #[default]
    Never,
    /// At the first error (`true`).
    First,
    /// When more than this share of the samples are errors (a number between 0 and 1).
    Share(f64),
    /// When there are more errors than this (a whole number).
    Count(u64),
}

/// What becomes of a sample whose prompt or context is longer than the model's context. The model reads its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnTruncation {
    /// It counts, and is reported; a model x dataset of which no sample fits fails.
    #[default]
    Report,
    /// It is an error of the sample.
    Error,
    /// It counts, and is reported, even if no sample fits.
    Allow,
}

/// Limits of roles in processes of their own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Isolation {
    /// A process that gives neither a result nor another sign of work for so long is considered to hang, and is killed.
    pub deadline_s: f64,
    /// A process that uses more memory is killed; none for no limit.
    pub memory_mib: Option<u64>,
    /// When so many samples in a row have ended the process, each alone, the model x dataset is given up.
    pub deaths: u32,
}

impl Default for Isolation {
    fn default() -> Self {
        Isolation { deadline_s: 600.0, memory_mib: None, deaths: 3 }
    }
}

impl FailOnError {
    /// Whether so many errors among so many samples are too many.
    pub fn is_exceeded(self, errors: u64, samples: u64) -> bool {
        match self {
            FailOnError::Never => false,
            FailOnError::First => errors > 0,
            FailOnError::Share(share) => errors as f64 > share * samples as f64,
            FailOnError::Count(count) => errors > count,
        }
    }

    /// Whether the limit will be exceeded whatever the results of the remaining samples are. Only a share depends on the total
    /// number of samples: if that is unknown, a share is not decided before the end.
    pub fn is_certainly_exceeded(self, errors: u64, samples_total: Option<u64>) -> bool {
        match (self, samples_total) {
            (FailOnError::Share(_), None) => false,
            (_, samples) => self.is_exceeded(errors, samples.unwrap_or(0)),
        }
    }
}

impl fmt::Display for FailOnError {
    /// As it is written in a suite.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailOnError::Never => formatter.write_str("false"),
            FailOnError::First => formatter.write_str("true"),
            FailOnError::Share(share) => write!(formatter, "{share}"),
            FailOnError::Count(count) => write!(formatter, "{count}"),
        }
    }
}

/// The file of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PluginPin {
    /// The library file; if there is none the configured directories are searched.
    pub path: Option<PathBuf>,
    /// The SHA-256 that the file must have, 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSpec {
    /// The plugin of the model.
    pub plugin: String,
    /// The plugin's options.
    pub options: Options,
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetSpec {
    /// The plugin that reads it.
    pub plugin: String,
    /// The scorers; empty to use the one that the dataset names.
    pub scorers: Vec<ScorerSpec>,
    /// The number of examples before a question; none for the dataset's default.
    pub shots: Option<usize>,
    /// How the examples are chosen.
    pub shots_from: ShotsFrom,
    /// What becomes of examples that are the question itself.
    pub contamination: Contamination,
    /// How often each question is asked.
    pub repeats: u32,
    /// At most this many questions, from the start.
    pub limit: Option<u64>,
    /// Settings of generation that differ from the dataset's.
    pub generation: Generation,
    /// The plugin's options.
    pub options: Options,
}

/// How few-shot examples are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShotsFrom {
    /// The first ones of the pool, the same for every question, so that a model computes them once.
    #[default]
    First,
    /// Drawn from the pool by the seed and the question's id.
    Random,
}

/// What becomes of a few-shot example that is the question itself, its answer included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contamination {
    /// Another example takes its place.
    #[default]
    LeaveOut,
    /// It stays, as in numbers of others that are to be reproduced.
    Keep,
}

/// A scorer and its options.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScorerSpec {
    /// The scorer's name.
    pub name: String,
    /// Its name in the report, by default the scorer's name. With labels a scorer can be used twice with different options.
    pub label: String,
    /// The scorer's options.
    pub options: Options,
}

/// The fields of [`Sampling`] that a suite may set.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(default)]
pub struct Generation {
    /// At most this many new tokens.
    pub max_new_tokens: Option<u32>,
    /// 0 takes the most probable token.
    pub temperature: Option<f32>,
    /// Only the `top_k` most probable tokens; 0 for all.
    pub top_k: Option<u32>,
    /// Only the most probable tokens that add up to `top_p`; 1 for all.
    pub top_p: Option<f32>,
    /// Divides the logits of tokens that have occurred already; 1 for none.
    pub repetition_penalty: Option<f32>,
    /// The answer ends before the first of these strings.
    pub stop: Option<Vec<String>>,
}

impl Generation {
    /// `sampling` with the fields that are set here.
    pub fn over(&self, sampling: Sampling) -> Sampling {
        Sampling {
            max_new_tokens: self.max_new_tokens.unwrap_or(sampling.max_new_tokens),
            temperature: self.temperature.unwrap_or(sampling.temperature),
            top_k: self.top_k.unwrap_or(sampling.top_k),
            top_p: self.top_p.unwrap_or(sampling.top_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(sampling.repetition_penalty),
            stop: self.stop.clone().unwrap_or(sampling.stop),
            seed: sampling.seed,
        }
    }
}

/// A stage that makes a data file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TeachSpec {
    /// The plugin with the recipe.
    pub recipe: String,
    /// The model that is asked.
    pub teacher: String,
    /// The recipe's options.
    pub options: Options,
}

/// A stage that trains.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainSpec {
    /// The plugin that trains.
    pub trainer: String,
    /// Its initial checkpoint; none to start from scratch.
    pub from: Option<Start>,
    /// Its training data.
    pub data: TrainData,
    /// The trainer's options.
    pub options: Options,
}

/// The checkpoint that a training or an export starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The checkpoint of a model of the suite.
    Model(String),
    /// A path, an address (`hf://...`) or a reference (`${train.NAME}`), which `substitute` has to fill in.
    Checkpoint(String),
}

/// The data of a training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainData {
    /// A file of training rows: a path or a reference (`${teach.NAME}`), which `substitute` has to fill in.
    File(String),
    /// Rows made of a dataset of the suite.
    Dataset {
        /// The dataset's name.
        dataset: String,
        /// The form of the rows: `answers`, for example.
        #[serde(rename = "as")]
        form: String,
        /// Only the samples of which this stage of `teach` kept a row.
        match_rows: Option<String>,
    },
}

/// A stage that converts a checkpoint to another format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportSpec {
    /// The plugin that exports.
    pub exporter: String,
    /// The checkpoint.
    pub from: Start,
    /// The exporter's options.
    pub options: Options,
}

/// Models that are examined on datasets: each on each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Names of models; `all` is already replaced by them.
    pub models: Vec<String>,
    /// Names of datasets; `all` is already replaced by them.
    pub datasets: Vec<String>,
    /// Scorers that replace those of the datasets; empty for those.
    pub scorers: Vec<ScorerSpec>,
}

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReportSpec {
    /// The path of the figure.
    pub figure: Option<PathBuf>,
    /// The model that the others are compared with.
    pub baseline: Option<String>,
}

fn in_order<T: Serialize, S: Serializer>(named: &Named<T>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(named)
}

#[cfg(test)]
mod tests {
    use super::FailOnError::{Count, First, Never, Share};

    #[test]
    fn the_limit_of_errors_is_exceeded_as_soon_as_that_is_certain() {
        for (limit, errors, samples, exceeded) in [
            (Never, 9, 9, false),
            (First, 0, 9, false),
            (First, 1, 9, true),
            (Count(2), 2, 9, false),
            (Count(2), 3, 9, true),
            (Share(0.5), 5, 10, false),
            (Share(0.5), 6, 10, true),
        ] {
            assert_eq!(limit.is_exceeded(errors, samples), exceeded, "{limit} {errors}");
            assert_eq!(limit.is_certainly_exceeded(errors, Some(samples)), exceeded, "{limit} {errors}");
            let of_unknown = exceeded && !matches!(limit, Share(_));
            assert_eq!(limit.is_certainly_exceeded(errors, None), of_unknown, "{limit} {errors}");
        }
        assert_eq!(
            [Never, First, Share(0.25), Count(3)].map(|limit| limit.to_string()),
            ["false", "true", "0.25", "3"]
        );
    }
}
