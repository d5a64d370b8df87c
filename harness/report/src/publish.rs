//! The engine's interface to this crate: totals of records, and the comparison and figure of a whole run.

use crate::compare::{CompareRequest, compare};
use crate::figure;
use crate::totals::Totals;
use examiner_store::aggregate::{Aggregate, Examination, PublishRequest, Published, Reporter};
use examiner_store::summary::SummaryRow;
use std::path::Path;

/// The reporter of this crate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reports;

impl Reporter for Reports {
    fn aggregate(&self, of: Examination) -> Box<dyn Aggregate> {
        Box::new(Totals::new(of))
    }

    /// The figure and the comparison were asked for, so whatever cannot be drawn or compared is a failure.
    fn publish(&self, directory: &Path, rows: &[SummaryRow], request: &PublishRequest) -> Published {
        let mut published = Published::default();
        if let Some(out) = &request.figure {
            match figure::draw(directory, rows, &[], out) {
                Ok(drawn) => {
                    published.failures.extend(drawn.failures.iter().map(|failure| format!("report: {failure}")))
                }
                Err(error) => published.failures.push(format!("report: {error}")),
            }
        }
        if let Some(baseline) = &request.baseline {
            compare_with(baseline, directory, rows, &mut published);
        }
        published
    }
}

/// Compares the models with the baseline and writes `comparison.csv`.
fn compare_with(baseline: &str, directory: &Path, rows: &[SummaryRow], published: &mut Published) {
    let request = CompareRequest { baseline: Some(baseline.to_owned()), ..CompareRequest::default() };
    let comparison = match compare(&[(directory, rows)], &request) {
        Ok(comparison) => comparison,
        Err(error) => return published.failures.push(format!("report: {error}")),
    };
    published.failures.extend(comparison.refusals());
    let path = directory.join("comparison.csv");
    if let Err(error) = comparison.write(&path) {
        published.failures.push(format!("report: cannot write `{}`: {error}", path.display()));
    }
    published.comparison = Some(comparison.markdown());
}
