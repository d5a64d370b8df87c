//! The results of one model on one dataset.

use super::error::EvaluateError;
use examiner_store::summary::{MACRO, RowStatus, SummaryRow};

/// The results of a pair.
#[derive(Default)]
pub struct Examined {
    /// Its rows of `summary.csv`.
    pub rows: Vec<SummaryRow>,
    /// Questions done.
    pub questions: u64,
    /// Questions without an answer.
    pub errors: u64,
    /// Questions whose record was in the journal already.
    pub reused: u64,
    /// Whether there were others, for which the model was asked, or the scorers without it.
    pub asked: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The first few errors, for people.
    pub error_examples: Vec<String>,
    /// What is to be known of the results.
    pub warnings: Vec<String>,
    /// Whether the user stopped it before its end.
    pub interrupted: bool,
    /// Why it ended before its end.
    pub failure: Option<EvaluateError>,
}

/// The first metric that has no value though there are samples to compute it from, and why. A mean over parts is none of its
/// own: it lacks a value where one of its parts does.
pub(crate) fn metric_failure(rows: &[SummaryRow]) -> Option<String> {
    let is_failed = |row: &&SummaryRow| row.status == RowStatus::Failed && row.n_error < row.n && row.subset != MACRO;
    let failed = rows.iter().find(is_failed)?;
    Some(format!("metric `{}` of scorer `{}`: {}", failed.metric, failed.scorer, failed.message))
}
