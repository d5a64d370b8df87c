//! What each command does.

use super::gates;
use super::results::below;
use super::search::overrides;
use super::terminal::{ended, on_interrupt, print};
use super::{CheckArguments, RunArguments, SuiteArguments};
use super::{next_steps, plan_table, search};
use anyhow::{Context, Result, anyhow};
use examiner_api::{ErrorCode, FindingState};
use examiner_engine::check as checks;
use examiner_engine::doctor;
use examiner_engine::graph::pairs;
use examiner_engine::host::Shared;
use examiner_engine::loader::Plugins;
use examiner_engine::paths;
use examiner_engine::plan::Planner;
use examiner_engine::progress::{Progress, Talk, print_to_stderr};
use examiner_engine::roles::Roles;
use examiner_engine::run::{self, Job};
use examiner_engine::worker;
use examiner_hub::{Hub, Settings};
use examiner_report::{Reports, figure, markdown};
use examiner_store::provenance::Provenance;
use examiner_suite::Loaded;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn run(arguments: RunArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let cancelled = Arc::default();
    on_interrupt(&cancelled)?;
    let job = Job { cancelled, ..job(arguments, "run", directories)? };
    let policy = gates::of_suite(&job.loaded)?;
    let outcome = match run::run(job) {
        // The run's directory cannot be written: nothing is wrong with the suite.
        Err(error) if error.code == ErrorCode::Io => {
            print_to_stderr(&format!("failed: {error}"));
            return Ok(ExitCode::FAILURE);
        }
        other => other?,
    };
    // Of a run that left nothing there is nothing to read.
    let provenance = Provenance::read(&outcome.directory).unwrap_or_default();
    let table = markdown::render_beside(&outcome.rows, &[], &outcome.failures);
    let mut text = format!("{table}{}", below(&provenance));
    if let Some(comparison) = &outcome.comparison {
        text.push_str(&format!("\n{comparison}"));
    }
    let mut failures = outcome.failures;
    if !policy.rules.is_empty() && outcome.kept && !outcome.interrupted {
        let (lines, broken) = gates::after_run(&policy, &outcome.directory, &outcome.rows);
        text.push_str(&format!("\n{lines}"));
        failures.extend(broken);
    }
    if let Err(error) = print(&text) {
        // The run is done, whether or not its table can be shown.
        failures.push(format!("{error:#}; `examiner report {}` shows the results", outcome.directory.display()));
    }
    let directory = outcome.kept.then_some(outcome.directory.as_path());
    Ok(ended(directory, &failures, outcome.interrupted))
}

pub(super) fn check(arguments: &CheckArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let (loaded, plugins) = load(&arguments.suite, "check", directories)?;
    if !arguments.quick {
        let hub = Hub::new(Settings { offline: true, ..Settings::from_env() })?;
        let hub = hub.mirrored(loaded.suite.hub_mirror.as_deref());
        let roles = Roles::new(loaded.suite.clone(), plugins).in_workers(worker::program());
        let progress = Progress::hidden();
        let shared = Shared::new(roles, progress, Arc::default(), hub, Arc::new(Reports), None);
        for note in checks::check_contents(&loaded, &shared)? {
            if !Talk::current().quiet {
                print_to_stderr(&note);
            }
        }
    }
    let stages = pairs(&loaded.suite).len();
    print(&format!("`{}` is a good suite: {stages} examinations\n", loaded.path.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn plan(arguments: RunArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let job = job(arguments, "plan", directories)?;
    run::check_replaced(&job)?;
    let goes_on = run::resumable(&job);
    let directory = goes_on.clone().or_else(|| match &job.out {
        // A run uses the journals that are there, even if its `run.json` is gone.
        Some(out) => Some(out.clone()).filter(|out| out.is_dir() && !job.fresh),
        None => run::newest_run(&job.outputs, &job.loaded.suite.name).filter(|_| !job.fresh),
    });
    let suite_name = job.loaded.suite.name.clone();
    let hub = Hub::from_env()?.mirrored(job.loaded.suite.hub_mirror.as_deref());
    let roles = Roles::new(job.loaded.suite, job.plugins).in_workers(job.program);
    let shared = Shared::new(roles, job.progress, job.cancelled, hub, job.reporter, None);
    match &directory {
        Some(path) if goes_on.is_some() => print(&format!("goes on in `{}`\n", path.display()))?,
        // A finished run is never written to unasked: what holds of it is used only where it is named.
        Some(path) => print(&format!("compared with `{0}`; `run --out {0}` uses what holds of it\n", path.display()))?,
        None => print("there is no earlier run to compare with\n")?,
    }
    let names = (suite_name, String::new());
    let plan = Planner::new(shared, directory.as_deref(), names, job.limit, &job.only).plan();
    print(&plan_table::render(&plan))?;
    let fails = plan.stages.iter().any(|stage| stage.action.is_failure());
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(super) fn doctor(directories: &[PathBuf]) -> Result<ExitCode> {
    let plugins = search::plugins(None, directories)?;
    let findings = doctor::findings(&plugins, worker::program());
    print(&format!("examiner {}\n{}", env!("CARGO_PKG_VERSION"), doctor::table(&findings)))?;
    let broken = findings.iter().any(|finding| finding.state == FindingState::Broken);
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn job(arguments: RunArguments, command: &str, directories: &[PathBuf]) -> Result<Job> {
    let (loaded, plugins) = load(&arguments.suite, command, directories)?;
    checks::check_only(&loaded.suite, &arguments.only).map_err(|error| anyhow!(error))?;
    Ok(Job {
        loaded,
        plugins,
        set: arguments.suite.set,
        limit: arguments.limit,
        only: arguments.only,
        out: arguments.out,
        outputs: PathBuf::from("outputs"),
        fresh: arguments.fresh,
        replace: arguments.replace,
        cancelled: Arc::default(),
        progress: Progress::on_stderr(),
        reporter: Arc::new(Reports),
        program: worker::program(),
    })
}

/// Loads a suite and holds it against the plugins.
pub(super) fn load(arguments: &SuiteArguments, command: &str, directories: &[PathBuf]) -> Result<(Loaded, Plugins)> {
    let suite = next_steps::suite(arguments.suite.as_ref(), command)?;
    let mut loaded = examiner_suite::load(&suite, &overrides(&arguments.set)?)?;
    let plugins = search::plugins(Some(&loaded), directories)?;
    checks::check(&loaded, &plugins)?;
    if let Some(figure) = &loaded.suite.report.figure {
        figure::check_format(figure).context("report.figure")?;
    }
    gates::of_suite(&loaded)?;
    for note in paths::locate(&mut loaded, &plugins) {
        print_to_stderr(&note);
    }
    Ok((loaded, plugins))
}
