//! What the suite's `report` asks for once everything is examined.

use super::Run;
use examiner_store::aggregate::PublishRequest;
use examiner_store::summary::SummaryRow;
use examiner_suite::FieldPath;
use std::path::PathBuf;

impl Run {
    /// Compares the models with the baseline and draws the figure, where the suite wants it. What cannot be done is a
    /// failure of the run: it was asked for. Returns the comparison as Markdown.
    pub(super) fn publish(&mut self, rows: &[SummaryRow]) -> Option<String> {
        let suite = &self.shared.roles.suite;
        let field = FieldPath::of(&["report", "figure"]);
        let figure = suite.report.figure.as_ref().map(|figure| {
            let typed = figure.to_string_lossy();
            PathBuf::from(suite.paths.of_field(&field, &typed))
        });
        let mut request = PublishRequest { figure, baseline: suite.report.baseline.clone() };
        if let Some(baseline) = &request.baseline {
            let examined = |other: bool| self.pairs.iter().any(|pair| (pair.model == *baseline) != other);
            if !examined(false) || !examined(true) {
                // `--only` leaves models out, and means it.
                self.shared.progress.print(&format!("nothing was examined to compare with `{baseline}`"));
                request.baseline = None;
            }
        }
        let published = self.shared.reporter.publish(&self.directory.path, rows, &request);
        self.failures.extend(published.failures);
        published.comparison
    }
}
