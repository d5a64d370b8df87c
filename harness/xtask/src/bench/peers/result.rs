//! Lines of the table, and the same for programs.

use super::machine::Machine;
use crate::program::files::write;
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// How Examiner compares with one peer on one work.
#[derive(Debug, Serialize)]
pub(super) struct PeerResult {
    pub(super) what: String,
    pub(super) peer: String,
    pub(super) unit: &'static str,
    /// Products of 32-bit numbers on both sides, unless the peer has no such.
    pub(super) highest: Option<Pair>,
    /// Products of 16-bit numbers: `precision: medium` here.
    pub(super) medium: Option<Pair>,
}

/// Both sides at one precision.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Pair {
    pub(super) ours: f64,
    pub(super) theirs: f64,
    /// How many times better ours is.
    ratio: f64,
    at_least: f64,
    scores: Option<Scores>,
}

/// What both sides computed, where it can be compared.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Scores {
    pub(super) ours: f64,
    pub(super) theirs: f64,
    /// The largest difference that is allowed.
    pub(super) tolerance: f64,
}

impl Pair {
    /// Of speeds: more is better.
    pub(super) fn of_speeds(ours: f64, theirs: f64, at_least: f64) -> Self {
        Pair { ours, theirs, ratio: ours / theirs, at_least, scores: None }
    }

    /// Of what a work takes: less is better.
    pub(super) fn of_costs(ours: f64, theirs: f64, at_least: f64) -> Self {
        Pair { ours, theirs, ratio: theirs / ours, at_least, scores: None }
    }

    pub(super) fn with_scores(self, scores: Scores) -> Self {
        Pair { scores: Some(scores), ..self }
    }

    /// Whether Examiner is as far ahead as expected, with the same scores.
    fn holds(&self) -> bool {
        self.ratio >= self.at_least && self.agrees()
    }

    fn agrees(&self) -> bool {
        self.scores.is_none_or(|scores| (scores.ours - scores.theirs).abs() <= scores.tolerance)
    }
}

impl PeerResult {
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &Pair)> {
        let pairs = [("highest", &self.highest), ("medium", &self.medium)];
        pairs.into_iter().filter_map(|(precision, pair)| Some((precision, pair.as_ref()?)))
    }

    /// Whether Examiner is as far ahead as expected, at each precision that was measured.
    pub(super) fn holds(&self) -> bool {
        self.pairs().all(|(_, pair)| pair.holds())
    }

    pub(super) fn print(&self) -> Result<()> {
        let columns = |pair: &Option<Pair>| match pair {
            Some(pair) => format!("{:>9.1} {:>9.1} {:>6.2}x", pair.ours, pair.theirs, pair.ratio),
            None => format!("{:>9} {:>9} {:>7}", "-", "-", "-"),
        };
        let missed = |(precision, pair): (&str, &Pair)| match (pair.agrees(), pair.holds()) {
            (false, _) => Some(format!("{precision} FALLS SHORT (other scores)")),
            (true, false) => Some(format!("{precision} FALLS SHORT (of {}x)", pair.at_least)),
            (true, true) => None,
        };
        let missed: Vec<String> = self.pairs().filter_map(missed).collect();
        let result = if missed.is_empty() { "ok".to_owned() } else { missed.join(", ") };
        let scores = self.pairs().filter_map(|(_, pair)| pair.scores);
        let scores: String = scores.map(|scores| format!("  {:.4} / {:.4}", scores.ours, scores.theirs)).collect();
        let (highest, medium) = (columns(&self.highest), columns(&self.medium));
        println!("{:<56} {:<23} {:<9} {highest}  {medium}  {result}{scores}", self.what, self.peer, self.unit);
        Ok(std::io::stdout().flush()?)
    }
}

/// Prints what stands above the columns.
pub(super) fn print_header() {
    println!("{:90} {:<27}  medium", "", "highest");
    let columns = format!("{:>9} {:>9} {:>7}", "ours", "peer's", "ratio");
    println!("{:<56} {:<23} {:<9} {columns}  {columns}  result, scores, ours / peer's", "work", "peer", "");
}

/// All that was measured so far, as JSON.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) machine: &'a Machine,
    pub(super) device: &'a str,
    pub(super) quick: bool,
    pub(super) rounds: usize,
    pub(super) results: &'a [PeerResult],
}

impl Report<'_> {
    /// Writes it in place of what was there.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot write the results as JSON")?;
        let partial = path.with_extension("partial");
        write(&partial, text + "\n")?;
        std::fs::rename(&partial, path).with_context(|| format!("cannot rename `{}`", partial.display()))
    }
}
