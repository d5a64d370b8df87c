//! The interface between what makes records and what reports on them.
//!
//! The engine runs models and writes records; statistics, comparisons and figures are another crate's. The engine gets a
//! [`Reporter`] from the program and calls it; it does not depend on how rows are computed.

use crate::record::Record;
use crate::summary::SummaryRow;
use examiner_api::{Result, ScorerInfo, SubsetGroup};
use std::path::{Path, PathBuf};

/// Computes the value of a corpus metric: scorer, metric, statistics of the samples.
pub type Corpus<'a> = &'a dyn Fn(&str, &str, &[Vec<f64>]) -> Result<f64>;

/// One model on one dataset, as the rows of its results name it.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// The suite's name.
    pub suite: String,
    /// The run's name.
    pub run: String,
    /// The model's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// The scorers' labels and what they report.
    pub scorers: Vec<(String, ScorerInfo)>,
    /// Key of all random numbers.
    pub seed: u64,
    /// The dataset's version of the prompt.
    pub version: String,
    /// Whether the mean over the subsets is also reported.
    pub macro_average: bool,
    /// Groups of subsets that are also reported.
    pub groups: Vec<SubsetGroup>,
}

/// Accumulates the records of one [`Examination`].
pub trait Aggregate: Send {
    /// Adds a record, which replaces an earlier one with the same index.
    ///
    /// # Errors
    /// A temporary file cannot be written.
    fn add(&mut self, record: &Record) -> Result<()>;

    /// The rows of `summary.csv` for the records so far.
    ///
    /// # Errors
    /// A temporary file cannot be read or written.
    fn rows(&self, seconds: f64, corpus: Corpus<'_>) -> Result<Vec<SummaryRow>>;
}

/// Computes results from records, and publishes those of a whole run.
pub trait Reporter: Send + Sync {
    /// An aggregate without records.
    fn aggregate(&self, of: Examination) -> Box<dyn Aggregate>;

    /// Compares and draws the run in `directory`, whose `summary.csv` has these rows.
    fn publish(&self, directory: &Path, rows: &[SummaryRow], request: &PublishRequest) -> Published;
}

/// What a suite wants published when everything has been examined.
#[derive(Debug, Clone, Default)]
pub struct PublishRequest {
    /// The path of the figure.
    pub figure: Option<PathBuf>,
    /// The model that the others are compared with.
    pub baseline: Option<String>,
}

/// What was published.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// The comparison with the baseline, as Markdown.
    pub comparison: Option<String>,
    /// One line for each part that failed.
    pub failures: Vec<String>,
}
