//! What the program says on stderr: for people, quietly, and for programs.

use crate::build;
use crate::run::{stderr, suite};
use std::path::Path;
use std::process::Output;

/// Runs a suite of which one model fails, with these arguments behind `run suite.yaml`.
fn run(directory: &Path, arguments: &[&str]) -> Output {
    let models = "  good: { plugin: adder }\n  bad: { plugin: adder, fault: refused, at: 3 }\n";
    std::fs::write(directory.join("suite.yaml"), suite(models, "  sums: { plugin: numbers, rows: 5 }\n")).unwrap();
    let mut command = build::examiner(directory);
    command.env_remove("NO_COLOR").args(["run", "suite.yaml", "--fresh"]).args(arguments).output().unwrap()
}

fn events(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_failure_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &[]);
    let (table, said) = (String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output));
    assert_eq!(
        (said.matches("the key was refused").count(), table.matches("the key was refused").count()),
        (1, 0),
        "{said}{table}"
    );
    assert!(table.contains("failed"), "{table}");
    // Whoever looks at the results later is told with them.
    let report = build::examiner(directory.path()).arg("report").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&report.stdout).matches("the key was refused").count(), 1);
}

#[test]
fn what_is_wrong_is_said_to_whom_wants_it_quiet() {
    let directory = tempfile::tempdir().unwrap();
    let said = stderr(&run(directory.path(), &["--quiet"]));
    assert!(said.starts_with("failed: evaluate/bad/sums") && said.lines().count() == 1, "{said}");
    let output = build::examiner(directory.path()).args(["run", "--quiet", "none.yaml"]).output().unwrap();
    assert!(stderr(&output).starts_with("error: cannot read `none.yaml`"), "{}", stderr(&output));
}

#[test]
fn colours_are_for_terminals_or_whoever_wants_them() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &[]);
    assert!(!stderr(&output).contains('\x1b') && !output.stdout.contains(&b'\x1b'));
    let output = run(directory.path(), &["--color", "always"]);
    assert!(stderr(&output).contains("\x1b[1;31mfailed:\x1b[0m evaluate/bad/sums"), "{}", stderr(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("\x1b[1;31mfailed\x1b[0m"), "{table}");
}

#[test]
fn programs_read_events() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["--events", "json", "--out", "run"]);
    let events_on_stderr = events(&stderr(&output));
    let of = |name: &str| events_on_stderr.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let good = |event: &&&serde_json::Value| event["task"] == "evaluate/good/sums";
    assert_eq!(of("task-started").iter().filter(good).count(), 1);
    assert_eq!(of("task-finished").iter().find(good).unwrap()["done"], 5);
    assert!(of("progress").iter().any(|event| good(&event) && event["unit"] == "samples"));
    let messages = of("message");
    let errors: Vec<_> = messages.iter().filter(|event| event["level"] == "error").collect();
    assert!(errors.len() == 1 && errors[0]["text"].as_str().unwrap().contains("evaluate/bad/sums"), "{errors:?}");
    let last = events_on_stderr.iter().rfind(|event| event["event"] == "finished").unwrap();
    assert_eq!((&last["status"], &last["exit_status"]), (&"failed".into(), &1.into()));
    assert_eq!((&last["directory"], last["failures"].as_array().unwrap().len()), (&"run".into(), 1));
    assert!(events_on_stderr.iter().all(|event| event["time"].is_string()));

    // In a file, and stderr stays as it is.
    let output = run(directory.path(), &["--events", "json", "--events-to", "events.jsonl"]);
    assert!(stderr(&output).contains("failed: evaluate/bad/sums"), "{}", stderr(&output));
    let text = std::fs::read_to_string(directory.path().join("events.jsonl")).unwrap();
    assert!(events(&text).iter().any(|event| event["event"] == "finished"));
}
