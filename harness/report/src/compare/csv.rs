//! A comparison as CSV.

use super::{Compared, Comparison, ComparisonResult, Test};
use crate::statistics::Method;
use examiner_store::atomic;
use std::io;
use std::path::Path;

/// The columns of the CSV, in their order.
pub const COLUMNS: [&str; 25] = [
    "dataset",
    "subset",
    "scorer",
    "metric",
    "baseline",
    "model",
    "n",
    "clusters",
    "baseline_value",
    "value",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_holm",
    "wins",
    "losses",
    "ties",
    "n_error",
    "n_only_baseline",
    "n_only_model",
    "n_other_prompt",
    "method",
    "status",
    "message",
];

impl Comparison {
    /// The comparison as CSV, with the columns of [`COLUMNS`].
    ///
    /// # Errors
    /// `to` cannot be written.
    pub fn csv(&self, to: impl io::Write) -> io::Result<()> {
        let mut writer = ::csv::Writer::from_writer(to);
        writer.write_record(COLUMNS)?;
        for line in &self.lines {
            let metric = &line.metric;
            // Of runs, the model is in both; the run tells them apart.
            let model = match self.of {
                Compared::Runs => format!("{} in {}", line.model, line.other),
                _ => line.model.clone(),
            };
            let named = [&metric.dataset, &line.subset, &metric.scorer, &metric.name, &self.baseline, &model];
            let mut fields: Vec<String> = named.into_iter().cloned().collect();
            fields.extend(match &line.result {
                ComparisonResult::Tested(test) => tested(test),
                ComparisonResult::NotRun(reason) => without_numbers("not-run", reason),
                ComparisonResult::Failed(reason) => without_numbers("failed", reason),
                ComparisonResult::Refused(reason) => without_numbers("refused", reason),
            });
            writer.write_record(&fields)?;
        }
        writer.flush()
    }

    /// Writes the CSV to a file, as a whole or not at all.
    ///
    /// # Errors
    /// Writing, syncing or renaming fails.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        atomic::update(path, |file| self.csv(file))
    }
}

fn tested(test: &Test) -> Vec<String> {
    let optional = |number: Option<f64>| number.map(|number| format!("{number:?}")).unwrap_or_default();
    let method = match test.method {
        Method::McNemarExact => "mcnemar-exact".to_owned(),
        Method::PermutationExact => "permutation-exact".to_owned(),
        Method::Permutation(rounds) => format!("permutation-{rounds}"),
    };
    vec![
        test.n.to_string(),
        test.clusters.to_string(),
        format!("{:?}", test.baseline),
        format!("{:?}", test.value),
        format!("{:?}", test.difference),
        optional(test.interval.map(|(low, _)| low)),
        optional(test.interval.map(|(_, high)| high)),
        format!("{:?}", test.p_value),
        format!("{:?}", test.p_holm),
        test.wins.to_string(),
        test.losses.to_string(),
        test.ties.to_string(),
        test.mismatches.errors.to_string(),
        test.mismatches.only_baseline.to_string(),
        test.mismatches.only_model.to_string(),
        test.mismatches.other_prompt.to_string(),
        method,
        "ok".to_owned(),
        String::new(),
    ]
}

fn without_numbers(status: &str, reason: &str) -> Vec<String> {
    let blanks = COLUMNS.len() - 6 - 2;
    let blank = std::iter::repeat_n(String::new(), blanks);
    blank.chain([status.to_owned(), reason.to_owned()]).collect()
}
