//! What each command does.

use super::{PluginsArguments, ReportArguments, RunArguments, SuiteArguments};
use super::{plan_table, results, search};
use anyhow::{Context, Result, anyhow};
use examiner_api::{ErrorCode, FindingState};
use examiner_engine::doctor;
use examiner_engine::host::Shared;
use examiner_engine::loader::{Plugins, SearchPath};
use examiner_engine::progress::{Progress, tell};
use examiner_engine::roles::Roles;
use examiner_engine::run::{self, Job};
use examiner_engine::worker;
use examiner_engine::{check as checks, plan as plans};
use examiner_hub::Hub;
use examiner_report::{Reports, markdown, stage_summary, wide};
use examiner_store::provenance::Provenance;
use examiner_suite::{Loaded, Override};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const INTERRUPTED: u8 = 130;

pub(super) fn run(arguments: RunArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let cancelled = Arc::default();
    on_interrupt(&cancelled)?;
    let job = Job { cancelled, ..job(arguments, directories)? };
    let outcome = match run::run(job) {
        // The run's directory cannot be written: nothing is wrong with the suite.
        Err(error) if error.code == ErrorCode::Io => {
            tell(&format!("failed: {error}"));
            return Ok(ExitCode::FAILURE);
        }
        other => other?,
    };
    let provenance = Provenance::read(&outcome.directory).unwrap_or_default();
    print(&format!("{}{}", markdown::render(&outcome.rows), made_below(&provenance)))?;
    if let Some(comparison) = &outcome.comparison {
        print(&format!("\n{comparison}"))?;
    }
    Ok(ended(&outcome.directory, &outcome.failures, outcome.interrupted))
}

/// Says what failed and where the results are; the exit status says the same in short.
pub(super) fn ended(directory: &Path, failures: &[String], interrupted: bool) -> ExitCode {
    for failure in failures {
        tell(&format!("failed: {failure}"));
    }
    tell(&format!("results: `{}`", directory.join("summary.csv").display()));
    match (interrupted, failures.is_empty()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    }
}

pub(super) fn check(arguments: &SuiteArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let (loaded, _) = load(arguments, directories)?;
    let stages = run::pairs(&loaded.suite).len();
    print(&format!("`{}` is a good suite: {stages} examinations\n", arguments.suite.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn plan(arguments: RunArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let job = job(arguments, directories)?;
    let goes_on = run::resumable(&job);
    let directory = goes_on.clone().or_else(|| {
        let last = run::newest_run(&job.outputs, &job.loaded.suite.name);
        last.filter(|_| job.out.is_none() && !job.fresh)
    });
    let roles = Roles::new(job.loaded.suite, job.plugins).in_workers(job.program);
    let shared = Shared::new(roles, job.progress, job.cancelled, Hub::from_env()?, job.reporter, None);
    match &directory {
        Some(path) if goes_on.is_some() => print(&format!("goes on in `{}`\n", path.display()))?,
        // A finished run is never written to unasked: what holds of it is used only where it is named.
        Some(path) => print(&format!("compared with `{0}`; `run --out {0}` uses what holds of it\n", path.display()))?,
        None => print("there is no earlier run to compare with\n")?,
    }
    let stages = plans::plan(&shared, directory.as_deref(), job.limit, &job.only);
    print(&plan_table::render(&stages))?;
    let fails = stages.iter().any(|stage| matches!(stage.state, plans::State::Fail(_)));
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(super) fn plugins(arguments: &PluginsArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let plugins = search::plugins(None, directories)?;
    if let Some(name) = &arguments.schema {
        return schema(&plugins, name);
    }
    let mut text = String::new();
    for file in plugins.loaded() {
        text.push_str(&format!("{} {}  `{}`\n", file.info.name, file.info.version, file.path.display()));
        text.push_str(&format!("  sha256 {}\n", file.sha256));
        for role in &file.info.roles {
            text.push_str(&format!("  {} `{}`: {}\n", role.kind, role.name, role.summary));
        }
    }
    for rejected in plugins.rejected() {
        text.push_str(&format!("not used: {rejected}\n"));
    }
    text.push_str("looked for in:\n");
    for place in search::places(None, directories) {
        text.push_str(&match place {
            SearchPath::Directory(path) => format!("  `{}`\n", path.display()),
            SearchPath::BesideProgram(path) => format!("  `{}` (`libexaminer_plugin_*`)\n", path.display()),
            SearchPath::File(path) | SearchPath::Plugin { path, .. } => format!("  `{}`\n", path.display()),
        });
    }
    print(&text)?;
    Ok(if plugins.rejected().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn schema(plugins: &Plugins, name: &str) -> Result<ExitCode> {
    let roles = plugins.loaded().iter().flat_map(|file| &file.info.roles);
    let schemas: serde_json::Map<String, serde_json::Value> =
        roles.filter(|role| role.name == name).map(|role| (role.kind.to_string(), role.options.clone())).collect();
    if schemas.is_empty() {
        return Err(anyhow!("no plugin has a role named `{name}`; `examiner plugins` lists them"));
    }
    print(&format!("{}\n", serde_json::to_string_pretty(&schemas)?))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn doctor(directories: &[PathBuf]) -> Result<ExitCode> {
    let plugins = search::plugins(None, directories)?;
    let findings = doctor::findings(&plugins);
    print(&format!("examiner {}\n{}", env!("CARGO_PKG_VERSION"), doctor::table(&findings)))?;
    let broken = findings.iter().any(|finding| finding.state == FindingState::Broken);
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(super) fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let path = arguments.run.join("summary.csv");
    let mut rows = results::rows(&arguments.run)?;
    // The file has no column for the version of a prompt; the run remembers it.
    let provenance = Provenance::read(&arguments.run).unwrap_or_default();
    for row in &mut rows {
        let stage = provenance.stages.get(&format!("evaluate/{}/{}", row.model, row.dataset));
        row.version = stage.map(|stage| stage.version.clone()).unwrap_or_default();
    }
    let text = match (arguments.csv, arguments.wide) {
        (true, _) => std::fs::read_to_string(&path)?,
        (false, true) => wide::render(&rows),
        (false, false) => format!("{}{}", markdown::render(&rows), made_below(&provenance)),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What was made on the way, and what models warn of, beneath the results.
fn made_below(provenance: &Provenance) -> String {
    let parts = [stage_summary::render(provenance), stage_summary::warnings(provenance)];
    parts.iter().filter(|part| !part.is_empty()).map(|part| format!("\n{part}")).collect()
}

fn job(arguments: RunArguments, directories: &[PathBuf]) -> Result<Job> {
    let (loaded, plugins) = load(&arguments.suite, directories)?;
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
        cancelled: Arc::default(),
        progress: Progress::on_stderr(),
        reporter: Arc::new(Reports),
        program: worker::program(),
    })
}

/// Loads a suite and holds it against the plugins.
fn load(arguments: &SuiteArguments, directories: &[PathBuf]) -> Result<(Loaded, Plugins)> {
    let loaded = examiner_suite::load(&arguments.suite, &overrides(&arguments.set)?)?;
    let plugins = search::plugins(Some(&loaded), directories)?;
    checks::check(&loaded, &plugins)?;
    Ok((loaded, plugins))
}

/// `--set`, as typed.
pub(super) fn overrides(set: &[String]) -> Result<Vec<Override>> {
    set.iter().map(|text| text.parse().map_err(|error: String| anyhow!("--set: {error}"))).collect()
}

/// The first Ctrl-C lets the batch in hand end; the second ends the process at once. Both can be gone on from.
pub(super) fn on_interrupt(cancelled: &Arc<AtomicBool>) -> Result<()> {
    let cancelled = cancelled.clone();
    ctrlc::set_handler(move || {
        if cancelled.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        tell("stopping after what is in hand; again to stop at once");
    })
    .context("cannot listen for Ctrl-C")
}

/// Writes to stdout. That nobody reads it (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}
