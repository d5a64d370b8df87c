//! `examiner plugins check`: every wrong role is found by the name of its clause and by no other, and the plugins of this repository
//! keep every clause.

mod bundled;
mod file;
mod wrong;

use crate::build;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The exit status and the findings, by outcome: `model/echo` with a clause and its sentence.
struct Checked {
    code: Option<i32>,
    findings: BTreeMap<String, Vec<(String, String, String)>>,
    said: String,
}

impl Checked {
    /// The findings of an outcome, as lines.
    fn lines(&self, outcome: &str) -> Vec<String> {
        let found = self.findings.get(outcome).map(Vec::as_slice).unwrap_or_default();
        found.iter().map(|(role, clause, detail)| format!("{role}: {clause}: {detail}")).collect()
    }

    /// Whether a clause of a role has this outcome.
    fn has(&self, outcome: &str, role: &str, clause: &str) -> bool {
        let found = self.findings.get(outcome).map(Vec::as_slice).unwrap_or_default();
        found.iter().any(|(found, name, _)| found == role && name == clause)
    }
}

/// Checks a plugin file in a directory.
fn check(directory: &Path, file: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Checked {
    let mut command = build::examiner(directory);
    command.args(["plugins", "check"]).arg(file).arg("--json").args(arguments);
    command.envs(environment.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut findings: BTreeMap<String, Vec<(String, String, String)>> = BTreeMap::new();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    for finding in report["findings"].as_array().into_iter().flatten() {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        findings.entry(text("outcome")).or_default().push((text("role"), text("clause"), text("detail")));
    }
    Checked { code: output.status.code(), findings, said }
}
