//! Datasets, scorers, recipes and plugin files that end, leave or lock up the process they run in.
#![cfg(unix)]

use crate::build;
use crate::run::{run, stderr, suite, summary, whole};
use std::path::Path;
use std::process::Output;

/// Examines a model on a dataset with a fault at row 3 of 10, and on a good one.
fn bad_dataset(directory: &Path, fault: &str, isolate: &str) -> Output {
    let suite = suite(
        "  one: { plugin: adder }\n",
        &format!(
            "  bad: {{ plugin: numbers, rows: 10, fault: {fault}, at: 3 }}\n  good: {{ plugin: numbers, rows: 10 }}\n"
        ),
    );
    let output = run(directory, &format!("{suite}isolate: {isolate}\n"), &["--out", "run"]);
    let good = whole(&directory.join("run"), "one", "good", "accuracy");
    assert_eq!((&*good["value"], &*good["status"]), ("1.0", "ok"), "{fault}: {good:?}");
    output
}

#[test]
fn a_dataset_that_ends_its_process_costs_its_stage_and_is_named() {
    for (fault, isolate, words) in [
        ("exit", "true", "the process of dataset `numbers` ended by itself, with exit code 7"),
        ("abort", "true", "the process of dataset `numbers` was killed by signal 6"),
        ("segfault", "true", "the process of dataset `numbers` was killed by signal 11"),
        ("killed", "true", "the process of dataset `numbers` was killed by signal 9"),
        ("panic", "true", "panicked while answering `samples`: row 3 is too hard"),
        ("sleep", "{ deadline_s: 1 }", "the process of dataset `numbers` gave no answer for 1."),
        ("leak", "{ memory_mib: 200 }", "the process of dataset `numbers` held 2"),
        ("garbage", "true", "the process of dataset `numbers` wrote to the program's pipe: expected a frame, found"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let output = bad_dataset(directory.path(), fault, isolate);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{fault}: {said}");
        let failures: Vec<&str> = said.lines().filter(|line| line.starts_with("failed: ")).collect();
        assert_eq!(failures.len(), 1, "{fault}: {said}");
        assert!(
            failures[0].starts_with("failed: evaluate/one/bad: ") && failures[0].contains(words),
            "{fault}: {said}"
        );
        // The table is there, with a row for the stage that failed.
        assert!(String::from_utf8_lossy(&output.stdout).contains("good"), "{fault}");
        let row = whole(&directory.path().join("run"), "one", "bad", "accuracy");
        assert_eq!(row["status"], "failed", "{fault}: {row:?}");
    }
}

#[test]
fn what_a_dataset_prints_goes_to_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let output = bad_dataset(directory.path(), "print", "true");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("printed"));
    let log = std::fs::read_to_string(directory.path().join("run/logs/evaluate.one.bad.log")).unwrap();
    assert!(log.contains("says: printed") && log.contains("says: complained"), "{log}");
}

/// Examines a model with a scorer that has a fault, on ten questions, and returns the row and what was said.
fn bad_scorer(options: &str, isolate: &str) -> (Vec<String>, String) {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  one: { plugin: adder }\n",
        &format!("  sums: {{ plugin: numbers, rows: 10, scorer: {{ name: comparer, {options} }} }}\n"),
    );
    let output = run(directory.path(), &format!("{suite}isolate: {isolate}\n"), &["--out", "run"]);
    let row = summary(&directory.path().join("run")).remove(0);
    (["value", "n_scored", "n_error", "status"].map(|name| row[name].clone()).to_vec(), stderr(&output))
}

#[test]
fn a_scorer_that_fails_on_one_question_costs_that_question() {
    for (fault, isolate, words) in [
        ("exit", "true", "the process of scorer `comparer` ended by itself, with exit code 7"),
        ("abort", "true", "the process of scorer `comparer` was killed by signal 6"),
        ("segfault", "true", "the process of scorer `comparer` was killed by signal 11"),
        ("panic", "true", "question 3 is too hard"),
        ("panic", "false", "question 3 is too hard"),
        ("error", "true", "question 3 cannot be judged"),
        ("error", "false", "question 3 cannot be judged"),
        ("sleep", "{ deadline_s: 1 }", "the process of scorer `comparer` gave no answer for 1."),
        ("garbage", "true", "the process of scorer `comparer` wrote to the program's pipe"),
    ] {
        for asking in [false, true] {
            let (row, said) = bad_scorer(&format!("fault: {fault}, at: 3, asking: {asking}"), isolate);
            assert_eq!(row, ["1.0", "9", "1", "partial"], "{fault}, asking {asking}: {said}");
            let words = format!("1 of 10 samples are errors, the first: sample `3`: {words}");
            let is_told = match fault {
                "panic" => said.contains("sample `3`: panicked") && said.contains("question 3 is too hard"),
                _ => said.contains(&words),
            };
            assert!(is_told, "{fault}, asking {asking}: {said}");
        }
    }
}

#[test]
fn a_scorer_that_always_dies_ends_its_stage() {
    let (row, said) = bad_scorer("fault: abort, at: 2, upto: 9", "true");
    assert_eq!(row[3], "failed", "{row:?}");
    assert!(said.contains("scorer `comparer` ended on 3 questions in a row, each of them alone"), "{said}");
    // What it says of every question is no reason to stop.
    let (row, said) = bad_scorer("fault: error, at: 2, upto: 9", "true");
    assert_eq!(row[1..3], ["2", "8"], "{said}");
}

#[test]
fn a_recipe_that_ends_its_process_goes_on_in_another() {
    let directory = tempfile::tempdir().unwrap();
    let suite = |options: &str| {
        format!(
            "name: t\n{}models: {{ teacher: {{ plugin: adder }} }}\nteach: {{ sums: {{ recipe: sums, teacher: teacher{options} }} }}\n",
            build::fixture_pin()
        )
    };
    let rows = || std::fs::read_to_string(directory.path().join("data/F_sums.jsonl")).unwrap();
    let output = run(directory.path(), &suite(""), &["--out", "whole"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let whole = rows();
    std::fs::remove_file(directory.path().join("data/F_sums.jsonl")).unwrap();
    let output = run(directory.path(), &suite(", abort_once: true"), &["--out", "torn"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("the process of recipe `sums` was killed by signal 6"), "{}", stderr(&output));
    assert!(directory.path().join("data/aborted").exists());
    assert_eq!(rows(), whole);
}

#[test]
fn a_plugin_file_that_cannot_describe_itself_is_named_and_passed_over() {
    for (fault, words) in [
        ("exit", "cannot describe itself: the process of the plugin ended by itself, with exit code 0"),
        ("abort", "cannot describe itself: the process of the plugin was killed by signal 6"),
        ("segfault", "cannot describe itself: the process of the plugin was killed by signal 11"),
        ("block", "cannot describe itself: the process of the plugin gave no answer for 1."),
        ("garbage", "cannot describe itself: the process of the plugin wrote to the program's pipe"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("libexaminer_plugin_aaa.so");
        std::fs::copy(build::fixture("faulty_registration"), &library).unwrap();
        let mut program = build::examiner(directory.path());
        program.env("EXAMINER_TEST_REGISTRATION", fault).env("EXAMINER_REGISTRATION_S", "1");
        let output = program.args(["plugins", "--plugins", "."]).output().unwrap();
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(listed.contains(words) && listed.contains("libexaminer_plugin_aaa.so"), "{fault}: {listed}");
        // Those after it are there.
        assert!(listed.contains("model `echo`"), "{fault}: {listed}");
    }
}

#[test]
fn a_plugin_file_whose_process_another_one_ended_is_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(build::fixture("faulty_registration"), directory.path().join("libfaulty.so")).unwrap();
    let ended = directory.path().join("ended");
    let mut program = build::examiner(directory.path());
    program.env("EXAMINER_TEST_REGISTRATION", "ended once").env("EXAMINER_TEST_ENDED", &ended);
    let output = program.args(["plugins", "--plugins", "."]).output().unwrap();
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(ended.exists() && listed.contains("faulty 1.0.0"), "{listed}");
    assert!(!listed.contains("cannot describe itself"), "{listed}");
}

#[test]
fn what_a_plugin_prints_while_it_describes_itself_is_not_part_of_the_output() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(build::fixture("faulty_registration"), directory.path().join("libfaulty.so")).unwrap();
    let mut program = build::examiner(directory.path());
    program.env("EXAMINER_TEST_REGISTRATION", "print");
    let output = program.args(["plugins", "--plugins", ".", "--schema", "echo"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let schemas: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schemas["model"].is_object());
}
