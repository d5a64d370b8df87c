//! Where the paths of a suite begin.

use crate::build;
use crate::run::{stderr, whole};
use std::path::Path;
use std::process::Output;

const SUITE: &str = "name: s
vars: { data: ../data }
models:
  m: { plugin: replay, path: ../data/answers.jsonl, key: [index] }
datasets:
  d: { plugin: table, path: \"${vars.data}/rows.jsonl\", prompt: \"{{ q }}\", gold: a }
evaluate: [{ models: m, datasets: d }]
";

/// A directory with questions, `right` of three of which the recorded answers know, and a suite in `configs`.
fn world(suite: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("configs")).unwrap();
    std::fs::write(directory.path().join("configs/s.yaml"), suite).unwrap();
    data(&directory.path().join("data"), 2);
    directory
}

fn data(directory: &Path, right: usize) {
    std::fs::create_dir_all(directory).unwrap();
    let rows: String = (0..3).map(|row| format!("{{\"q\": \"{row}+1?\", \"a\": \"{}\"}}\n", row + 1)).collect();
    std::fs::write(directory.join("rows.jsonl"), rows).unwrap();
    let answer = |row| if row < right { row + 1 } else { 99 };
    let answers = |row| format!("{{\"index\": {row}, \"completion\": \"{}\"}}\n", answer(row));
    std::fs::write(directory.join("answers.jsonl"), (0..3).map(answers).collect::<String>()).unwrap();
}

fn run(from: &Path, arguments: &[&str]) -> Output {
    build::examiner(from).arg("run").args(arguments).output().unwrap()
}

/// How many questions have an answer, and the share of right ones.
fn accuracy(output: &Output, run: &Path) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    let row = whole(run, "m", "d", "accuracy");
    row["n_scored"].clone() + " " + &row["value"].chars().take(4).collect::<String>()
}

#[test]
fn a_suite_means_the_same_from_any_directory() {
    let world = world(SUITE);
    let (root, configs) = (world.path(), world.path().join("configs"));
    std::fs::create_dir(root.join("elsewhere")).unwrap();
    let elsewhere = root.join("elsewhere");
    let absolute = configs.join("s.yaml").display().to_string();
    for (from, suite) in
        [(root, "configs/s.yaml"), (&configs, "s.yaml"), (&elsewhere, "../configs/s.yaml"), (&elsewhere, &absolute)]
    {
        let output = run(from, &[suite, "--out", "out"]);
        assert_eq!(accuracy(&output, &from.join("out")), "3 0.66", "{suite}");
        assert!(!stderr(&output).contains("deprecated"), "{}", stderr(&output));
    }
    // The answers of the run are judged once more from anywhere, too.
    let mut score = build::examiner(&configs);
    let output = score.args(["score", "../out", "--name", "again"]).output().unwrap();
    assert_eq!(accuracy(&output, &root.join("out/scores/again")), "3 0.66");
}

#[test]
fn what_is_typed_begins_where_it_is_typed() {
    let world = world(SUITE);
    let output = run(world.path(), &["configs/s.yaml", "--set", "data=data", "--out", "out"]);
    assert_eq!(accuracy(&output, &world.path().join("out")), "3 0.66");
    // Something else lies where the suite's own path would lead.
    data(&world.path().join("configs/data"), 0);
    let set = ["configs/s.yaml", "--set", "models.m.path=data/answers.jsonl", "--out", "out2"];
    assert_eq!(accuracy(&run(world.path(), &set), &world.path().join("out2")), "3 0.66");
}

#[test]
fn the_older_rule_still_finds_what_lies_nowhere_else_and_says_so() {
    let older = SUITE.replace("../data", "data");
    let world = world(&older);
    let output = run(world.path(), &["configs/s.yaml", "--out", "out"]);
    assert_eq!(accuracy(&output, &world.path().join("out")), "3 0.66");
    let said = stderr(&output);
    assert_eq!(said.matches("deprecated").count(), 1, "{said}");
    assert!(
        said.contains("`data/answers.jsonl`, `data/rows.jsonl`") && said.contains("`../data/answers.jsonl`"),
        "{said}"
    );
    // With the option, it is the rule.
    let set = ["configs/s.yaml", "--set", "paths=working-directory", "--out", "out2"];
    let output = run(world.path(), &set);
    assert_eq!(accuracy(&output, &world.path().join("out2")), "3 0.66");
    assert!(!stderr(&output).contains("deprecated"), "{}", stderr(&output));
}

#[test]
fn another_file_by_the_older_rule_is_not_read_in_silence() {
    let world = world(&SUITE.replace("../data", "data"));
    data(&world.path().join("configs/data"), 0);
    let output = run(world.path(), &["configs/s.yaml", "--out", "out"]);
    assert_eq!(accuracy(&output, &world.path().join("out")), "3 0.0");
    let said = stderr(&output);
    assert!(said.contains("warning: `data/answers.jsonl`") && said.contains("is not read"), "{said}");
}

#[test]
fn a_suite_that_has_moved_with_its_data_goes_on() {
    let world = world(SUITE);
    let (one, two) = (world.path().join("one"), world.path().join("two"));
    std::fs::create_dir(&one).unwrap();
    for part in ["configs", "data"] {
        std::fs::rename(world.path().join(part), one.join(part)).unwrap();
    }
    let output = run(world.path(), &["one/configs/s.yaml", "--out", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::rename(&one, &two).unwrap();
    let log = world.path().join("out/logs/stages.log");
    std::fs::remove_file(&log).unwrap();
    let output = run(world.path(), &["two/configs/s.yaml", "--out", "out"]);
    assert_eq!(accuracy(&output, &world.path().join("out")), "3 0.66");
    assert!(std::fs::read_to_string(log).unwrap().contains("evaluate/m/d: reuse"));
}

#[test]
fn standard_input_begins_in_the_working_directory() {
    let world = world(SUITE);
    let mut command = build::examiner(world.path());
    command.args(["run", "-", "--out", "out"]).stdin(std::process::Stdio::piped());
    let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let suite = SUITE.replace("../data", "data");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), suite.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(accuracy(&output, &world.path().join("out")), "3 0.66");
}

#[test]
fn a_plugin_beside_the_suite_is_found_from_anywhere() {
    let world = world("name: s\nplugins: { fixture: { path: fixture.so } }\n");
    std::fs::copy(build::fixture("fixture"), world.path().join("configs/fixture.so")).unwrap();
    std::fs::create_dir(world.path().join("elsewhere")).unwrap();
    let check = |from: &str, suite: &str| {
        let output = build::examiner(&world.path().join(from)).args(["check", suite]).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    assert_eq!(check("elsewhere", "../configs/s.yaml").0, Some(0));
    // Through `..` it would be whatever lies there.
    std::fs::write(world.path().join("configs/s.yaml"), "name: s\nplugins: { fixture: { path: ../fixture.so } }\n")
        .unwrap();
    std::fs::copy(build::fixture("fixture"), world.path().join("fixture.so")).unwrap();
    let absolute = world.path().join("configs/s.yaml").display().to_string();
    let (status, said) = check("elsewhere", &absolute);
    assert!(status == Some(2) && said.contains("which is neither in"), "{said}");
}
