//! The tree of tasks of lm-evaluation-harness: every task, group and tag as lm-evaluation-harness itself reads it, told by a digest of
//! all settings.

use super::comparison::Comparison;
use super::lm_eval_tasks::{ENVIRONMENT, PACKAGES};
use super::setup::Setup;
use crate::program::process::command_line;
use crate::program::python;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const SCRIPT: &str = include_str!("lm_eval_tree.py");

/// A name as lm-evaluation-harness reads it.
#[derive(Deserialize)]
struct Theirs {
    name: String,
    kind: String,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    digest: String,
    /// Why it has none.
    error: Option<String>,
}

/// A line of `examiner tasks --json`.
#[derive(Deserialize)]
struct Ours {
    name: String,
    kind: String,
    state: String,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    digest: String,
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let python = match &setup.python {
        Some(python) => std::path::absolute(python)?,
        None => python::environment(ENVIRONMENT, &PACKAGES)?,
    };
    let script = setup.work.join("lm_eval_tree.py");
    crate::program::files::write(&script, SCRIPT)?;
    let printed = printed(Command::new(python).arg(script))?;
    let (first, theirs) = printed.split_once('\n').context("expected lines of lm-evaluation-harness, found none")?;
    let directory: Value = serde_json::from_str(first)?;
    let directory = directory["directory"].as_str().context("expected the directory of tasks in the first line")?;
    let theirs: Vec<Theirs> = theirs.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let theirs: BTreeMap<String, Theirs> = theirs.into_iter().map(|line| (line.name.clone(), line)).collect();

    let listed = self::printed(Command::new(&setup.program).args(["tasks", "--json", "--tasks-dir", directory]))?;
    let mut lines: Vec<&str> = listed.lines().collect();
    let counts = lines.pop().context("expected lines of `examiner tasks`, found none")?;
    let ours: Vec<Ours> = lines.into_iter().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let ours: BTreeMap<String, Ours> = ours.into_iter().map(|line| (line.name.clone(), line)).collect();
    eprintln!("{counts}");
    Ok(side_by_side(&theirs, &ours))
}

fn side_by_side(theirs: &BTreeMap<String, Theirs>, ours: &BTreeMap<String, Ours>) -> Vec<Comparison> {
    let named = |what: &str| Comparison::new(format!("lm-eval tree: {what}"));
    let (mut names, mut kinds, mut members) = (named("names"), named("kinds"), named("members"));
    let (mut digests, mut refused) = (named("settings, by digest"), named("names that both refuse"));
    for name in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
        let (theirs, ours) = (theirs.get(name), ours.get(name));
        names.row(theirs.is_some() && ours.is_some());
        let (Some(theirs), Some(ours)) = (theirs, ours) else {
            eprintln!("`{name}` is known to {}", if ours.is_some() { "Examiner alone" } else { "the other alone" });
            continue;
        };
        // A task of Python is a task here.
        kinds.row(theirs.kind.trim_start_matches("py_") == ours.kind);
        if let Some(error) = &theirs.error {
            let is_refused = ours.state == "refused" && ours.digest.is_empty();
            refused.row(is_refused);
            if !is_refused {
                eprintln!("`{name}` is refused by lm-evaluation-harness alone: {error}");
            }
            continue;
        }
        members.row(theirs.members == ours.members);
        let is_same = theirs.digest == ours.digest;
        digests.row(is_same);
        if !is_same {
            eprintln!("`{name}` has other settings, or other members");
        }
    }
    vec![names, kinds, members, digests, refused]
}

/// What a command prints.
fn printed(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{line}` fails: {}", said.trim());
    Ok(String::from_utf8(output.stdout)?)
}
