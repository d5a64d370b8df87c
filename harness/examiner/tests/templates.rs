//! Templates that ask for more memory or time than there is: those of suites, and those that come with a checkpoint.
#![cfg(target_os = "linux")]

use crate::build;
use crate::measured::usage;
use examiner_test_support::checkpoint::TinyGpt2;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Templates, one in a line, that ask for more memory than any machine has; the last two ask for little memory and much time.
const BOMBS: &str = include_str!("../../test-support/template-bombs.txt");

/// Runs a suite, and returns what the program says in the end. No process may take 200 MB, nor all of them 6 s.
fn bounded(directory: &Path, suite: &str) -> String {
    std::fs::write(directory.join("suite.yaml"), suite).unwrap();
    let said = directory.join("said");
    let mut command: Command = build::examiner(directory);
    command.args(["run", "suite.yaml", "--out", "run", "--fresh"]);
    let (mib, seconds) = usage(&command, &said);
    let said = std::fs::read_to_string(said).unwrap();
    assert!(mib < 200 && seconds < 6.0, "{mib} MiB, {seconds} s: {suite}\n{said}");
    said
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn templates_of_suites_take_no_more_than_they_may() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rows.jsonl"), "{\"a\": 1}\n").unwrap();
    let mut seen = String::new();
    for bomb in BOMBS.lines() {
        let bomb = quoted(bomb);
        let suite = format!(
            "name: t\nmodels:\n  m: {{ plugin: echo }}\ndatasets:\n  d: {{ plugin: table, path: rows.jsonl, prompt: {bomb}, gold: a }}\n\
             evaluate:\n  - {{ models: m, datasets: d }}\n"
        );
        let said = bounded(directory.path(), &suite);
        let reason = said.lines().find(|line| line.starts_with("failed: ")).unwrap_or_else(|| panic!("{bomb}: {said}"));
        writeln!(seen, "{reason}").unwrap();
    }
    // Each kind of limit has been met.
    for limit in ["takes more than 64 MiB of memory", "takes more than 5 seconds", "fuel", "makes a text of"] {
        assert!(seen.contains(limit), "{limit}:\n{seen}");
    }
}

#[test]
fn chat_templates_take_no_more_than_they_may() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoint = TinyGpt2::new(json!({})).write();
    std::fs::write(directory.path().join("rows.jsonl"), "{\"a\": 1}\n").unwrap();
    for bomb in BOMBS.lines() {
        std::fs::write(checkpoint.path().join("chat_template.jinja"), bomb).unwrap();
        let path = quoted(&checkpoint.path().display().to_string());
        let suite = format!(
            "name: t\nmodels:\n  m: {{ plugin: candle, checkpoint: {path}, device: cpu }}\n\
             datasets:\n  d: {{ plugin: table, path: rows.jsonl, prompt: a, gold: a, max_new_tokens: 1 }}\n\
             evaluate:\n  - {{ models: m, datasets: d }}\n"
        );
        let said = bounded(directory.path(), &suite);
        assert!(said.contains("the chat template"), "{bomb}: {said}");
    }
}
