//! What a faulty role does to a run, and what it does not: the other rows are whole, every failure has a row, a message
//! and a line on stderr, and the exit status says so.

use crate::build;
use crate::run::{run, stderr, suite, summary, whole};
use std::path::Path;

/// Runs a good model beside one with a fault at question 3 of 10.
fn faulty(directory: &Path, fault: &str) -> (Option<i32>, String) {
    let suite = suite(
        &format!("  bad: {{ plugin: adder, fault: {fault}, at: 3 }}\n  good: {{ plugin: adder }}\n"),
        "  sums: { plugin: numbers, rows: 10 }\n",
    );
    let output = run(directory, &suite, &["--out", "run"]);
    let good = whole(&directory.join("run"), "good", "sums", "accuracy");
    assert_eq!((&*good["value"], &*good["status"]), ("1.0", "ok"), "{fault}: {good:?}");
    (output.status.code(), stderr(&output))
}

#[test]
fn one_sample_in_error_is_never_counted_as_wrong() {
    for (fault, said) in [("error", "this question is too hard"), ("missing", "without answering this request")] {
        let directory = tempfile::tempdir().unwrap();
        let (code, stderr) = faulty(directory.path(), fault);
        assert_eq!(code, Some(1), "{fault}");
        assert!(stderr.contains("failed: evaluate/bad/sums: 1 of 10 samples are errors"), "{fault}: {stderr}");
        assert!(stderr.contains(said), "{fault}: {stderr}");
        let row = whole(&directory.path().join("run"), "bad", "sums", "accuracy");
        let found = ["value", "n", "n_scored", "n_error", "value_low", "value_high", "status"].map(|name| &*row[name]);
        assert_eq!(found, ["1.0", "10", "9", "1", "0.9", "1.0", "partial"], "{fault}");
    }
}

#[test]
fn an_answer_that_says_nothing_counts_as_wrong_and_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _) = faulty(directory.path(), "silent");
    assert_eq!(code, Some(0));
    let row = whole(&directory.path().join("run"), "bad", "sums", "accuracy");
    let found = ["value", "n_unanswered", "n_error", "status"].map(|name| &*row[name]);
    assert_eq!(found, ["0.9", "1", "0", "ok"]);
}

#[test]
fn half_a_thought_is_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _) = faulty(directory.path(), "thinks");
    assert_eq!(code, Some(0));
    let run = directory.path().join("run");
    let row = whole(&run, "bad", "sums", "accuracy");
    let found = ["value", "n_unanswered", "n_error", "status"].map(|name| &*row[name]);
    assert_eq!(found, ["0.9", "1", "0", "ok"]);
    let samples = std::fs::read_to_string(run.join("samples/bad/sums.jsonl")).unwrap();
    let thought: Vec<&str> = samples.lines().filter(|line| line.contains("\"reasoning")).collect();
    assert_eq!(thought.len(), 1, "nothing is said of reasoning where there is none");
    let record: serde_json::Value = serde_json::from_str(thought[0]).unwrap();
    assert_eq!(
        (&record["reasoning_tokens"], &record["answers"][0]["generate"]["reasoning"]),
        (&1.into(), &"3 and 3 make 6".into())
    );
    let shown = build::examiner(directory.path()).args(["show", "run", "--unanswered"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("thought (1 tokens)\n    3 and 3 make 6\n"), "{shown}");
    assert!(shown.contains("unanswered (1 tokens, cut off before an answer)"), "{shown}");
}

/// The fixture's model does not say that it can.
#[test]
fn windows_are_asked_of_those_who_know_them_alone() {
    let directory = tempfile::tempdir().unwrap();
    let datasets = "  sums: { plugin: numbers, rows: 10, scorer: perplexity }\n";
    let output = run(directory.path(), &suite("  good: { plugin: adder }\n", datasets), &["--out", "run"]);
    assert_eq!(output.status.code(), Some(1));
    let row = whole(&directory.path().join("run"), "good", "sums", "word_perplexity");
    assert_eq!(&*row["status"], "failed");
    assert!(row["message"].contains("in windows that follow each other (`rolling`)"), "{row:?}");
}

#[test]
fn what_could_put_an_answer_in_the_wrong_place_fails_the_whole_row() {
    for (fault, said) in [
        ("twice", "answered request 3 twice"),
        ("stranger", "which it was never asked"),
        ("refused", "the key was refused"),
        ("panic-at-open", "not today"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (code, stderr) = faulty(directory.path(), fault);
        assert_eq!(code, Some(1), "{fault}");
        assert!(stderr.contains(said), "{fault}: {stderr}");
        let rows = summary(&directory.path().join("run"));
        let bad: Vec<_> = rows.iter().filter(|row| row["model"] == "bad").collect();
        assert!(!bad.is_empty() && bad.iter().all(|row| row["status"] == "failed"), "{fault}: {bad:?}");
        assert!(bad[0]["message"].contains(said), "{fault}: {bad:?}");
    }
}

#[test]
fn an_impossible_log_likelihood_is_an_error_never_a_win() {
    for (fault, said) in [
        ("nan", "expected a finite number, found NaN"),
        ("positive", "expected at most 0, found 20"),
        ("other-sum", "expected the sum of its tokens, -1, found -0.5"),
        ("token-lost", "expected a log-probability for each of 2 tokens, found 1"),
        ("no-token", "expected at least one token, found none"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let suite = suite(
            &format!("  bad: {{ plugin: adder, fault: {fault}, at: 3 }}\n"),
            "  sums: { plugin: numbers, rows: 10, scorer: { name: perplexity-choice, normalize: sum } }\n",
        );
        let output = run(directory.path(), &suite, &["--out", "run"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let row = whole(&directory.path().join("run"), "bad", "sums", "accuracy");
        assert_eq!((&*row["n_error"], &*row["n_scored"]), ("1", "9"), "{fault}: {row:?}");
        assert!(row["message"].contains(said) && row["message"].contains("\" 6\""), "{fault}: {row:?}");
    }
}

#[test]
fn a_dataset_that_breaks_off_fails_its_row_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  a: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 10, fails_after: 5 }\n");
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("row 5 cannot be read"), "{}", stderr(&output));
    assert!(summary(&directory.path().join("run")).iter().all(|row| row["status"] == "failed"));
}

#[test]
fn an_error_is_not_kept_and_is_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    faulty(directory.path(), "error");
    let suite = suite(
        "  bad: { plugin: adder, fault: none, at: 3, count: asked }\n  good: { plugin: adder, count: asked }\n",
        "  sums: { plugin: numbers, rows: 10 }\n",
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let asked = std::fs::read_to_string(directory.path().join("asked")).unwrap();
    assert_eq!(asked, "3\n", "only the sample in error is asked again");
}

/// Runs a model that reads only the end of questions `at` to `upto`, and returns how it ends, what it prints, and which
/// questions it was asked since the last call.
fn truncated(directory: &Path, (at, upto): (u64, u64), rows: u64, policy: &str) -> (Option<i32>, String, Vec<String>) {
    let model = format!("  a: {{ plugin: adder, fault: truncated, at: {at}, upto: {upto}, count: asked }}\n");
    let suite = suite(&model, &format!("  sums: {{ plugin: numbers, rows: {rows} }}\n")) + policy;
    let output = run(directory, &suite, &["--out", "run"]);
    let asked = std::fs::read_to_string(directory.join("asked")).unwrap_or_default();
    let _ = std::fs::remove_file(directory.join("asked"));
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    (output.status.code(), printed, asked.lines().map(str::to_owned).collect())
}

#[test]
fn samples_that_do_not_fit_are_reported_and_on_demand_errors() {
    let directory = tempfile::tempdir().unwrap();
    let (code, printed, asked) = truncated(directory.path(), (3, 5), 10, "");
    assert_eq!((code, asked.len()), (Some(0), 10), "{printed}");
    assert!(printed.contains("`a` on `sums`: 3 of 10 samples do not fit into the model's context"), "{printed}");
    let row = || whole(&directory.path().join("run"), "a", "sums", "accuracy");
    let found = || ["value", "n_truncated", "n_error", "status"].map(|name| row()[name].clone());
    assert_eq!(found(), ["1.0", "3", "0", "ok"]);

    let (code, printed, asked) = truncated(directory.path(), (3, 5), 10, "on_truncation: error\n");
    assert_eq!((code, asked.len()), (Some(1), 3), "only these are asked again: {printed}");
    assert!(printed.contains("has 12 tokens, of which the model could read only the last 3"), "{printed}");
    assert_eq!(found(), ["1.0", "0", "3", "partial"]);
}

#[test]
fn a_pair_of_which_nothing_fits_fails_after_its_first_batch() {
    let directory = tempfile::tempdir().unwrap();
    let run = |policy| truncated(directory.path(), (0, 9999), 5000, policy);
    let (code, printed, asked) = run("");
    assert_eq!((code, asked.len()), (Some(1), 2048), "{printed}");
    assert!(printed.contains("none of 2048 questions fits into the model's context"), "{printed}");
    assert!(printed.contains("has 12 tokens, of which the model read the last 3"), "{printed}");
    let row = || whole(&directory.path().join("run"), "a", "sums", "accuracy");
    assert_eq!(row()["status"], "failed");

    let (code, printed, asked) = run("on_truncation: allow\n");
    assert_eq!((code, asked.len()), (Some(0), 5000 - 2048), "what was answered is kept: {printed}");
    assert_eq!((&*row()["n_truncated"], &*row()["status"]), ("5000", "ok"));

    let (code, printed, asked) = run("");
    assert_eq!((code, asked.len()), (Some(1), 0), "the same from the journal alone: {printed}");
    assert!(printed.contains("none of 5000 questions fits"), "{printed}");
}

/// A model that has no answer from question 3 on, under `fail_on_error`: how it ends, the rows' status, and how many
/// questions it was asked.
fn limited(fail_on_error: &str, rows: u64) -> (String, String, usize) {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  bad: { plugin: adder, fault: errors, at: 3, sleep_ms: 2, count: asked }\n",
        &format!("  sums: {{ plugin: numbers, rows: {rows} }}\n"),
    ) + &format!("fail_on_error: {fail_on_error}\n");
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let row = whole(&directory.path().join("run"), "bad", "sums", "accuracy");
    let asked = std::fs::read_to_string(directory.path().join("asked")).unwrap().lines().count();
    let range_is_told = !row["value_low"].is_empty();
    // A range says what all that is missing could change, which nobody knows of what was not asked.
    assert_eq!(range_is_told, row["n"] == rows.to_string(), "{row:?}");
    (stderr(&output), row["status"].clone(), asked)
}

#[test]
fn a_pair_with_too_many_errors_is_not_asked_to_the_end() {
    for fail_on_error in ["true", "5", "0.01"] {
        let (said, status, asked) = limited(fail_on_error, 1500);
        assert_eq!(status, "failed", "{fail_on_error}: {said}");
        assert!(
            said.contains(&format!("than `fail_on_error: {fail_on_error}` allows, the first: sample `3`")),
            "{said}"
        );
        assert!(asked < 1500, "{fail_on_error}: all of {asked} were asked");
    }
}

#[test]
fn as_many_errors_as_are_allowed_end_nothing() {
    for (fail_on_error, expected) in [("false", "partial"), ("7", "partial"), ("0.7", "partial"), ("0.69", "failed")] {
        let (said, status, asked) = limited(fail_on_error, 10);
        assert_eq!((status.as_str(), asked), (expected, 10), "{fail_on_error}: {said}");
        assert!(said.contains("7 of 10 samples are errors"), "{fail_on_error}: {said}");
    }
}
