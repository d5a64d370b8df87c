//! Whole evaluations as processes, from the command to the score, beside those of lm-evaluation-harness.

use super::result::{Pair, PeerResult, Scores};
use super::setup::Setup;
use crate::bench::work::median;
use crate::program::Results;
use crate::program::files::write;
use crate::program::measure::{self, Usage};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Measures both in turns: their seconds, of which ours are so many times fewer, and their memory. Each gives its score besides; ours is told
/// the round.
pub(super) fn in_turns(
    setup: &Setup,
    what: &str,
    at_least: f64,
    ours: impl Fn(usize) -> Result<(Usage, f64)>,
    theirs: impl Fn() -> Result<(Usage, f64)>,
) -> Result<Vec<PeerResult>> {
    let (mut of_ours, mut of_theirs, mut scores) = (Vec::new(), Vec::new(), (0.0, 0.0));
    for round in 0..setup.rounds {
        let (usage, score) = ours(round)?;
        of_ours.push(usage);
        scores.0 = score;
        let (usage, score) = theirs()?;
        of_theirs.push(usage);
        scores.1 = score;
    }
    let line = |what: String, unit, pick: fn(&Usage) -> f64, at_least| -> Result<PeerResult> {
        let of = |usage: &[Usage]| median(usage.iter().map(pick).collect());
        let scores = Scores { ours: scores.0, theirs: scores.1, tolerance: 1e-3 };
        let pair = Pair::of_costs(of(&of_ours)?, of(&of_theirs)?, at_least).with_scores(scores);
        Ok(PeerResult { what, peer: "lm-evaluation-harness".to_owned(), unit, highest: Some(pair), medium: None })
    };
    Ok(vec![
        line(what.to_owned(), "s", |usage| usage.seconds, at_least)?,
        line(format!("{what}: peak memory"), "MiB", |usage| usage.peak_mib, 2.0)?,
    ])
}

/// Runs a suite, which is named so.
pub(super) fn run_suite(setup: &Setup, name: &str, suite: &Value) -> Result<(Usage, Results)> {
    let path = setup.work.join(format!("{name}.yaml"));
    write(&path, serde_yaml::to_string(suite)?)?;
    let out = setup.work.join(name);
    let mut command = Command::new(&setup.program);
    let usage = measure::run(command.arg("run").arg(&path).arg("--out").arg(&out).current_dir(&setup.work))?;
    Ok((usage, Results::at(out)))
}

/// What lm-evaluation-harness wrote last below a directory.
pub(super) fn newest_results(out: &Path) -> Result<Value> {
    let mut files = Vec::new();
    for directory in std::fs::read_dir(out)? {
        let entries = std::fs::read_dir(directory?.path())?.filter_map(|entry| Some(entry.ok()?.path()));
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")));
    }
    files.sort();
    let newest = files.pop().context("lm-evaluation-harness wrote no results")?;
    Ok(serde_json::from_str(&std::fs::read_to_string(newest)?)?)
}
