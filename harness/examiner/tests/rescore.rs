//! What a run's models answered, judged once more.

use crate::build;
use crate::resume::{results, started};
use crate::run::{run, stderr, suite, whole};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Scores `run` again: exit status, stdout, stderr.
fn score(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = build::examiner(directory).args(["score", "run"]).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
}

/// Every file beneath a directory, but for scores.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("scores") => {}
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    found
}

fn samples(run: &Path, place: &str) -> Vec<u8> {
    std::fs::read(run.join("samples").join(place)).unwrap()
}

/// Everything that can be in a run: two scorers with different requests, repetitions, parts, a wrong answer, one that says
/// nothing, and one that is missing.
fn mixed() -> String {
    suite(
        "  wrong: { plugin: adder, fault: wrong, at: 3 }\n  silent: { plugin: adder, fault: silent, at: 2 }\n  error: { \
         plugin: adder, fault: error, at: 5 }\n  nan: { plugin: adder, fault: nan, at: 1 }\n",
        "  sums:\n    plugin: numbers\n    rows: 9\n    repeats: 2\n    shots: 2\n    shots_from: random\n    scorer:\n      - { \
         name: perplexity-choice, normalize: [sum, chars] }\n      - answer-extraction\n",
    )
}

#[test]
fn the_same_suite_gives_the_same_scores_to_the_byte() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(directory.path(), &mixed(), &["--out", "run", "--limit", "8"]);
    assert_eq!(ran.status.code(), Some(1), "{}", stderr(&ran));
    let run = directory.path().join("run");
    let before = files(&run);
    for name in ["one", "two"] {
        let (code, _, said) = score(directory.path(), &["--name", name]);
        assert_eq!(code, Some(1), "the errors are still there: {said}");
        assert!(said.contains("2 of 16 samples are errors") && said.contains("this question is too hard"), "{said}");
        let scores = run.join("scores").join(name);
        assert_eq!(results(&scores), results(&run), "{name}");
        for model in ["wrong", "silent", "error", "nan"] {
            let place = format!("{model}/sums.jsonl");
            assert!(samples(&scores, &place) == samples(&run, &place), "{name}: {place}");
        }
    }
    assert!(files(&run) == before, "the run itself has changed");
}

#[test]
fn other_rules_give_other_scores_beside_the_old_ones_and_a_directory_like_a_runs() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  wrong: { plugin: adder, fault: wrong, at: 3, count: asked }\n  right: { plugin: adder, count: asked }\n",
        "  sums: { plugin: numbers, rows: 10 }\n",
    ) + "report: { baseline: wrong }\n";
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    std::fs::remove_file(directory.path().join("asked")).unwrap();

    // "3 and 3 make 6": the first number is right only for 0. The model that is wrong at 3 says a bare "7".
    let first =
        "datasets.sums.scorer={ name: answer-extraction, label: first, extract: [{ regex: { pattern: '[0-9]+' } }] }";
    let (code, table, said) = score(directory.path(), &["--set", first, "--name", "first"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!directory.path().join("asked").exists(), "a model was asked");
    let scores = directory.path().join("run/scores/first");
    let row = whole(&scores, "right", "sums", "accuracy");
    let found = ["value", "n", "scorer", "run", "status"].map(|column| &*row[column]);
    assert_eq!(found, ["0.1", "10", "first", "run/scores/first", "ok"]);
    let line = table.lines().find(|line| line.starts_with("| sums ")).unwrap();
    assert!(line.contains("0.100 [0.018, 0.404] (was 0.900)") && line.contains("(was 1.000)"), "{table}");
    assert!(table.contains("wins/losses/ties"), "the comparison that the suite asks for is missing: {table}");
    let third: serde_json::Value =
        serde_json::from_slice(samples(&scores, "right/sums.jsonl").split(|byte| *byte == b'\n').nth(3).unwrap())
            .unwrap();
    assert_eq!((&third["verdicts"][0]["extracted"], &third["context"]), (&"3".into(), &"3 + 3 =".into()));

    for arguments in [
        ["report", "run/scores/first", "--csv"].as_slice(),
        &["compare", "run/scores/first", "--baseline", "wrong"],
        &["plot", "run/scores/first", "--out", "figs/first.svg"],
    ] {
        let output = build::examiner(directory.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    let (code, _, said) = score(directory.path(), &["--name", "first"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("there is a `run/scores/first` already"), "{said}");
    let output = build::examiner(directory.path()).args(["score", "run/scores/first"]).output().unwrap();
    assert!(stderr(&output).contains("holds scores, and no answers"), "{}", stderr(&output));
}

#[test]
fn scorers_come_from_the_command_line_or_an_edited_suite() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  a: { plugin: adder, fault: wrong, at: 3 }\n  b: { plugin: adder }\n",
        "  sums: { plugin: numbers, rows: 4 }\n  more: { plugin: numbers, rows: 6, scorer: { name: perplexity-choice } }\n",
    );
    let arguments = ["--out", "run", "--set", "datasets.sums.rows=5"];
    assert!(run(directory.path(), &suite, &arguments).status.success());
    let last = "{ name: answer-extraction, label: last, extract: last-number }";
    let arguments = ["--scorer", last, "--scorer", "answer-extraction", "--only", "evaluate/a/sums", "--name", "typed"];
    let (code, table, said) = score(directory.path(), &arguments);
    assert_eq!(code, Some(0), "{said}");
    assert!(table.contains("last: accuracy") && table.contains("answer-extraction: accuracy"), "{table}");
    let scores = directory.path().join("run/scores/typed");
    assert!(!scores.join("samples/b").exists() && !scores.join("samples/a/more.jsonl").exists());

    // The change that the run was made with holds for the edited suite, too: five questions, not four.
    std::fs::write(directory.path().join("edited.yaml"), suite.replace("rows: 4", &format!("rows: 4, scorer: {last}")))
        .unwrap();
    let (code, _, said) = score(directory.path(), &["--suite", "edited.yaml", "--name", "edited"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("--set datasets.sums.rows=5"), "{said}");
    let row = whole(&directory.path().join("run/scores/edited"), "a", "sums", "accuracy");
    assert_eq!((&*row["scorer"], &*row["n"], &*row["value"]), ("last", "5", "0.8"));

    for (arguments, expected) in [
        (["--scorer", "answer-extractoin"], "evaluate.0.scorer.0.name: there is no scorer named `answer-extractoin`"),
        (["--scorer", "{ name: answer-extraction, extrct: x }"], "did you mean `extract`?"),
        (["--only", "nothing"], "no examination is left to judge"),
        (["--name", "../up"], "expected a plain `--name`"),
        (["--suite", "nowhere.yaml"], "cannot read `nowhere.yaml`"),
    ] {
        let (code, _, said) = score(directory.path(), &arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn what_the_model_was_never_asked_is_refused_and_the_rest_is_judged() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  a: { plugin: adder }\n",
        "  free: { plugin: numbers, rows: 4 }\n  choice: { plugin: numbers, rows: 4, scorer: { name: perplexity-choice, normalize: \
         sum } }\n",
    );
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    let cases = [
        (
            ["--scorer", "{ name: perplexity-choice, normalize: sum }"],
            "free",
            "choice",
            "scorer `perplexity-choice` asks for log-likelihoods, and the model was asked for none",
        ),
        (
            ["--scorer", "answer-extraction"],
            "choice",
            "free",
            "asks for generated answers, and the model was asked for none",
        ),
        (
            ["--set", "datasets.free.shots=2"],
            "free",
            "choice",
            "asks for answers to other prompts than the model was given",
        ),
        (["--set", "datasets.free.generation.max_new_tokens=7"], "free", "choice", "or generated in another way"),
        (
            ["--set", "datasets.choice.scorer.normalize=mutual-information"],
            "choice",
            "free",
            "asks for the log-likelihoods of other texts than the model was asked for",
        ),
        (["--set", "seed=8"], "free", "choice", "asks for answers to other prompts"),
    ];
    for (place, (arguments, refused, judged, expected)) in cases.into_iter().enumerate() {
        let name = place.to_string();
        let (code, table, said) = score(directory.path(), &[arguments[0], arguments[1], "--name", &name]);
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains(&format!("failed: evaluate/a/{refused}: ")) && said.contains(expected),
            "{arguments:?}: {said}"
        );
        assert!(said.contains("`examiner run` the suite with this scorer"), "{said}");
        assert!(table.contains(" failed |"), "{table}");
        let row = whole(&directory.path().join("run/scores").join(name), "a", judged, "accuracy");
        assert_eq!((&*row["value"], &*row["status"]), ("1.0", "ok"), "{arguments:?}");
    }
}

/// A run on a file of rows, with a model from a library that can be taken away.
fn on_a_file(directory: &Path) -> String {
    let library = directory.join("libfixture.so");
    std::fs::copy(build::fixture("fixture"), &library).unwrap();
    let rows: String = (0..6).map(|n| format!("{{\"n\":{n},\"gold\":\"{}\",\"other\":\"{n}\"}}\n", 2 * n)).collect();
    std::fs::write(directory.join("rows.jsonl"), rows).unwrap();
    let suite = format!(
        "name: t\nseed: 7\nplugins: {{ fixture: {{ path: {} }} }}\nmodels:\n  a: {{ plugin: adder, checkpoint: weights }}\n\
         datasets:\n  sums: {{ plugin: table, path: rows.jsonl, id: n, metadata: [n], prompt: \"{{{{ n }}}} + {{{{ n }}}} =\", \
         gold: gold, scorer: answer-extraction }}\nevaluate:\n  - {{ models: all, datasets: all }}\n",
        library.display()
    );
    let output = run(directory, &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    suite
}

#[test]
fn the_model_may_be_gone() {
    let directory = tempfile::tempdir().unwrap();
    on_a_file(directory.path());
    std::fs::remove_file(directory.path().join("libfixture.so")).unwrap();
    let again = build::examiner(directory.path()).args(["run", "suite.yaml"]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "the model is not gone");
    let (code, _, said) = score(directory.path(), &["--name", "same"]);
    assert_eq!(code, Some(0), "{said}");
    let run = directory.path().join("run");
    assert_eq!(results(&run.join("scores/same")), results(&run));
    // The same answers, held against another column: only 0 + 0 is 0.
    let (code, _, said) = score(directory.path(), &["--set", "datasets.sums.gold=other", "--name", "other"]);
    assert_eq!(code, Some(0), "{said}");
    let value = whole(&run.join("scores/other"), "a", "sums", "accuracy")["value"].parse::<f64>().unwrap();
    assert!((value - 1.0 / 6.0).abs() < 1e-12, "{value}");
}

#[test]
fn the_dataset_may_have_moved_but_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    on_a_file(directory.path());
    let run = directory.path().join("run");
    std::fs::rename(directory.path().join("rows.jsonl"), directory.path().join("moved.jsonl")).unwrap();
    let (code, _, said) = score(directory.path(), &["--name", "gone"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot tell what the model was asked: `rows.jsonl` does not exist"), "{said}");
    let (code, _, said) = score(directory.path(), &["--name", "moved", "--set", "datasets.sums.path=moved.jsonl"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(results(&run.join("scores/moved")), results(&run));
    assert!(samples(&run.join("scores/moved"), "a/sums.jsonl") == samples(&run, "a/sums.jsonl"));
}

#[test]
fn a_sample_that_is_not_what_was_asked_is_an_error_and_never_judged() {
    let directory = tempfile::tempdir().unwrap();
    on_a_file(directory.path());
    let run = directory.path().join("run");
    let rows = std::fs::read_to_string(directory.path().join("rows.jsonl")).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    // Line 1 has another right answer, line 2 another question; a new row stands where the fourth stood, which moved.
    let changed = [
        lines[0],
        &lines[1].replace("\"gold\":\"2\"", "\"gold\":\"3\""),
        &lines[2].replace("\"n\":2", "\"n\":22"),
        "{\"n\":9,\"gold\":\"18\"}",
        lines[5],
        lines[4],
        lines[3],
        "{\"n\":10,\"gold\":\"20\"}",
    ];
    std::fs::write(directory.path().join("rows.jsonl"), changed.join("\n")).unwrap();
    let (code, _, said) = score(directory.path(), &["--name", "changed"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the run has no answers to 1 of 8 questions"), "{said}");
    let row = whole(&run.join("scores/changed"), "a", "sums", "accuracy");
    let found = ["value", "n", "n_scored", "n_error", "status", "value_low"].map(|column| &*row[column]);
    assert_eq!(found, ["1.0", "7", "4", "3", "partial", ""], "{row:?}");
    let text = String::from_utf8(samples(&run.join("scores/changed"), "a/sums.jsonl")).unwrap();
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = |place: usize| records[place]["verdicts"][0]["outcome"]["error"]["message"].as_str().unwrap_or("");
    assert!(
        message(1).contains("sample `1` is not what the model was asked: its right answer has changed"),
        "{}",
        message(1)
    );
    assert!(message(2).contains("another sample stood in its place"), "{}", message(2));
    assert!(message(3).contains("another sample stood in its place"), "{}", message(3));
    assert_eq!(records.iter().filter(|record| record["verdicts"][0]["outcome"] == "scored").count(), 4);
}

#[test]
fn a_run_that_was_killed_is_judged_as_far_as_it_came() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  a: { plugin: adder, sleep_ms: 5, count: asked }\n  b: { plugin: adder }\n",
        "  sums: { plugin: numbers, rows: 400 }\n",
    );
    let mut child = started(directory.path(), &suite, &["--out", "run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, table, said) = score(directory.path(), &["--name", "partly"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("failed: evaluate/b/sums: the run has no answers to judge"), "{said}");
    let row = whole(&directory.path().join("run/scores/partly"), "a", "sums", "accuracy");
    let n: u64 = row["n"].parse().unwrap();
    assert!((1..400).contains(&n), "{row:?}");
    assert_eq!((&*row["value"], &*row["status"], &*row["value_low"]), ("1.0", "partial", ""), "{row:?}");
    assert!(said.contains(&format!("the run has no answers to {} of 400 questions", 400 - n)), "{said}");
    assert!(table.contains(" failed |"), "{table}");
}

#[test]
fn a_damaged_record_is_told_and_not_judged() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  a: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 20 }\n");
    assert!(run(directory.path(), &suite, &["--out", "run"]).status.success());
    let journal = directory.path().join("run/journal/a/sums.jsonl");
    let mut bytes = std::fs::read(&journal).unwrap();
    let line = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(4).unwrap().0;
    bytes[line + 60] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let (code, _, said) = score(directory.path(), &["--name", "damaged"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("line 6 of") && said.contains("no answers to 1 of 20 questions"), "{said}");
    assert_eq!(std::fs::read(&journal).unwrap(), bytes, "the journal is only read");
    assert_eq!(whole(&directory.path().join("run/scores/damaged"), "a", "sums", "accuracy")["n"], "19");
}
