//! Suites from YAML to CSV, through the program.

use crate::build;
use examiner_test_support::checkpoint::TinyGpt2;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

/// Runs the program on a suite and returns what it printed.
pub(crate) fn run(directory: &Path, suite: &str, arguments: &[&str]) -> Output {
    std::fs::write(directory.join("suite.yaml"), suite).unwrap();
    build::examiner(directory).args(["run", "suite.yaml"]).args(arguments).output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The rows of `summary.csv`, by column.
pub(crate) fn summary(run: &Path) -> Vec<BTreeMap<String, String>> {
    let mut rows = csv::Reader::from_path(run.join("summary.csv")).unwrap();
    rows.deserialize().map(Result::unwrap).collect()
}

/// The row of the whole dataset.
pub(crate) fn whole(run: &Path, model: &str, dataset: &str, metric: &str) -> BTreeMap<String, String> {
    let rows = summary(run).into_iter();
    let mut rows = rows.filter(|row| {
        row["model"] == model
            && row["dataset"] == dataset
            && row["metric"] == metric
            && !["even", "odd"].contains(&&*row["subset"])
    });
    rows.next().unwrap_or_else(|| panic!("no row for {model} x {dataset} x {metric}"))
}

pub(crate) fn suite(models: &str, datasets: &str) -> String {
    format!(
        "name: t\nseed: 7\n{}models:\n{models}datasets:\n{datasets}evaluate:\n  - {{ models: all, datasets: all }}\n",
        build::fixture_pin()
    )
}

#[test]
fn a_suite_becomes_a_table() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  right: { plugin: adder }\n  wrong: { plugin: adder, fault: wrong, at: 3 }\n",
        "  sums: { plugin: numbers, rows: 10 }\n",
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let run = directory.path().join("run");
    let right = whole(&run, "right", "sums", "accuracy");
    assert_eq!((&*right["value"], &*right["n"], &*right["status"]), ("1.0", "10", "ok"), "{right:?}");
    let wrong = whole(&run, "wrong", "sums", "accuracy");
    assert_eq!(wrong["value"], "0.9", "{wrong:?}");
    let subset = |name: &str| {
        let rows = summary(&run).into_iter();
        rows.filter(|row| row["model"] == "wrong" && row["subset"] == name)
            .map(|row| row["value"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((subset("even"), subset("odd")), (vec!["1.0".to_owned()], vec!["0.8".to_owned()]));

    let samples = std::fs::read_to_string(run.join("samples/wrong/sums.jsonl")).unwrap();
    let third: serde_json::Value = serde_json::from_str(samples.lines().nth(3).unwrap()).unwrap();
    assert_eq!(third["context"], "3 + 3 =");
    assert_eq!(third["verdicts"][0]["extracted"], "7");
    let provenance: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(provenance["status"], "complete");
    assert_eq!(provenance["models"]["right"]["fingerprint"], "adder 0");
    assert_eq!(std::fs::read_to_string(run.join("suite.yaml")).unwrap(), suite);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("right") && table.contains("wrong") && table.contains("sums"), "{table}");
}

#[test]
fn shots_limit_only_and_set_do_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  a: { plugin: adder }\n  b: { plugin: adder }\n",
        "  sums: { plugin: numbers, rows: 10, shots: 2, shots_from: first }\n",
    );
    let arguments = ["--out", "run", "--limit", "3", "--only", "evaluate/b", "--set", "datasets.sums.shots=1"];
    let output = run(directory.path(), &suite, &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let run = directory.path().join("run");
    assert!(!run.join("samples/a").exists());
    let samples = std::fs::read_to_string(run.join("samples/b/sums.jsonl")).unwrap();
    assert_eq!(samples.lines().count(), 3);
    let last: serde_json::Value = serde_json::from_str(samples.lines().last().unwrap()).unwrap();
    assert_eq!(last["context"], "0 + 0 = 0\n\n2 + 2 =");
}

#[test]
fn choices_are_scored_by_log_likelihood_with_several_scorers_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  a: { plugin: adder }\n",
        "  sums:\n    plugin: numbers\n    rows: 4\n    scorer:\n      - { name: perplexity-choice, normalize: sum }\n      - { name: answer-extraction, label: loose }\n",
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let scorers: Vec<String> = summary(&directory.path().join("run")).iter().map(|row| row["scorer"].clone()).collect();
    assert!(scorers.contains(&"perplexity-choice".to_owned()) && scorers.contains(&"loose".to_owned()), "{scorers:?}");
    assert!(summary(&directory.path().join("run")).iter().all(|row| row["value"] == "1.0"));
}

#[test]
fn runs_stand_in_outputs_and_latest_points_to_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  a: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 2 }\n");
    for _ in 0..2 {
        assert!(run(directory.path(), &suite, &[]).status.success());
    }
    let runs = std::fs::read_dir(directory.path().join("outputs")).unwrap();
    let names: Vec<String> = runs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let report = build::examiner(directory.path()).arg("report").output().unwrap();
    assert!(String::from_utf8_lossy(&report.stdout).contains("sums"), "{}", stderr(&report));
    let wide = build::examiner(directory.path()).args(["report", "--wide"]).output().unwrap();
    assert!(String::from_utf8_lossy(&wide.stdout).starts_with("dataset,version,metric,mode,a\n"));
}

#[test]
fn teach_train_and_export_hand_on_what_they_make() {
    let directory = tempfile::tempdir().unwrap();
    let suite = format!(
        "name: t\nseed: 7\n{}models:\n  teacher: {{ plugin: adder }}\n  start: {{ plugin: adder, checkpoint: suite.yaml }}\n  \
         student: {{ plugin: adder, checkpoint: \"${{train.student}}\" }}\n  exported: {{ plugin: adder, checkpoint: \
         \"${{export.student}}\" }}\nteach:\n  sums: {{ recipe: sums, teacher: teacher }}\ntrain:\n  student: {{ trainer: \
         learner, from: start, data: \"${{teach.sums}}\" }}\n  vanilla: {{ trainer: learner, data: {{ dataset: sums, as: \
         answers }} }}\nexport:\n  student: {{ exporter: copier, from: \"${{train.student}}\" }}\ndatasets:\n  sums: {{ \
         plugin: numbers, rows: 3 }}\nevaluate:\n  - {{ models: [student, exported], datasets: [sums] }}\n",
        build::fixture_pin()
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let read = |path: &str| std::fs::read_to_string(directory.path().join(path)).unwrap();
    assert_eq!(read("run/train/student/checkpoint"), "from Some(\"suite.yaml\"), 10 rows, seed 7");
    assert_eq!(read("run/train/vanilla/checkpoint"), "from None, 3 rows, seed 7");
    assert_eq!(read("run/export/student/exported"), read("run/train/student/checkpoint"));
    let first = "{\"id\":\"0\",\"prompt\":\"0 + 0 =\",\"completion\":\" 0\",\"sample\":\"0\",\"task\":\"even\"}\n";
    assert!(read("run/train/vanilla/rows.jsonl").starts_with(first), "{}", read("run/train/vanilla/rows.jsonl"));
    // Nothing is made twice.
    let made = std::fs::metadata(directory.path().join("run/train/student/checkpoint")).unwrap().modified().unwrap();
    assert!(self::run(directory.path(), &suite, &["--out", "run"]).status.success());
    let again = std::fs::metadata(directory.path().join("run/train/student/checkpoint")).unwrap().modified().unwrap();
    assert_eq!(made, again);
}

#[test]
fn check_and_plan_tell_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let good = suite("  a: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 100 }\n");
    std::fs::write(directory.path().join("suite.yaml"), &good).unwrap();
    let plan = |arguments: &[&str]| {
        let output = build::examiner(directory.path()).args(["plan", "suite.yaml"]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = plan(&[]);
    assert!(text.contains("evaluate/a/sums  run") && text.contains("100") && text.contains("points"), "{text}");
    assert!(!directory.path().join("outputs").exists());
    assert!(run(directory.path(), &good, &["--limit", "10"]).status.success());
    assert!(plan(&["--limit", "10"]).contains("reuse"), "{}", plan(&["--limit", "10"]));
    let changed = plan(&["--limit", "10", "--set", "models.a.version=2"]);
    assert!(changed.contains("changed: model"), "{changed}");

    let bad = good.replace("rows: 100", "rows: many, colour: red").replace("plugin: adder", "plugin: addr");
    std::fs::write(directory.path().join("suite.yaml"), bad).unwrap();
    let output = build::examiner(directory.path()).args(["check", "suite.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for part in ["suite.yaml:", "datasets.sums.rows", "datasets.sums.colour", "did you mean `adder`?"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_pair_with_two_sets_of_scorers_is_refused_instead_of_losing_one() {
    let directory = tempfile::tempdir().unwrap();
    let twice = suite("  a: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 2 }\n")
        + "  - { models: [a], datasets: [sums], scorer: perplexity-choice }\n";
    let output = run(directory.path(), &twice, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("`a` is examined on `sums` twice"), "{}", stderr(&output));
}

#[test]
fn plugins_are_listed_with_their_roles_and_schemas() {
    let directory = tempfile::tempdir().unwrap();
    let output = build::examiner(directory.path()).arg("plugins").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["model `echo`", "dataset `table`", "scorer `answer-extraction`", "sha256"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let output = build::examiner(directory.path()).args(["plugins", "--schema", "echo"]).output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["model"]["properties"]["prefix"]["type"], "string");
}

#[test]
fn a_suite_may_come_from_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let text = suite("  m: { plugin: adder }\n", "  sums: { plugin: numbers, rows: 3 }\n");
    let mut command = build::examiner(directory.path());
    command.args(["run", "-", "--out", "run"]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(whole(&directory.path().join("run"), "m", "sums", "accuracy")["value"], "1.0");
}

#[cfg(target_os = "linux")]
#[test]
fn the_repetitions_of_one_sample_are_not_all_held_at_once() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rows.jsonl"), "{\"q\": \"1 + 1 =\", \"a\": \"2\"}\n").unwrap();
    let suite = "name: t\nmodels: { m: { plugin: echo } }\ndatasets:\n  d: { plugin: table, path: rows.jsonl, prompt: '{{ q }}', gold: a, repeats: 100000 }\nevaluate: [{ models: m, datasets: d }]\n";
    std::fs::write(directory.path().join("suite.yaml"), suite).unwrap();
    let mut command = build::examiner(directory.path());
    command.args(["run", "suite.yaml", "--out", "run"]);
    let (mib, _) = crate::measured::usage(&command, &directory.path().join("said"));
    let row = whole(&directory.path().join("run"), "m", "d", "accuracy");
    assert_eq!((&*row["n"], &*row["n_error"]), ("100000", "0"), "{row:?}");
    // All of them together were 350 MB.
    assert!(mib < 200, "{mib} MiB");
}

/// Of another dataset, which begins alike, a part had been computed for the first; running again changes nothing.
#[test]
fn what_a_local_model_computed_is_in_the_provenance() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoint = TinyGpt2::new(serde_json::json!({})).write();
    std::fs::write(directory.path().join("rows.jsonl"), "{\"q\": \"a\", \"a\": \"one\"}\n").unwrap();
    let beginning = "one two three ".repeat(3);
    let table = format!("plugin: table, path: rows.jsonl, prompt: '{beginning}{{{{ q }}}}', gold: a");
    let choices = "choices: [one, two], scorer: { name: perplexity-choice, normalize: sum }";
    let suite = format!(
        "name: t\nmodels:\n  m: {{ plugin: candle, checkpoint: '{}', device: cpu }}\ndatasets:\n  first: {{ {table}, {choices} }}\n  \
         second: {{ {table}, max_new_tokens: 2 }}\nevaluate: [{{ models: all, datasets: all }}]\n",
        checkpoint.path().display()
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let provenance = || std::fs::read_to_string(directory.path().join("run/run.json")).unwrap();
    let written = provenance();
    let stages: serde_json::Value = serde_json::from_str::<serde_json::Value>(&written).unwrap()["stages"].take();
    let count = |dataset: &str, what: &str, count: &str| {
        let tokens = &stages[format!("evaluate/m/{dataset}")]["details"]["tokens"];
        tokens[what][count].as_u64().unwrap_or_else(|| panic!("no {what} {count} of {dataset}: {stages}"))
    };
    assert!(count("first", "scoring", "asked") > count("first", "scoring", "computed"));
    assert_eq!(count("first", "scoring", "kept_from_earlier_batches"), 0);
    assert!(count("second", "generating", "kept_from_earlier_batches") >= 16);
    let again = run(directory.path(), &suite, &["--out", "run"]);
    assert!(again.status.success() && provenance() == written, "{}", stderr(&again));
}
