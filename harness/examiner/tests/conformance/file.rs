//! Faults of the file itself, what the command refuses, and what it prints.

use super::check;
use crate::build::{self, fixture, plugin};
use examiner_test_support::build::library;

/// The clause that the plugin breaks while it does this at its registration.
fn broken_by(mode: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let environment = [("EXAMINER_TEST_REGISTRATION", mode), ("EXAMINER_REGISTRATION_S", "2")];
    let checked = check(directory.path(), &fixture("faulty_registration"), &[], &environment);
    let broken: Vec<String> =
        checked.findings.get("broken").into_iter().flatten().map(|(_, clause, _)| clause.clone()).collect();
    assert_eq!(checked.code, Some(i32::from(!broken.is_empty())), "{mode}: {}", checked.said);
    broken
}

#[test]
fn faults_of_a_file_are_found_by_their_clauses() {
    assert_eq!(broken_by("nothing"), Vec::<String>::new());
    for (mode, clause) in [
        ("exit", "file/loads"),
        ("abort", "file/loads"),
        ("segfault", "file/loads"),
        ("block", "file/loads"),
        ("garbage", "file/loads"),
        ("print", "file/silent"),
        ("bad name", "file/names"),
        ("two of one name", "file/names"),
        ("bad version", "file/version"),
    ] {
        assert_eq!(broken_by(mode), [clause], "{mode}");
    }
    let directory = tempfile::tempdir().unwrap();
    for name in ["panics_at_registration", "other_shape"] {
        let checked = check(directory.path(), &fixture(name), &[], &[]);
        assert!(checked.has("broken", "", "file/loads"), "{name}: {:?}", checked.lines("broken"));
    }
}

#[test]
fn a_plugin_of_the_same_name_is_a_conflict_and_a_copy_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let again = check(directory.path(), &fixture("echo_again"), &[], &[]);
    assert!(again.has("broken", "", "file/conflicts"), "{:?}", again.lines("broken"));
    let copy = directory.path().join(library("copy"));
    std::fs::copy(plugin("echo"), &copy).unwrap();
    assert!(check(directory.path(), &copy, &[], &[]).has("holds", "", "file/conflicts"));
}

#[test]
fn what_cannot_be_checked_is_an_error_of_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let echo = plugin("echo");
    let said = |arguments: &[&str]| {
        let mut command = build::examiner(directory.path());
        let output = command.args(["plugins", "check"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let echo = echo.to_str().unwrap();
    for (arguments, words) in [
        (vec!["nowhere.so"], "cannot be read"),
        (vec![echo, "--role", "model/ecko"], "its roles are `model/echo`"),
        (vec![echo, "--options", "prefix"], "expected JSON or KEY=VALUE"),
        (vec![echo, "--suite", "nowhere.yaml"], "cannot read `nowhere.yaml`"),
    ] {
        let (code, stderr) = said(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_report_for_people_names_clauses_and_says_how_many_hold() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = build::examiner(directory.path());
    let output = command.args(["plugins", "check"]).arg(plugin("echo")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("holds    model/ids-once") && text.contains("0 broken"), "{text}");
}

#[test]
fn a_role_that_needs_options_is_skipped_and_says_what_to_type() {
    let directory = tempfile::tempdir().unwrap();
    let checked = check(directory.path(), &plugin("table"), &[], &[]);
    assert_eq!(checked.code, Some(0), "{:?}", checked.lines("broken"));
    let skipped = checked.lines("skipped").join("\n");
    assert!(skipped.contains("--role dataset/table --options path=VALUE --options prompt=VALUE"), "{skipped}");
}
