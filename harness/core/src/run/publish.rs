//! What the suite's `report` asks for once everything is examined.

use super::Run;
use crate::report::compare::{Comparison, Request, compare};
use crate::report::figure;
use crate::report::summary::SummaryRow;

impl Run {
    /// Compares the models with the baseline and draws the figure, where the suite wants it. What cannot be done is a
    /// failure of the run: it was asked for.
    pub(super) fn publish(&mut self, rows: &[SummaryRow]) -> Option<Comparison> {
        let report = self.shared.roles.suite.report.clone();
        if let Some(out) = &report.figure {
            match figure::draw(&self.directory.path, rows, &[], out) {
                Ok(drawn) => self.failures.extend(drawn.failures.iter().map(|failure| format!("report: {failure}"))),
                Err(error) => self.failures.push(format!("report: {error}")),
            }
        }
        let baseline = report.baseline?;
        let asked = |other: bool| self.pairs.iter().any(|pair| (pair.model == baseline) != other);
        if !asked(false) || !asked(true) {
            // `--only` leaves models out, and means it.
            self.shared.progress.say(&format!("nothing was examined to compare with `{baseline}`"));
            return None;
        }
        let request = Request { baseline, ..Request::default() };
        let comparison = compare(&self.directory.path, rows, &request);
        let comparison = comparison.map_err(|error| self.failures.push(format!("report: {error}"))).ok()?;
        self.failures.extend(comparison.refusals());
        let path = self.directory.path.join("comparison.csv");
        if let Err(error) = comparison.write(&path) {
            self.failures.push(format!("report: cannot write `{}`: {error}", path.display()));
        }
        Some(comparison)
    }
}
