//! The scorer `lm-eval`: what a task asks of a model, and how it judges the answers.
//!
//! Each sample is judged by its own task, whose specification travels with the dataset. Metrics have the names that
//! lm-evaluation-harness gives them; where a task has several filters, the filter's name stands behind a comma.

mod choice;
mod corpus_pairs;
mod corpus_texts;
mod filters;
mod judging;
mod packed;
mod python;
mod requests;
mod statistics;
mod text;

use crate::functions::{Functions, source};
use crate::python_tasks::Interpreter;
use crate::spec::{AggregationSpec, FilterKind, MetricSpec, OutputType, TaskSpec};
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{
    Aggregation, Answered, Ask, ErrorCode, Host, MetricInfo, Open, Outcome, PluginError, Question, Result, Sample,
    Sampling, Scorer, ScorerInfo, Verdict, rows,
};
use python::Python;
use serde::{Deserialize, Serialize};
use serde_json::json;
use statistics::{Statistic, is_mean};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The version of the rules. It changes when the same answers could be judged differently.
const RULES: u32 = 1;

/// The options of the scorer `lm-eval`. The dataset `lm-eval` gives them; nobody writes them by hand.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScorerOptions {
    /// What judging the samples of each task depends on, by the task's name.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    tasks: BTreeMap<String, TaskSpec>,
    /// How answers are generated where the suite says nothing: what it says differently holds for every task.
    sampling: Sampling,
    /// The Python that runs tasks, where one is run by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    python: Option<Interpreter>,
}

impl ScorerOptions {
    /// The options for some tasks.
    pub(crate) fn new(tasks: BTreeMap<String, TaskSpec>, sampling: Sampling, python: Option<Interpreter>) -> Self {
        ScorerOptions { tasks, sampling, python }
    }
}

/// The scorer, opened.
pub struct LmEvalScorer {
    tasks: BTreeMap<String, TaskSpec>,
    sampling: Sampling,
    metrics: Vec<MetricInfo>,
    /// How each metric that is no mean everywhere becomes one value; a statistic begins with its place here.
    aggregations: Vec<AggregationSpec>,
    fingerprint: String,
    python: Python,
}

thread_local! {
    /// Interpreters belong to one thread.
    static FUNCTIONS: RefCell<Functions> = RefCell::new(Functions::default());
}

/// Runs something with the interpreters of this thread.
fn with_functions<T>(run: impl FnOnce(&mut Functions) -> T) -> T {
    FUNCTIONS.with(|functions| match functions.try_borrow_mut() {
        Ok(mut functions) => run(&mut functions),
        Err(_) => run(&mut Functions::default()),
    })
}

impl Open for LmEvalScorer {
    type Options = ScorerOptions;

    fn open(options: ScorerOptions, host: Host) -> Result<Self> {
        if options.tasks.is_empty() {
            return Err(PluginError::bad_options("the scorer `lm-eval` is for the dataset `lm-eval` alone")
                .with_help("leave `scorer` out: the dataset names it, with its options"));
        }
        let mut aggregations: Vec<AggregationSpec> = Vec::new();
        for metric in options.tasks.values().flat_map(|task| &task.metrics) {
            if !aggregations.contains(&metric.aggregation) {
                aggregations.push(metric.aggregation.clone());
            }
        }
        let fingerprint = fingerprint(&options.tasks);
        let metrics = metrics(&options.tasks);
        let python = Python::new(options.python, host);
        Ok(LmEvalScorer {
            tasks: options.tasks,
            sampling: options.sampling,
            metrics,
            aggregations,
            fingerprint,
            python,
        })
    }
}

/// The name of a metric of a task under one of its filters.
pub(crate) fn metric_name(task: &TaskSpec, metric: &str, filter: &str) -> String {
    if task.filters.len() > 1 { format!("{metric},{filter}") } else { metric.to_owned() }
}

/// The metrics of all tasks, in the order in which tasks have them.
fn metrics(tasks: &BTreeMap<String, TaskSpec>) -> Vec<MetricInfo> {
    let mut found: Vec<(MetricInfo, usize)> = Vec::new();
    for task in tasks.values() {
        for (metric, filter) in task.metrics.iter().flat_map(|metric| task.filters.iter().map(move |f| (metric, f))) {
            let name = metric_name(task, &metric.name, &filter.name);
            let aggregation = if is_mean(&metric.aggregation) { Aggregation::Mean } else { Aggregation::Corpus };
            let bounds = bounds(task, metric);
            // A function decides with each sample what it gives.
            let is_partial = task.process_results.is_some() || task.python.is_some();
            match found.iter_mut().find(|(known, _)| known.name == name) {
                Some((known, count)) => {
                    *count += 1;
                    if aggregation == Aggregation::Corpus {
                        known.aggregation = aggregation;
                    }
                    if known.bounds != bounds {
                        known.bounds = None;
                    }
                    known.partial |= is_partial;
                }
                None => {
                    let info = MetricInfo {
                        name,
                        aggregation,
                        higher_is_better: metric.higher_is_better,
                        bounds,
                        partial: is_partial,
                    };
                    found.push((info, 1));
                }
            }
        }
    }
    let partial =
        |(info, count): (MetricInfo, usize)| MetricInfo { partial: info.partial || count < tasks.len(), ..info };
    found.into_iter().map(partial).collect()
}

/// The values that a metric can have, where it is known.
fn bounds(task: &TaskSpec, metric: &MetricSpec) -> Option<(f64, f64)> {
    let is_own = metric.function.is_some() || task.process_results.is_some() || task.python.is_some();
    let is_share = metric.name == "exact_match" || metric.name.starts_with("acc");
    (is_share && !is_own && is_mean(&metric.aggregation)).then_some((0.0, 1.0))
}

/// Changes whenever a verdict could: with what the tasks say, the functions that they name, and the rules.
fn fingerprint(tasks: &BTreeMap<String, TaskSpec>) -> String {
    let mut parts = vec![format!("lm-eval scorer {RULES}")];
    for (name, task) in tasks {
        let mut spec = task.clone();
        let mut sources = Vec::new();
        for function in functions_mut(&mut spec) {
            sources.push(source(function));
            // Where the file lies does not matter.
            function.file = std::path::PathBuf::new();
        }
        if let Some(python) = &mut spec.python {
            python.call.path = std::path::PathBuf::new();
        }
        parts.push(json!([name, spec, sources]).to_string());
    }
    rows::digest(parts)
}

/// The functions that judging a task's samples calls.
fn functions_mut(task: &mut TaskSpec) -> Vec<&mut crate::FunctionName> {
    let mut functions: Vec<&mut crate::FunctionName> = task.process_results.iter_mut().collect();
    for metric in &mut task.metrics {
        functions.extend(&mut metric.function);
        if let AggregationSpec::Function(function) = &mut metric.aggregation {
            functions.push(function);
        }
    }
    for step in task.filters.iter_mut().flat_map(|filter| &mut filter.steps) {
        if let FilterKind::Class(function) | FilterKind::Function(function) = &mut step.filter {
            functions.push(function);
        }
    }
    functions
}

/// The functions that judging a task's samples calls.
pub(crate) fn functions(task: &TaskSpec) -> Vec<crate::FunctionName> {
    functions_mut(&mut task.clone()).into_iter().map(|function| function.clone()).collect()
}

impl LmEvalScorer {
    /// The task of a sample: the one that its subset names, or the only one.
    fn task(&self, sample: &Sample) -> Result<&TaskSpec> {
        let task = match (&sample.subset, self.tasks.len()) {
            (Some(subset), _) if self.tasks.contains_key(subset) => self.tasks.get(subset),
            (_, 1) => self.tasks.values().next(),
            _ => None,
        };
        task.ok_or_else(|| {
            PluginError::bad_input(format!("the sample `{}` is of no task that the scorer `lm-eval` knows", sample.id))
        })
    }

    /// The verdict on one sample. The inner error is the sample's, the outer one that of all.
    fn verdict(&self, item: &Answered, functions: &mut Functions) -> Result<Result<Verdict>> {
        let sample = &item.question.sample;
        let task = match self.task(sample) {
            Ok(task) => task,
            Err(error) => return Ok(Err(error)),
        };
        let of_sample = |what: String| PluginError::bad_input(format!("sample `{}`: {what}", sample.id));
        let judged = match &task.python {
            Some(python) => self.python.judge(task, python, item, &self.sampling)?,
            None => judging::judge(task, item, functions).map_err(of_sample),
        };
        Ok(judged.map(|judged| self.put_together(judged)))
    }

    fn put_together(&self, judged: judging::Judged) -> Verdict {
        let mut verdict = Verdict { extracted: judged.extracted, details: judged.details, ..Verdict::default() };
        for (name, aggregation, statistic) in judged.statistics {
            let is_corpus = self.metrics.iter().any(|m| m.name == name && m.aggregation == Aggregation::Corpus);
            let place = self.aggregations.iter().position(|known| *known == aggregation).unwrap_or_default() as f64;
            match (statistic, is_corpus) {
                (Statistic::Mean(number), false) => drop(verdict.metrics.insert(name, number)),
                (Statistic::Mean(number), true) => drop(verdict.statistics.insert(name, vec![place, number])),
                (Statistic::Corpus(numbers), _) => {
                    let numbers = std::iter::once(place).chain(numbers).collect();
                    verdict.statistics.insert(name, numbers);
                }
            }
        }
        verdict
    }

    fn requests_of(&self, question: &Question) -> Result<Vec<Ask>> {
        let task = self.task(&question.sample)?;
        match &task.python {
            Some(python) => python::asks(python, question, &self.sampling),
            None => requests::of(task, question, &self.sampling),
        }
    }
}

impl Scorer for LmEvalScorer {
    fn info(&self) -> Result<ScorerInfo> {
        let asks = |generates: bool| {
            self.tasks.values().any(|task| match &task.python {
                Some(python) => {
                    if generates {
                        python.asks_generate
                    } else {
                        python.asks_score
                    }
                }
                None => (task.output_type == OutputType::GenerateUntil) == generates,
            })
        };
        Ok(ScorerInfo {
            metrics: self.metrics.clone(),
            fingerprint: self.fingerprint.clone(),
            asks_score: asks(false),
            asks_generate: asks(true),
        })
    }

    fn requests(&self, questions: &[Question]) -> Result<Vec<Vec<Ask>>> {
        questions.iter().map(|question| self.requests_of(question)).collect()
    }

    fn score(&self, items: &[Answered]) -> Result<Vec<Verdict>> {
        with_functions(|functions| {
            let failed = |error| Verdict { outcome: Outcome::Error(error), ..Verdict::default() };
            items.iter().map(|item| Ok(self.verdict(item, functions)?.unwrap_or_else(failed))).collect()
        })
    }

    fn corpus(&self, metric: &str, statistics: &[Vec<f64>]) -> Result<f64> {
        let no_value =
            |what: String| PluginError::new(ErrorCode::Numeric, format!("the metric `{metric}` has no value: {what}"));
        let Some(place) = statistics.first().and_then(|numbers| numbers.first()).copied() else {
            return Err(no_value("there are no samples".to_owned()));
        };
        if statistics.iter().any(|numbers| numbers.first() != Some(&place)) {
            return Err(no_value("it is aggregated differently in different tasks".to_owned()));
        }
        let aggregation = self.aggregations.get(place as usize);
        let aggregation =
            aggregation.ok_or_else(|| no_value("its statistics are not those of this scorer".to_owned()))?;
        let rest: Vec<&[f64]> = statistics.iter().map(|numbers| numbers.get(1..).unwrap_or_default()).collect();
        if let AggregationSpec::Python { metric, task } = aggregation {
            let of_task = task.as_ref().and_then(|task| self.tasks.get(task)).and_then(|task| task.python.as_ref());
            return self.python.aggregate(metric, of_task.map(|python| &python.call), &rest);
        }
        with_functions(|functions| statistics::corpus(aggregation, &rest, functions)).map_err(no_value)
    }
}

#[cfg(test)]
mod tests;
