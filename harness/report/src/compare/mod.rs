//! Each model of a run against a baseline, on the same samples.
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
use lines::ComparedRun;
use std::path::Path;

/// What to compare.
#[derive(Debug, Clone, Default)]
pub struct CompareRequest {
    /// The model that the others are compared with.
    pub baseline: String,
    /// Names of metrics, or [`super::metrics::ALL`]; empty for the first of each dataset and scorer.
    pub metrics: Vec<String>,
    /// Whether the subsets of datasets are compared, too.
    pub subsets: bool,
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The baseline is no model of the run.
    #[error("the run has no model `{baseline}` to compare with; {help}")]
    Baseline {
        /// The name given.
        baseline: String,
        /// What to try.
        help: String,
    },
    /// The baseline is the only model.
    #[error("`{0}` is the only model of the run: there is nothing to compare it with")]
    Alone(String),
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
    /// One line for each dataset, metric, subset and model.
    pub lines: Vec<ComparisonLine>,
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

/// Compares the models of `rows`, the `summary.csv` of the run in `directory`, whose samples are read.
///
/// P-values are adjusted by Holm's method over all lines that are returned: they are one family, since readers
/// pick from all of the table.
///
/// # Errors
/// The baseline or a metric is unknown, or a file of samples is damaged.
pub fn compare(directory: &Path, rows: &[SummaryRow], request: &CompareRequest) -> Result<Comparison, CompareError> {
    let mut models: Vec<&str> = Vec::new();
    for row in rows {
        if !models.contains(&row.model.as_str()) {
            models.push(&row.model);
        }
    }
    let baseline = request.baseline.as_str();
    if !models.contains(&baseline) {
        let help = did_you_mean(baseline, &models);
        return Err(CompareError::Baseline { baseline: baseline.to_owned(), help });
    }
    models.retain(|model| *model != baseline);
    if models.is_empty() {
        return Err(CompareError::Alone(baseline.to_owned()));
    }
    let metrics = chosen(rows, &request.metrics)?;
    let provenance = Provenance::read(directory).unwrap_or_default();
    let run = ComparedRun { directory, rows, provenance: &provenance, request };
    let mut lines = Vec::new();
    let mut datasets: Vec<&str> = Vec::new();
    for row in rows {
        if !datasets.contains(&row.dataset.as_str()) {
            datasets.push(&row.dataset);
        }
    }
    for dataset in datasets {
        lines.extend(run.dataset(dataset, &metrics, &models)?);
    }
    let mut comparison = Comparison { baseline: baseline.to_owned(), lines };
    comparison.adjust();
    Ok(comparison)
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
