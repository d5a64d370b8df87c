//! Holds a plugin file against the contract of each of its roles, so that an author learns of a wrong number before users do.
//!
//! [`clause`](CLAUSES) says what is held, `report` what was found. `bench` opens roles in workers, so that an exit, a crash and a
//! hang are findings, too. There is a file for each role, one for what all share (`options`, `fingerprint`, with `vary`), and one
//! for the file itself. What a run refuses is refused by the same functions here.

mod asking;
mod bench;
mod catalog;
mod clause;
mod control;
mod dataset;
mod diagnostic;
mod entry;
mod file;
mod fingerprint;
mod model;
mod options;
mod prompts;
mod report;
mod scorer;
mod stages;
mod vary;

pub use clause::{CLAUSES, Clause, table};
pub use report::{Finding, Outcome, Report};

use crate::host::Shared;
use crate::loader::{LoadError, LoadedFile, Plugins};
use bench::{Bench, Subject};
use clause::{FILE_LOADS, clauses_of};
use entry::{Entry, entry};
use examiner_api::{Metadata, Result, RoleInfo, RoleKind};
use report::{Findings, Held};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is to be checked.
#[derive(Debug, Default)]
pub struct Selection {
    /// Only these roles, `model/echo`; all where there are none.
    pub roles: Vec<String>,
    /// The options of the one role that is checked.
    pub options: Option<Metadata>,
    /// Whether `shared` is of a suite that somebody wrote, which says the options of roles.
    pub has_suite: bool,
}

/// The report of a file that is not used as a plugin.
pub fn of_rejected(path: &Path, error: &LoadError) -> Report {
    let mut list = Vec::new();
    let mut findings = Findings { role: None, list: &mut list };
    findings.add(&FILE_LOADS, Held::No(format!("expected a plugin, found that the file {}", error.problem)));
    Report { path: path.to_owned(), plugin: None, version: None, findings: list }
}

/// Holds a plugin file, which is among the plugins of `shared`, against every clause. `others` are the plugins at hand, `program` is
/// this program, of which workers are processes.
///
/// # Errors
/// The selection names no role of the plugin, or gives options to several.
pub fn check(
    shared: &Arc<Shared>,
    file: &LoadedFile,
    others: &Plugins,
    program: Option<PathBuf>,
    selection: &Selection,
) -> Result<Report, String> {
    let roles = selected(file, selection)?;
    let mut list = Vec::new();
    file::check(file, others, program.clone(), &mut Findings { role: None, list: &mut list });
    let bench = Bench::new(shared, file, program, selection.has_suite);
    for info in roles {
        let found = entry(shared, file, info);
        let entry = found.as_ref().map(|(entry, _)| entry);
        let of_suite = found.as_ref().map(|(_, options)| options.clone());
        let mut findings = Findings { role: Some(format!("{}/{}", info.kind, info.name)), list: &mut list };
        let why = match selection.options.clone().map(Ok).or(of_suite).unwrap_or_else(|| Ok(Metadata::new())) {
            Ok(options) => check_role(&Subject { bench: &bench, info, options }, entry, &mut findings),
            Err(error) => format!("its options in the suite cannot be had: {error}"),
        };
        findings.skip_rest(clauses_of(info.kind), &why);
    }
    let (plugin, version) = (Some(file.info.name.clone()), Some(file.info.version.clone()));
    Ok(Report { path: file.path.clone(), plugin, version, findings: list })
}

fn selected<'a>(file: &'a LoadedFile, selection: &Selection) -> Result<Vec<&'a RoleInfo>, String> {
    let label = |role: &RoleInfo| format!("{}/{}", role.kind, role.name);
    let all = || file.info.roles.iter().map(label).collect::<Vec<_>>().join("`, `");
    if let Some(unknown) =
        selection.roles.iter().find(|wanted| !file.info.roles.iter().any(|role| label(role) == **wanted))
    {
        return Err(format!("--role: the plugin has no role `{unknown}`; its roles are `{}`", all()));
    }
    let is_wanted = |role: &&RoleInfo| selection.roles.is_empty() || selection.roles.contains(&label(role));
    let roles: Vec<&RoleInfo> = file.info.roles.iter().filter(is_wanted).collect();
    if selection.options.is_some() && roles.len() != 1 {
        return Err(format!("--options: say which role they are of: `--role KIND/NAME`, one of `{}`", all()));
    }
    Ok(roles)
}

/// Holds a role against its clauses. Returns why those that were not looked at were not.
fn check_role(subject: &Subject<'_>, entry: Option<&Entry<'_>>, findings: &mut Findings<'_>) -> String {
    let opened = match options::check(subject, findings) {
        Ok(opened) => opened,
        Err(why) => return why,
    };
    let model = match entry {
        Some(Entry::Model(name)) => Some(*name),
        _ => None,
    };
    let prompts = match subject.info.kind {
        RoleKind::Model => prompts::prompts(subject.bench.shared, model),
        _ => Vec::new(),
    };
    let behaviour = |opened| match subject.info.kind {
        RoleKind::Model => model::behaviour(opened, &prompts),
        RoleKind::Dataset => dataset::behaviour(opened),
        RoleKind::Scorer => scorer::behaviour(opened),
        _ => Ok(None),
    };
    fingerprint::check(subject, &opened, &behaviour, findings);
    let checked = match (subject.info.kind, entry) {
        (RoleKind::Model, _) => model::check(subject, opened, model, findings),
        (RoleKind::Dataset, _) => dataset::check(subject, opened, findings),
        (RoleKind::Scorer, _) => scorer::check(subject, opened, findings),
        (RoleKind::Diagnostic, _) => diagnostic::check(opened, findings),
        (RoleKind::Catalog, _) => catalog::check(opened, findings),
        (RoleKind::Recipe, _) => stages::recipe(subject, findings),
        (RoleKind::Trainer, Some(Entry::Train(name, spec))) => stages::trainer(subject, name, spec, findings),
        (RoleKind::Exporter, Some(Entry::Export(name, spec))) => stages::exporter(subject, name, spec, findings),
        (kind @ (RoleKind::Trainer | RoleKind::Exporter), _) => {
            return format!("what the {kind} starts from is not known; type `--suite SUITE` with a suite that uses it");
        }
    };
    match checked {
        Ok(()) => "what it takes was found to be broken".to_owned(),
        Err(error) if report::is_of_the_world(&error) => format!("it could not be found out: {error}"),
        Err(error) => {
            // The first clause that was not looked at is the one that the error ended.
            let first = clauses_of(subject.info.kind).find(|clause| !findings.has(clause));
            if let Some(clause) = first {
                findings.add_result(clause, Err(error));
            }
            "an earlier call failed".to_owned()
        }
    }
}
