//! A line of the table.

use anyhow::Result;
use std::io::Write;

/// How Examiner compares with one peer on one work.
pub(super) struct PeerResult {
    pub(super) what: String,
    pub(super) peer: String,
    pub(super) unit: &'static str,
    pub(super) ours: f64,
    pub(super) theirs: f64,
    /// How many times better ours is.
    pub(super) ratio: f64,
    pub(super) at_least: f64,
    /// The scores of both, where they can be compared, and the largest difference that is allowed.
    pub(super) scores: Option<(f64, f64, f64)>,
}

impl PeerResult {
    /// Whether Examiner is as far ahead as expected, with the same scores.
    pub(super) fn holds(&self) -> bool {
        self.ratio >= self.at_least && self.agrees()
    }

    fn agrees(&self) -> bool {
        self.scores.is_none_or(|(ours, theirs, tolerance)| (ours - theirs).abs() <= tolerance)
    }

    pub(super) fn print(&self) -> Result<()> {
        let scores = self.scores.map(|(ours, theirs, _)| format!("{ours:.4} / {theirs:.4}")).unwrap_or_default();
        let result = match (self.agrees(), self.holds()) {
            (false, _) => "FALLS SHORT (other scores)",
            (true, false) => "FALLS SHORT",
            (true, true) => "ok",
        };
        println!(
            "{:<44} {:<22} {:>9.1} {:>9.1} {:<9} {:>6.2}x of {:>4}x {scores:>25}  {result}",
            self.what, self.peer, self.ours, self.theirs, self.unit, self.ratio, self.at_least
        );
        Ok(std::io::stdout().flush()?)
    }
}
