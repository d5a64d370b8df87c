//! What judging a task's samples depends on: it travels from the dataset to the scorer as one of its options.

use crate::FunctionName;
use crate::python_tasks::TaskCall;
use examiner_api::Sampling;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a task asks of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    /// How likely one continuation is.
    Loglikelihood,
    /// How likely a whole document is.
    LoglikelihoodRolling,
    /// How likely each of some continuations is.
    MultipleChoice,
    /// A free answer.
    GenerateUntil,
}

impl OutputType {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "loglikelihood" => OutputType::Loglikelihood,
            "loglikelihood_rolling" => OutputType::LoglikelihoodRolling,
            "multiple_choice" => OutputType::MultipleChoice,
            "generate_until" => OutputType::GenerateUntil,
            _ => return None,
        })
    }

    /// The metrics of a task that names none.
    pub fn default_metrics(self) -> &'static [&'static str] {
        match self {
            OutputType::Loglikelihood => &["perplexity", "acc"],
            OutputType::LoglikelihoodRolling => &["word_perplexity", "byte_perplexity", "bits_per_byte"],
            OutputType::MultipleChoice => &["acc", "acc_norm"],
            OutputType::GenerateUntil => &["exact_match"],
        }
    }
}

/// A metric of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSpec {
    /// Its name in the results, without that of a filter.
    pub name: String,
    /// The task's own function that computes it; otherwise it is one of lm-evaluation-harness, or comes from `process_results`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionName>,
    /// What the function is given besides reference and prediction.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// How the samples' values become one.
    pub aggregation: AggregationSpec,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// How the samples' values of a metric become one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AggregationSpec {
    /// An aggregation of lm-evaluation-harness, by its name there.
    Named(String),
    /// The task's own function.
    Function(FunctionName),
    /// One that Python computes.
    Python {
        /// The metric of the task, or the name that lm-evaluation-harness has for the aggregation.
        metric: String,
        /// The task; none where it is an aggregation of lm-evaluation-harness.
        task: Option<String>,
    },
}

/// One way from a model's answers to what is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterSpec {
    /// Its name, which metrics have behind a comma where there are several.
    pub name: String,
    /// What is done, in order.
    pub steps: Vec<FilterStep>,
}

/// A step of a filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterStep {
    /// What is done.
    pub filter: FilterKind,
    /// Its options.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

/// What a step of a filter does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterKind {
    /// A filter of lm-evaluation-harness, by its name there.
    Named(String),
    /// A class of the task's own.
    Class(FunctionName),
    /// A function of the task's own, under the filter `custom`.
    Function(FunctionName),
}

/// What judging the samples of one task depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// What is asked.
    pub output_type: OutputType,
    /// The metrics, in the order of the task.
    pub metrics: Vec<MetricSpec>,
    /// The ways from answers to what is judged; one named `none` that takes the first answer where a task names none.
    pub filters: Vec<FilterSpec>,
    /// The task's own function that judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_results: Option<FunctionName>,
    /// How often each request is asked.
    pub repeats: u32,
    /// How answers are generated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sampling: Sampling,
    /// Whether there are choices.
    #[serde(default)]
    pub has_choices: bool,
    /// Whether the choices stand in the context, and the same continuation follows each.
    #[serde(default)]
    pub multiple_inputs: bool,
    /// Whether several answers are right.
    #[serde(default)]
    pub multiple_targets: bool,
    /// What judging depends on where Python does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonSpec>,
}

/// What judging the samples of a task depends on that lm-evaluation-harness's own Python code runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonSpec {
    /// A hash of the task's files, of the packages that run it, and of what is asked of them.
    pub identity: String,
    /// The task, as Python opens it.
    pub(crate) call: TaskCall,
    /// Whether log-likelihoods are asked for.
    pub asks_score: bool,
    /// Whether answers are.
    pub asks_generate: bool,
}

fn is_default(sampling: &Sampling) -> bool {
    *sampling == Sampling::default()
}
