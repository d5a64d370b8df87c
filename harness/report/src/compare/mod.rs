//! Models, prompts or runs against a baseline, on the same samples.
//!
//! Two models that answered the same questions are compared question by question, because they share most of the variance
//! of their scores. Where a comparison would not be fair there is a reason instead of numbers.

mod csv;
mod judged;
mod lines;
mod pair;
mod table;

use super::metrics::{Metric, UnknownMetric, chosen, did_you_mean};
use crate::statistics::{Method, holm};
pub use csv::COLUMNS;
use examiner_store::provenance::Provenance;
use examiner_store::summary::SummaryRow;
use lines::{ComparedRun, Side};
use std::path::Path;

/// What to compare.
#[derive(Debug, Clone, Default)]
pub struct CompareRequest {
    /// The model, or the dataset, that the others are compared with; of several runs, none for the first of them.
    pub baseline: Option<String>,
    /// Names of metrics, or [`super::metrics::ALL`]; empty for the first of each dataset and scorer.
    pub metrics: Vec<String>,
    /// Whether the subsets of datasets are compared, too.
    pub subsets: bool,
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The baseline is no model of the run, and no dataset.
    #[error("the run has no model or dataset `{baseline}` to compare with; {help}")]
    Baseline {
        /// The name given.
        baseline: String,
        /// What to try.
        help: String,
    },
    /// The baseline is the only model, or the only dataset.
    #[error("`{0}` is the only one of the run: there is nothing to compare it with")]
    Alone(String),
    /// Runs are compared with the first of them.
    #[error("`--baseline {0}` is for one run: of several, each is compared with the first, model by model")]
    BaselineOfRuns(String),
    /// There is one run, and no baseline in it.
    #[error("name what the others are compared with: `--baseline MODEL`, `--baseline DATASET`, or a second run")]
    NoBaseline,
    /// Runs have nothing in common.
    #[error("`{0}` and `{1}` have no model and dataset of the same names")]
    NothingInCommon(String, String),
    /// A metric has no row.
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
    /// A file of samples cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Samples {
        /// The file.
        path: String,
        /// Why, and where in it.
        reason: String,
    },
}

/// Models against a baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The baseline's name.
    pub baseline: String,
    /// What is compared with it.
    pub of: Compared,
    /// One line for each dataset, metric, subset and model.
    pub lines: Vec<ComparisonLine>,
}

/// What a baseline and the others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Models of a run.
    Models,
    /// Datasets of a run: the same samples by other prompts.
    Datasets,
    /// Runs, by the models and datasets of the same names.
    Runs,
}

/// A model against the baseline, on one dataset by one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonLine {
    /// The dataset and the metric.
    pub metric: Metric,
    /// The subset of the dataset, [`examiner_store::summary::WHOLE`] for all of it, [`examiner_store::summary::MACRO`] for the
    /// mean over its subsets.
    pub subset: String,
    /// The model's name.
    pub model: String,
    /// What differs from the baseline: the model, the dataset or the run.
    pub other: String,
    /// The result.
    pub result: ComparisonResult,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum ComparisonResult {
    /// The two were compared.
    Tested(Test),
    /// One of the two was not asked, which is not a failure.
    NotRun(String),
    /// One of the two failed when it was examined, as the summary says too.
    Failed(String),
    /// Both have numbers, but comparing them would be wrong.
    Refused(String),
}

/// Two models on the same samples. Values are means over the samples that both have, or means of such means over the
/// subsets.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// Samples that both have, repetitions included.
    pub n: u64,
    /// Independent groups among them.
    pub clusters: u64,
    /// The baseline's mean.
    pub baseline: f64,
    /// The model's mean.
    pub value: f64,
    /// The model's mean minus the baseline's.
    pub difference: f64,
    /// The difference's 95 % interval; none if the data is not sufficient.
    pub interval: Option<(f64, f64)>,
    /// Two-sided p-value of "there is no difference".
    pub p_value: f64,
    /// The p-value adjusted for all comparisons beside it.
    pub p_holm: f64,
    /// How the p-value was computed.
    pub method: Method,
    /// Samples with a higher value of the model's.
    pub wins: u64,
    /// Samples with a lower value of the model's.
    pub losses: u64,
    /// Samples with the same value.
    pub ties: u64,
    /// Samples that the two do not have in common.
    pub mismatches: Mismatches,
}

/// Samples that the two models do not have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mismatches {
    /// An error in at least one of the two: left out.
    pub errors: u64,
    /// Only the baseline has them: left out.
    pub only_baseline: u64,
    /// Only the model has them: left out.
    pub only_model: u64,
    /// The two got different prompts for the question: another number of examples, for example. These are counted.
    pub other_prompt: u64,
}

/// Compares what is in runs, each a directory with the rows of its `summary.csv`; their samples are read. Of one run, its models or
/// its datasets are compared; of several, the models and datasets that have the same names.
///
/// P-values are adjusted by Holm's method over all lines that are returned: they are one family, since readers
/// pick from all of the table.
///
/// # Errors
/// The baseline or a metric is unknown, nothing is in common, or a file of samples is damaged.
pub fn compare(runs: &[(&Path, &[SummaryRow])], request: &CompareRequest) -> Result<Comparison, CompareError> {
    let loaded: Vec<ComparedRun<'_>> = runs
        .iter()
        .map(|&(directory, rows)| ComparedRun {
            directory,
            rows,
            provenance: Provenance::read(directory).unwrap_or_default(),
        })
        .collect();
    let mut comparison = match (loaded.as_slice(), request.baseline.as_deref()) {
        ([run], Some(baseline)) if names(run.rows, |row| &row.model).contains(&baseline) => {
            within(run, Compared::Models, baseline, request)?
        }
        ([run], Some(baseline)) if names(run.rows, |row| &row.dataset).contains(&baseline) => {
            within(run, Compared::Datasets, baseline, request)?
        }
        ([run], Some(baseline)) => {
            let known = [names(run.rows, |row| &row.model), names(run.rows, |row| &row.dataset)].concat();
            let help = did_you_mean(baseline, &known);
            return Err(CompareError::Baseline { baseline: baseline.to_owned(), help });
        }
        ([first, others @ ..], None) if !others.is_empty() => between(first, others, request)?,
        ([_, _, ..], Some(baseline)) => return Err(CompareError::BaselineOfRuns(baseline.to_owned())),
        _ => return Err(CompareError::NoBaseline),
    };
    comparison.adjust();
    Ok(comparison)
}

/// The different names in rows, in their order.
fn names<'a>(rows: &'a [SummaryRow], of: impl Fn(&'a SummaryRow) -> &'a String) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in rows.iter().map(of) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// Each model of a run against one of them, dataset by dataset; or each dataset against one of them, model by model.
fn within(
    run: &ComparedRun<'_>,
    of: Compared,
    baseline: &str,
    request: &CompareRequest,
) -> Result<Comparison, CompareError> {
    let (models, datasets) = (names(run.rows, |row| &row.model), names(run.rows, |row| &row.dataset));
    let (mut others, fixed) = if of == Compared::Datasets { (datasets, models) } else { (models, datasets) };
    others.retain(|other| *other != baseline);
    if others.is_empty() {
        return Err(CompareError::Alone(baseline.to_owned()));
    }
    let metrics = chosen(run.rows, &request.metrics)?;
    let mut lines = Vec::new();
    for fixed in fixed {
        let side = |name| match of {
            Compared::Datasets => Side { run, model: fixed, dataset: name, name },
            _ => Side { run, model: name, dataset: fixed, name },
        };
        let others: Vec<Side<'_>> = others.iter().map(|other| side(other)).collect();
        lines.extend(lines::lines(&side(baseline), &others, &metrics, request.subsets)?);
    }
    Ok(Comparison { baseline: baseline.to_owned(), of, lines })
}

/// Each model on each dataset of the other runs against the same in the first.
fn between(
    first: &ComparedRun<'_>,
    others: &[ComparedRun<'_>],
    request: &CompareRequest,
) -> Result<Comparison, CompareError> {
    let shown = |run: &ComparedRun<'_>| run.directory.display().to_string();
    let shown_first = shown(first);
    let metrics = chosen(first.rows, &request.metrics)?;
    let mut lines = Vec::new();
    for other in others {
        let shown_other = shown(other);
        let before = lines.len();
        for dataset in names(first.rows, |row| &row.dataset) {
            for model in names(first.rows, |row| &row.model) {
                let [baseline, other] = [(first, &shown_first), (other, &shown_other)].map(|(run, name)| Side {
                    run,
                    model,
                    dataset,
                    name,
                });
                let has = |side: &Side<'_>| {
                    side.run.rows.iter().any(|row| row.model == side.model && row.dataset == side.dataset)
                };
                if has(&baseline) && has(&other) {
                    lines.extend(lines::lines(&baseline, &[other], &metrics, request.subsets)?);
                }
            }
        }
        if lines.len() == before {
            return Err(CompareError::NothingInCommon(shown_first, shown_other));
        }
    }
    Ok(Comparison { baseline: shown_first, of: Compared::Runs, lines })
}

impl Comparison {
    /// One line for each comparison that was refused.
    pub fn refusals(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for line in &self.lines {
            if let ComparisonResult::Refused(reason) = &line.result {
                let failure = format!("compare/{}/{}: {reason}", line.model, line.metric.dataset);
                if !failures.contains(&failure) {
                    failures.push(failure);
                }
            }
        }
        failures
    }

    fn adjust(&mut self) {
        let mut tests: Vec<&mut Test> = Vec::new();
        for line in &mut self.lines {
            if let ComparisonResult::Tested(test) = &mut line.result {
                tests.push(test);
            }
        }
        let adjusted = holm(&tests.iter().map(|test| test.p_value).collect::<Vec<_>>());
        for (test, p_holm) in tests.into_iter().zip(adjusted) {
            test.p_holm = p_holm;
        }
    }
}

#[cfg(test)]
mod tests;
