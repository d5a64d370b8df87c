//! Declarations and numbers that cannot be relied on: each is an error with a name, and none becomes a number.

use crate::build;
use crate::run::{run, stderr, summary};
use std::collections::BTreeMap;
use std::path::Path;

const SOUND: &str = "ids: [a, b, c]";

/// Runs a model on a dataset, whose options are given, by a scorer with a fault.
fn suite(model: &str, dataset: &str, fault: &str) -> String {
    format!(
        "name: t\nplugins: {{ unsound: {{ path: {} }} }}\nmodels:\n  m: {{ plugin: mute{model} }}\ndatasets:\n  d: {{ plugin: \
         listed, {dataset}, scorer: {{ name: unsound-judge, fault: {fault} }} }}\nevaluate:\n  - {{ models: all, datasets: all \
         }}\n",
        build::fixture("unsound").display()
    )
}

/// The exit status, what was said, and the rows of `summary.csv`.
fn outcome(directory: &Path, suite: &str) -> (Option<i32>, String, Vec<BTreeMap<String, String>>) {
    let output = run(directory, suite, &["--out", "run"]);
    (output.status.code(), stderr(&output), summary(&directory.join("run")))
}

#[test]
fn sound_roles_have_two_values() {
    let directory = tempfile::tempdir().unwrap();
    let (code, said, rows) = outcome(directory.path(), &suite("", SOUND, "none"));
    assert_eq!(code, Some(0), "{said}");
    let values: Vec<_> = rows.iter().map(|row| (&*row["metric"], &*row["value"])).collect();
    assert_eq!(values, [("mean", "1.0"), ("corpus", "1.0")]);
}

#[test]
fn what_is_declared_wrongly_fails_the_pair_before_anything_is_asked() {
    let no_fingerprint = "ids: [a], fingerprint: false";
    for (model, dataset, fault, said) in [
        (", fingerprint: false", SOUND, "none", "model `m` declares an empty fingerprint"),
        ("", no_fingerprint, "none", "dataset `d` declares an empty fingerprint"),
        ("", SOUND, "no-fingerprint", "scorer `unsound-judge` declares an empty fingerprint"),
        ("", SOUND, "no-metric", "scorer `unsound-judge` declares no metric"),
        ("", SOUND, "two-of-one-name", "scorer `unsound-judge` declares two metrics of the name `mean`"),
        ("", "ids: [a, b, a]", "none", "found `a` for the samples 1 and 3"),
        ("", "ids: [a, '']", "none", "found none for sample 2"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (code, stderr, rows) = outcome(directory.path(), &suite(model, dataset, fault));
        assert_eq!(code, Some(1), "{said}: {stderr}");
        assert!(stderr.contains(said), "{said}: {stderr}");
        assert!(rows.iter().all(|row| row["status"] == "failed" && row["value"].is_empty()), "{said}: {rows:?}");
        assert!(!rows.is_empty() && rows[0]["message"].contains(said), "{said}: {rows:?}");
    }
}

#[test]
fn a_value_outside_of_its_bounds_is_the_error_of_its_sample() {
    let directory = tempfile::tempdir().unwrap();
    let (code, said, rows) = outcome(directory.path(), &suite("", SOUND, "out-of-bounds"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("sample `b`: metric `mean` of scorer `unsound-judge` is 1.5, outside of its bounds 0 and 1"));
    assert_eq!((&*rows[0]["value"], &*rows[0]["n_error"], &*rows[0]["status"]), ("1.0", "1", "partial"));
}

#[test]
fn a_corpus_metric_without_a_value_is_a_failure_of_the_run() {
    for (fault, why) in
        [("corpus-nan", "expected a finite number, found NaN for 3 samples"), ("corpus-fails", "no corpus")]
    {
        let directory = tempfile::tempdir().unwrap();
        let suite = suite("", SOUND, fault);
        // The second time nothing is left to be asked, and it fails no less.
        for attempt in ["first", "second"] {
            let (code, said, rows) = outcome(directory.path(), &suite);
            assert_eq!(code, Some(1), "{fault}, {attempt}: {said}");
            assert!(said.contains("failed: evaluate/m/d: metric `corpus` of scorer `unsound-judge`: "), "{said}");
            assert!(said.contains(why), "{fault}: {said}");
            assert_eq!((&*rows[0]["metric"], &*rows[0]["value"], &*rows[0]["status"]), ("mean", "1.0", "ok"));
            assert_eq!((&*rows[1]["metric"], &*rows[1]["value"], &*rows[1]["status"]), ("corpus", "", "failed"));
        }
        let output = build::examiner(directory.path()).args(["score", "run"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{fault}: {}", stderr(&output));
    }
}
