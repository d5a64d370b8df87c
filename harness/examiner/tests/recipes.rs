//! A recipe through the program: what it leaves, and that nobody is asked twice.

use crate::build;
use crate::run::{run, stderr};
use std::path::Path;

/// Four questions of GSM8K's kind, and a recording that is wrong about the second.
fn prepare(folder: &Path) {
    let row = |(question, answer): (&str, u64)| {
        format!(
            "{}\n",
            serde_json::json!({ "question": question, "answer": format!("It is {answer}.\n#### {answer}") })
        )
    };
    let rows = [("2 and 3?", 5), ("4 and 4?", 8), ("10 and 1?", 11), ("7 and 0?", 7)].map(row);
    std::fs::write(folder.join("train.jsonl"), rows.concat()).unwrap();
    let recorded = |(index, answer): (u64, u64)| {
        let text = format!("I add them.\nThe answer is {answer}.");
        format!("{}\n", serde_json::json!({ "index": index, "completion": text }))
    };
    std::fs::write(folder.join("answers.jsonl"), [(0, 5), (1, 9), (2, 11), (3, 7)].map(recorded).concat()).unwrap();
}

fn suite(teacher: &str, options: &str) -> String {
    format!(
        "name: t\nmodels: {{ teacher: {{ {teacher} }} }}\nteach: {{ sums: {{ recipe: gsm8k, teacher: teacher, path: train.jsonl, \
         {options} }} }}\n"
    )
}

const REPLAY: &str = "plugin: replay, path: answers.jsonl, key: [index]";

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn right_answers_become_rows_and_are_kept_beyond_their_run() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let data = |ending: &str| folder.path().join(format!("data/F_gsm8k_1shot_1aug.{ending}"));
    let output = run(folder.path(), &suite(REPLAY, "shots: 1"), &["--out", "one"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let ids = |text: &str| -> Vec<String> {
        let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.map(|row| row["sample"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&read(&data("jsonl"))), ["train-0", "train-2", "train-3"]);
    assert_eq!(ids(&read(&data("unsolved.jsonl"))), ["train-1"]);
    let counts = "task,questions,asked,answered,right,kept,unsolved\ngsm8k,4,4,4,3,3,1\ntotal,4,4,4,3,3,1\n";
    assert_eq!(read(&data("yield.csv")), counts);
    let plot = build::examiner(folder.path()).args(["plot", "one", "--out", "f.svg"]).output().unwrap();
    assert!(plot.status.success(), "{}", stderr(&plot));
    assert!(read(&folder.path().join("f-yield.svg")).contains(">3 of 4 kept, 75 %</text>"));

    // Another run, another choice: no answer is asked for again, and the first rows are moved aside.
    let answers = read(&data("answers.jsonl"));
    assert_eq!(answers.lines().count(), 1 + 4);
    let output = run(folder.path(), &suite(REPLAY, "shots: 1, keep: all"), &["--out", "two"]);
    assert!(output.status.success() && stderr(&output).contains("it is now `"), "{}", stderr(&output));
    assert_eq!((ids(&read(&data("jsonl"))).len(), read(&data("answers.jsonl"))), (4, answers.clone()));
    // The same again: nothing changes.
    let modified = || std::fs::metadata(data("jsonl")).unwrap().modified().unwrap();
    let before = modified();
    assert!(run(folder.path(), &suite(REPLAY, "shots: 1, keep: all"), &["--out", "three"]).status.success());
    assert_eq!((modified(), read(&data("answers.jsonl"))), (before, answers));
}

#[test]
fn a_damaged_answer_is_reported_and_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let data = |ending: &str| folder.path().join(format!("data/F_gsm8k_1shot_1aug.{ending}"));
    assert!(run(folder.path(), &suite(REPLAY, "shots: 1"), &["--out", "one"]).status.success());
    let (rows, answers) = (read(&data("jsonl")), read(&data("answers.jsonl")));
    std::fs::remove_file(data("jsonl")).unwrap();
    std::fs::write(data("answers.jsonl"), answers.replacen("answer is 11", "answer is 12", 1)).unwrap();
    let output = run(folder.path(), &suite(REPLAY, "shots: 1"), &["--out", "two"]);
    assert!(output.status.success() && stderr(&output).contains("line 4 of"), "{}", stderr(&output));
    assert_eq!(read(&data("jsonl")), rows);
    assert_eq!(
        read(&data("answers.jsonl")).lines().count(),
        1 + 5,
        "the damaged line stays, its answer stands once more"
    );
}

#[test]
fn a_plan_says_that_a_finished_recipe_is_current_and_what_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    // The prompt begins with what ends an answer.
    let echo = suite("plugin: echo", "shots: 0, keep: all, stop: []");
    assert!(run(folder.path(), &echo, &["--out", "run"]).status.success());
    let plan = || {
        let output = build::examiner(folder.path()).args(["plan", "suite.yaml", "--out", "run"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
    };
    assert!(plan().starts_with("teach/sums  reuse"), "{}", plan());
    let path = folder.path().join("train.jsonl");
    std::fs::write(&path, read(&path).replace("7 and 0?", "0 and 7?")).unwrap();
    assert!(plan().contains("changed: recipe fingerprint"), "{}", plan());
}
