//! Roles that break one clause each.

use super::check;
use crate::build::target;
use examiner_engine::conformance::CLAUSES;
use examiner_test_support::build::{library, program};

/// The clause that a role is named after: `model-seed--at-zero` breaks `model/seed`.
fn clause_of(role: &str) -> &'static str {
    let name = role.split_once('/').unwrap().1;
    let name = name.split_once("--").map_or(name, |(name, _)| name);
    CLAUSES.iter().map(|clause| clause.name).find(|clause| clause.replace('/', "-") == name).unwrap()
}

#[test]
fn each_wrong_role_breaks_its_clause_and_no_other() {
    program();
    let file = target().join(library("examiner_wrong_plugins"));
    let directory = tempfile::tempdir().unwrap();
    let suite = format!(
        "name: wrong\nplugins: {{ wrong: {{ path: {} }} }}\ntrain:\n  a: {{ trainer: trainer-resume, data: rows.jsonl }}\n  b: {{ \
         trainer: trainer-events, data: rows.jsonl }}\nexport:\n  c: {{ exporter: exporter-product, from: ./checkpoint }}\n",
        file.display()
    );
    std::fs::write(directory.path().join("wrong.yaml"), suite).unwrap();
    let checked = check(directory.path(), &file, &["--suite", "wrong.yaml"], &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.said);
    let broken = &checked.findings["broken"];
    let mut roles: Vec<&str> = checked.findings.values().flatten().map(|(role, ..)| role.as_str()).collect();
    roles.retain(|role| !role.is_empty());
    roles.sort_unstable();
    roles.dedup();
    assert!(roles.len() >= 25, "only {} wrong roles", roles.len());
    let mut faults = Vec::new();
    for role in &roles {
        let found: Vec<_> = broken.iter().filter(|(of, ..)| of == role).collect();
        let names: Vec<&str> = found.iter().map(|(_, clause, _)| clause.as_str()).collect();
        if names != [clause_of(role)] {
            faults.push(format!("`{role}` is to break `{}`, and breaks {found:#?}", clause_of(role)));
        }
    }
    assert!(faults.is_empty(), "{} of {} roles:\n{}", faults.len(), roles.len(), faults.join("\n"));
    assert!(
        broken.iter().all(|(role, ..)| !role.is_empty()),
        "the file itself is right: {:#?}",
        checked.lines("broken")
    );
}
