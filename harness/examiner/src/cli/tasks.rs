//! `examiner tasks`: what suites can name of the tasks that plugins know.

use super::search;
use super::terminal::print;
use anyhow::{Context, Result, bail};
use clap::ValueHint;
use examiner_api::{CatalogEntry, Flow};
use examiner_engine::catalog::{self, Counts};
use examiner_engine::worker;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

#[derive(Debug, clap::Args)]
pub(super) struct TasksArguments {
    /// A name, or a pattern in which `*` is any text, `?` one character and `[a-z]` one of some; several have commas between them.
    pub(super) pattern: Option<String>,
    /// The directory of tasks: `lm_eval/tasks` of lm-evaluation-harness, or the one that `lm_eval` is in; or `lm_eval==0.4.13`,
    /// which is downloaded once. Without it that of
    /// LM_EVAL_TASKS, or of an installed `lm_eval`.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) tasks_dir: Option<PathBuf>,
    /// Print JSON lines, for programs: one for each entry, and the counts in the last.
    #[arg(long)]
    pub(super) json: bool,
}

/// Lists the tasks that fit a pattern; of a name its members, too.
pub(super) fn tasks(arguments: &TasksArguments, directories: &[PathBuf]) -> Result<ExitCode> {
    let plugins = search::plugins(None, directories)?;
    // Catalogs look it up in processes of their own. What is no directory here may be a name that a catalog knows.
    let absolute = |directory: &PathBuf| match directory.exists() {
        true => std::path::absolute(directory).with_context(|| format!("cannot find `{}`", directory.display())),
        false => Ok(directory.clone()),
    };
    let tasks_dir = arguments.tasks_dir.as_ref().map(absolute).transpose()?;
    let pattern = arguments.pattern.as_deref().unwrap_or("*");
    if arguments.json {
        let state = Mutex::new((Counts::default(), Ok(())));
        catalog::entries(&plugins, worker::program(), pattern, tasks_dir.as_deref(), &|entry: CatalogEntry| {
            let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            state.0.add(&entry);
            state.1 = print(&format!("{}\n", json!(entry)));
            if state.1.is_ok() { Flow::Continue } else { Flow::Stop }
        })?;
        let (counts, printed) = state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        printed?;
        print(&format!("{}\n", json!({ "counts": counts.to_json() })))?;
        return Ok(ExitCode::SUCCESS);
    }
    let asked = |pattern: &str| catalog::collected(&plugins, worker::program(), pattern, tasks_dir.as_deref());
    let found = asked(pattern)?;
    if found.is_empty() {
        bail!(
            "expected the name of a task, a group or a tag, or a pattern of some, found nothing that fits `{pattern}`; `examiner tasks` lists all"
        );
    }
    let mut text = catalog::table(&found);
    // Somebody who types a name wants to know what it stands for.
    if !pattern.contains(['*', '?', '[', ',']) {
        for entry in found.iter().filter(|entry| !entry.members.is_empty()) {
            let known = asked(&entry.members.join(","))?;
            text.push_str(&format!("\nmembers of {}:\n{}", entry.name, catalog::table(&of_members(entry, &known))));
        }
    }
    let mut counts = Counts::default();
    found.iter().for_each(|entry| counts.add(entry));
    print(&format!("{text}\n{counts}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The members in their order. One that is described by its group alone has no entry of its own: it is shown as its group says.
fn of_members(group: &CatalogEntry, known: &[CatalogEntry]) -> Vec<CatalogEntry> {
    let own = |name: &String| CatalogEntry {
        name: name.clone(),
        state: group.state,
        detail: format!("described in {}", group.name),
        ..CatalogEntry::default()
    };
    let members = group.members.iter();
    members.map(|name| known.iter().find(|entry| entry.name == *name).cloned().unwrap_or_else(|| own(name))).collect()
}
