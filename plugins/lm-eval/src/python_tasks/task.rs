//! A task that Python runs.

use super::document::RequestKind;
use super::identity;
use super::session::{Description, Metric, Session, TaskCall};
use crate::TaskConfig;
use crate::spec::{AggregationSpec, FilterSpec, MetricSpec, OutputType, PythonSpec, TaskSpec};
use examiner_api::{Flow, PluginError, Result, Sample, Sampling, rows};
use serde_json::Map;
use std::path::PathBuf;

/// The aggregations of lm-evaluation-harness that this plugin computes itself, for any values that they can have there.
const NATIVE: [&str; 10] = [
    "mean",
    "nanmean",
    "median",
    "perplexity",
    "weighted_perplexity",
    "bits_per_byte",
    "bleu",
    "chrf",
    "chrf++",
    "ter",
];

/// A task, opened by Python.
pub(crate) struct PythonTask {
    config: TaskConfig,
    call: TaskCall,
    description: Description,
}

/// What is known of a task once its samples were made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Made {
    /// How many samples there are.
    pub(crate) samples: u64,
    /// Whether the scorer is to be told of a model that reads turns.
    pub(crate) has_turns: bool,
    /// Whether log-likelihoods are asked for.
    asks_score: bool,
    /// Whether answers are.
    asks_generate: bool,
    /// How the first answer is generated.
    pub(crate) sampling: Sampling,
    /// A hash of all samples.
    digest: String,
}

impl PythonTask {
    /// Has Python open a task.
    ///
    /// # Errors
    /// It cannot, which is told with the last lines of its traceback.
    pub(crate) fn open(config: &TaskConfig, call: TaskCall, session: &mut Session) -> Result<Self> {
        let description = session.describe(&call)?;
        Ok(PythonTask { config: config.clone(), call, description })
    }

    /// The task's name.
    pub(crate) fn name(&self) -> &str {
        &self.call.task
    }

    /// Makes every sample, in order. What comes after `take` has said to stop is left out.
    ///
    /// # Errors
    /// A prompt cannot be made, or asks for what models cannot be asked.
    pub(crate) fn each(
        &self,
        session: &mut Session,
        limit: Option<usize>,
        is_subset: bool,
        take: &mut dyn FnMut(Sample) -> Flow,
    ) -> Result<Made> {
        let mut made = Made::default();
        let mut is_wanted = true;
        let delimiter = self.description.target_delimiter.as_deref().unwrap_or_default();
        session.documents(&self.call, limit, &mut |document| {
            if !is_wanted {
                return Ok(());
            }
            let id = document.id;
            let (sample, asked) = document.into_sample(delimiter).map_err(|what| {
                PluginError::bad_input(format!("task `{}`, document {id}: it has {what}", self.name()))
            })?;
            for request in &asked.requests {
                let generates = request.kind == RequestKind::GenerateUntil;
                made.asks_generate |= generates;
                made.asks_score |= !generates;
            }
            if let (0, Some(sampling)) = (made.samples, asked.sampling()) {
                made.sampling = sampling.clone();
            }
            made.has_turns |= asked.has_turns();
            made.samples += 1;
            let subset = is_subset.then(|| self.name().to_owned());
            let sample = Sample { id: format!("{}/{id}", self.name()), subset, ..sample };
            let text = serde_json::to_string(&sample)
                .map_err(|error| PluginError::bad_input("cannot write a sample").with_cause(&error))?;
            made.digest = rows::digest([made.digest.as_str(), text.as_str()]);
            is_wanted = take(sample) == Flow::Continue;
            Ok(())
        })?;
        Ok(made)
    }

    /// What verdicts depend on. `imported` are the Python files of tasks that are imported once all tasks have been opened.
    ///
    /// # Errors
    /// A file of the task cannot be read.
    pub(crate) fn identity(&self, session: &Session, imported: &[PathBuf]) -> Result<String> {
        identity::of(&self.config, session, imported)
    }

    /// What samples depend on, besides what all tasks are asked by.
    pub(crate) fn fingerprint(&self, made: &Made, identity: &str) -> String {
        rows::digest([self.name(), identity, &made.digest])
    }

    /// What judging depends on.
    pub(crate) fn spec(&self, made: &Made, identity: String) -> TaskSpec {
        let output_type = self.config.get("output_type").and_then(|setting| setting.as_text());
        let filter = |name: &String| FilterSpec { name: name.clone(), steps: Vec::new() };
        TaskSpec {
            output_type: output_type.and_then(OutputType::named).unwrap_or(OutputType::GenerateUntil),
            metrics: self.description.metrics.iter().map(|metric| self.metric(metric)).collect(),
            filters: self.description.filters.iter().map(filter).collect(),
            process_results: None,
            repeats: 1,
            sampling: made.sampling.clone(),
            has_choices: false,
            multiple_inputs: false,
            multiple_targets: false,
            python: Some(PythonSpec {
                identity,
                call: self.call.clone(),
                asks_score: made.asks_score,
                asks_generate: made.asks_generate,
            }),
        }
    }

    fn metric(&self, metric: &Metric) -> MetricSpec {
        let aggregation = match &metric.aggregation {
            Some(name) if NATIVE.contains(&name.as_str()) => AggregationSpec::Named(name.clone()),
            Some(name) => AggregationSpec::Python { metric: name.clone(), task: None },
            None => AggregationSpec::Python { metric: metric.name.clone(), task: Some(self.name().to_owned()) },
        };
        MetricSpec {
            name: metric.name.clone(),
            function: None,
            options: Map::new(),
            aggregation,
            higher_is_better: metric.higher_is_better,
        }
    }
}
