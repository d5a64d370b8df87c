//! Datasets of the hub: a mirror, a server that plays the hub, and what is fetched for a machine without a network.

use crate::build;
use crate::run::{stderr, whole};
use examiner_test_support::server::{Reply, Request, Server};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const README: &str = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n    path: test.csv\n---\n";
/// A label by its name, a number with a gap, and a missing answer.
const ROWS: &str = "q,a,n\n1+1?,2,1\n2+2?,4,\n";

const SUITE: &str = "name: s
models:
  m: { plugin: replay, path: answers.jsonl, key: [index] }
datasets:
  d: { plugin: table, path: \"hf://datasets/org/name?config=main&split=test\", prompt: \"{{ q }} {{ n is none }}\", gold: \"{{ a }}\" }
evaluate: [{ models: m, datasets: d }]
";

fn world() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("s.yaml"), SUITE).unwrap();
    let answers = "{\"index\": 0, \"completion\": \"2\"}\n{\"index\": 1, \"completion\": \"4\"}\n";
    std::fs::write(directory.path().join("answers.jsonl"), answers).unwrap();
    directory
}

/// The program with caches of its own.
fn examiner(world: &Path, home: &str, endpoint: &str) -> Command {
    let mut command = build::examiner(world);
    for name in ["HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "EXAMINER_HUB_MIRROR", "HF_HUB_OFFLINE"] {
        command.env_remove(name);
    }
    command.env("HOME", world.join(home)).env("XDG_CACHE_HOME", world.join(home)).env("HF_ENDPOINT", endpoint);
    command
}

fn finished(mut command: Command, arguments: &[&str]) -> Output {
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

fn provenance(run: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// The hub with one dataset.
fn answer(request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap();
    let content = match path.rsplit('/').next() {
        _ if path.starts_with("/api/datasets/org/name/revision/") => {
            return Reply::json(200, &json!({ "sha": COMMIT, "siblings": [] }));
        }
        _ if path.starts_with("/api/datasets/org/name/tree/") => {
            let file = |name: &str| json!({ "type": "file", "path": name });
            return Reply::json(200, &json!([file("README.md"), file("test.csv")]));
        }
        Some("README.md") => README,
        Some("test.csv") => ROWS,
        _ => return Reply::status(404).header("X-Error-Code", "EntryNotFound"),
    };
    // No tag is that of a git blob, so that the content is believed as it comes.
    Reply::body(content).header("ETag", format!("\"{}\"", content.len())).header("X-Repo-Commit", COMMIT)
}

#[test]
fn a_suite_and_the_environment_may_name_a_mirror() {
    let world = world();
    let repository = world.path().join("mirror/org/name");
    std::fs::create_dir_all(&repository).unwrap();
    std::fs::write(repository.join("README.md"), README).unwrap();
    std::fs::write(repository.join("test.csv"), ROWS).unwrap();
    let nowhere = || examiner(world.path(), "home", "http://127.0.0.1:1");
    finished(nowhere(), &["run", "s.yaml", "--set", "hub_mirror=mirror", "--out", "one"]);
    assert_eq!(whole(&world.path().join("one"), "m", "d", "accuracy")["n_scored"], "2");
    assert_eq!(provenance(&world.path().join("one"))["hub"], Value::Null, "a directory made by hand has no commit");
    let mut with_variable = nowhere();
    with_variable.env("EXAMINER_HUB_MIRROR", "mirror");
    finished(with_variable, &["run", "s.yaml", "--out", "two"]);
    assert_eq!(whole(&world.path().join("two"), "m", "d", "accuracy")["value"].parse::<f64>().unwrap(), 1.0);
    finished(nowhere(), &["check", "s.yaml", "--set", "hub_mirror=mirror"]);
    // Neither is there: what was asked for is said, and what there is.
    let output = nowhere().args(["check", "s.yaml", "--set", "hub_mirror=elsewhere"]).output().unwrap();
    assert!(stderr(&output).contains("has no dataset `org/name`"), "{}", stderr(&output));
    let split = "datasets.d.path=hf://datasets/org/name?split=tset";
    let output = nowhere().args(["check", "s.yaml", "--set", "hub_mirror=mirror", "--set", split]).output().unwrap();
    assert!(stderr(&output).contains("there are `test`; did you mean `test`?"), "{}", stderr(&output));
}

#[test]
fn what_is_fetched_is_enough_without_a_network() {
    let world = world();
    let server = Server::start(|request, _| answer(request));
    let output = finished(examiner(world.path(), "home", &server.url()), &["fetch", "s.yaml", "--to", "mirror"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("hf://datasets/org/name at {COMMIT}: 2 files, ")), "{said}");
    assert!(said.contains("write `hub_mirror: mirror` into the suite"), "{said}");
    assert!(!world.path().join("outputs").exists(), "nothing is run");
    let asked = server.lines();
    assert_eq!(
        asked.iter().filter(|line| line.starts_with("GET") && line.ends_with("test.csv")).count(),
        1,
        "{asked:?}"
    );
    // The cache is enough on this machine, and the directory on another.
    let mut here = examiner(world.path(), "home", &server.url());
    here.env("HF_HUB_OFFLINE", "1");
    finished(here, &["run", "s.yaml", "--out", "here"]);
    let there = examiner(world.path(), "other-home", "http://127.0.0.1:1");
    finished(there, &["run", "s.yaml", "--set", "hub_mirror=mirror", "--out", "there"]);
    assert_eq!(server.lines().len(), asked.len());
    for run in ["here", "there"] {
        let run = world.path().join(run);
        assert_eq!(whole(&run, "m", "d", "accuracy")["n_scored"], "2");
        assert_eq!(provenance(&run)["hub"], json!({ "hf://datasets/org/name": COMMIT }));
    }
    // What is there is not fetched again; what cannot be had is a failure.
    let fetch = examiner(world.path(), "home", &server.url());
    finished(fetch, &["fetch", "s.yaml"]);
    let mut wrong = examiner(world.path(), "home", &server.url());
    let output =
        wrong.args(["fetch", "s.yaml", "--set", "datasets.d.path=hf://datasets/org/none?split=test"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("failed: datasets.d: "), "{}", stderr(&output));
}
