//! The results of one model on one dataset.

use super::error::EvaluateError;
use examiner_store::summary::SummaryRow;

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
    /// Whether the user stopped it before its end.
    pub interrupted: bool,
    /// Why it ended before its end.
    pub failure: Option<EvaluateError>,
}
