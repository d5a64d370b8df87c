//! `examiner score`: a run's answers, judged once more.

use super::search::{overrides, suite_of_run};
use super::terminal::{ended, on_interrupt, print};
use super::{ScoreArguments, search};
use anyhow::{Context, Result};
use examiner_engine::check::check_judging;
use examiner_engine::paths;
use examiner_engine::progress::Progress;
use examiner_engine::rescore::{Rescore, Typed, provenance_of, rescore};
use examiner_engine::worker;
use examiner_report::{Reports, markdown};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn score(arguments: ScoreArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let ScoreArguments { run, suite, set, scorer, only, name, events: _ } = arguments;
    let typed = Typed { name, suite, set, scorer, only };
    let progress = Progress::on_stderr();
    let made = provenance_of(&run)?;
    let made_with = &made.request.set;
    let mut before = suite_of_run(&run, &made, made_with).context("the run's own suite cannot be read any more")?;
    let before_plugins = search::plugins_left(&before, directories)?;
    paths::locate(&mut before, &before_plugins);

    // The scorers that were typed are changes like any other, so that what is wrong with them has a place, too.
    let load = |set: &[String]| match &typed.suite {
        Some(path) => Ok(examiner_suite::load(path, &overrides(set)?)?),
        None => suite_of_run(&run, &made, set),
    };
    let mut set: Vec<String> = made_with.iter().chain(&typed.set).cloned().collect();
    if !made_with.is_empty() {
        progress.print(&format!("with the changes that the run was made with: --set {}", made_with.join(" --set ")));
    }
    let mut now = load(&set)?;
    if !typed.scorer.is_empty() {
        let list = format!("[{}]", typed.scorer.join(", "));
        set.extend(now.scorer_keys().into_iter().map(|key| format!("{key}={list}")));
        now = load(&set)?;
    }
    let plugins = search::plugins_left(&now, directories)?;
    check_judging(&now, &plugins)?;
    for note in paths::locate(&mut now, &plugins) {
        progress.print(&note);
    }

    let cancelled = Arc::default();
    on_interrupt(&cancelled)?;
    let job = Rescore {
        run,
        before: (before, before_plugins),
        now: (now, plugins),
        typed,
        set,
        program: worker::program(),
        cancelled,
        progress,
        reporter: Arc::new(Reports),
    };
    let outcome = rescore(job)?;
    print(&markdown::render_beside(&outcome.rows, &outcome.before, &outcome.failures))?;
    if let Some(comparison) = &outcome.comparison {
        print(&format!("\n{comparison}"))?;
    }
    Ok(ended(Some(&outcome.directory), &outcome.failures, outcome.interrupted))
}
