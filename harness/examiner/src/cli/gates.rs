//! Rules that results must keep: those of a file, with `examiner gate`, and those of a suite, after each run of it.

use super::GateArguments;
use super::results::rows;
use super::search::suite_of_run;
use super::terminal::print;
use anyhow::{Context, Result, anyhow};
use examiner_engine::rescore::provenance_of;
use examiner_report::gate::{self, Judged, Policy, Rule};
use examiner_store::summary::SummaryRow;
use examiner_suite::{FieldPath, Loaded, Problem, Problems, Suite};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn gate(arguments: &GateArguments) -> Result<ExitCode> {
    let rows = rows(&arguments.run)?;
    let policy = match &arguments.policy {
        Some(path) => of_file(path)?,
        None => of_run(&arguments.run)?,
    };
    let judged = gate::judge(&arguments.run, &rows, &policy)?;
    print(&lines(&judged))?;
    Ok(if judged.iter().all(|rule| rule.holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A line for each condition.
fn lines(judged: &[Judged]) -> String {
    let line = |rule: &Judged| format!("{:<6} {}\n", if rule.holds { "ok" } else { "BROKEN" }, rule.what);
    judged.iter().map(line).collect()
}

/// Holds the results of a run against the rules of its suite: the lines to print, and a failure for each that is broken.
pub(super) fn after_run(policy: &Policy, directory: &Path, rows: &[SummaryRow]) -> (String, Vec<String>) {
    match gate::judge(directory, rows, policy) {
        Ok(judged) => {
            let broken = judged.iter().filter(|rule| !rule.holds).map(|rule| format!("gate: {}", rule.what));
            (lines(&judged), broken.collect())
        }
        Err(error) => (String::new(), vec![format!("gate: {error}")]),
    }
}

fn of_file(path: &Path) -> Result<Policy> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{shown}`"))?;
    let mut policy: Policy = serde_yaml::from_str(&text).with_context(|| {
        format!("`{shown}` is no file of rules: expected `rules:` with a list of `{{ model, dataset, at_least: ... }}`")
    })?;
    // Runs that it names lie beside the file, wherever the command is given.
    let folder = path.parent().unwrap_or(Path::new(""));
    policy.rules.iter_mut().flat_map(|rule| &mut rule.against).for_each(|against| *against = folder.join(&*against));
    Ok(policy)
}

/// The rules of the suite that a run was made with.
fn of_run(run: &Path) -> Result<Policy> {
    let made = provenance_of(run)?;
    let policy = of_suite(&suite_of_run(run, &made, &made.request.set)?)?;
    match policy.rules.is_empty() {
        true => Err(anyhow!("the suite of `{}` has no `gate`; `--policy FILE` names other rules", run.display())),
        false => Ok(policy),
    }
}

/// The rules of a suite, with the directories of stored runs as they are found from here.
pub(super) fn of_suite(loaded: &Loaded) -> Result<Policy> {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    for (index, options) in loaded.suite.gate.iter().enumerate() {
        let path = FieldPath::of(&["gate"]).index(index);
        match rule(&loaded.suite, &path, options.clone()) {
            Ok(rule) => rules.push(rule),
            Err(message) => {
                problems.push(Problem { position: loaded.locate(&path), path: path.to_string(), message, help: None });
            }
        }
    }
    if problems.is_empty() { Ok(Policy { rules }) } else { Err(Problems(problems).into()) }
}

fn rule(suite: &Suite, path: &FieldPath, options: examiner_suite::Options) -> Result<Rule, String> {
    let mut rule: Rule = serde_json::from_value(Value::Object(options)).map_err(|error| error.to_string())?;
    for (what, name, is_there) in [
        ("model", &rule.model, suite.models.contains_key(&rule.model)),
        ("dataset", &rule.dataset, suite.datasets.contains_key(&rule.dataset)),
    ] {
        if !is_there {
            return Err(format!("the suite has no {what} `{name}`"));
        }
    }
    if rule.is_empty() {
        return Err("expected one of `at_least`, `at_most` and `against`".to_owned());
    }
    if let Some(against) = &mut rule.against {
        *against = suite.paths.start(&path.key("against")).join(&*against);
    }
    Ok(rule)
}
