//! Programs of other languages as roles: from a suite to a table, through death, interruption and resumption.
#![cfg(unix)]

use crate::build;
use crate::resume::same_results;
use crate::run::{stderr, summary, whole};
use examiner_test_support::build::repository;
use examiner_test_support::needs;
use examiner_test_support::process::{children, runs, signal, wait_until};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SCORER: &str = "{ name: answer-extraction, extract: trim, compare: string }";

/// Puts a suite, and the programs that it names, into the directory `suites`.
fn write(directory: &Path, suite: &str) {
    let suites = directory.join("suites");
    std::fs::create_dir_all(&suites).unwrap();
    std::fs::write(suites.join("suite.yaml"), suite).unwrap();
    for script in ["roles.py", "faulty.py"] {
        std::fs::copy(repository().join("plugins/process/tests/process").join(script), suites.join(script)).unwrap();
    }
}

/// The program with a suite, started from the directory above, where the Python package need not be installed.
fn command(directory: &Path, arguments: &[&str]) -> Command {
    build::plugin("process");
    let mut command = build::examiner(directory);
    command.args(["run", "suites/suite.yaml", "--out", "run"]).args(arguments);
    command.env("PYTHONPATH", repository().join("python/examiner-plugin/src")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn run(directory: &Path, suite: &str) -> Output {
    write(directory, suite);
    command(directory, &[]).output().unwrap()
}

#[needs(python)]
#[test]
fn every_role_goes_from_a_suite_to_a_row() {
    let directory = tempfile::tempdir().unwrap();
    let suite = "name: t
models:
  right: { plugin: process, command: [python3, roles.py] }
  wrong: { plugin: process, command: [python3, roles.py], options: { offset: 2 } }
datasets:
  numbers:
    plugin: process
    command: [python3, roles.py]
    options: { rows: 4 }
    scorer: { name: process, label: judge, command: [python3, roles.py] }
teach:
  doubles: { recipe: process, teacher: right, command: [python3, roles.py] }
train:
  learned: { trainer: process, data: \"${teach.doubles}\", command: [python3, roles.py] }
evaluate:
  - { models: all, datasets: all }
";
    let output = run(directory.path(), suite);
    assert!(output.status.success(), "{}", stderr(&output));
    let run = directory.path().join("run");
    let value = |model: &str, metric: &str| {
        let row = whole(&run, model, "numbers", metric);
        (row["scorer"].clone(), row["value"].clone(), row["n"].clone(), row["status"].clone())
    };
    let row = |value: &str| ("judge".to_owned(), value.to_owned(), "4".to_owned(), "ok".to_owned());
    assert_eq!((value("right", "exact"), value("right", "mse")), (row("1.0"), row("0.0")));
    assert_eq!((value("wrong", "exact"), value("wrong", "mse")), (row("0.0"), row("4.0")));
    let rows = std::fs::read_to_string(directory.path().join("data/doubles.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 4);
    let curve = std::fs::read_to_string(run.join("train/learned/train.csv")).unwrap();
    assert_eq!(curve.lines().count(), 5, "{curve}");
    assert_eq!(std::fs::read_to_string(run.join("train/learned/weights")).unwrap(), "trained");
    let log = std::fs::read_to_string(run.join("logs/models.right.log")).unwrap();
    assert!(log.contains("says: this goes to the log") && log.contains("says: this, too"), "{log}");

    // Nothing is done again, until a program is another.
    let again = command(directory.path(), &[]).output().unwrap();
    assert!(again.status.success(), "{}", stderr(&again));
    let script = directory.path().join("suites/roles.py");
    let text = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&script, text.replace("\"trained\"", "\"trained better\"")).unwrap();
    let changed = command(directory.path(), &[]).output().unwrap();
    assert!(changed.status.success(), "{}", stderr(&changed));
    assert_eq!(std::fs::read_to_string(run.join("train/learned/weights")).unwrap(), "trained better");
}

#[needs(python)]
#[test]
fn a_trainer_whose_program_ends_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let suite = "name: t\ntrain:\n  learned: { trainer: process, data: rows.jsonl, command: [python3, roles.py], options: { dies_at: 2 } }\n";
    write(directory.path(), suite);
    std::fs::write(directory.path().join("suites/rows.jsonl"), "{}\n{}\n{}\n").unwrap();
    let output = command(directory.path(), &[]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("with exit code 9"), "{}", stderr(&output));
    assert!(stderr(&output).contains("continuing in a new process"), "{}", stderr(&output));
    let curve = std::fs::read_to_string(directory.path().join("run/train/learned/train.csv")).unwrap();
    let steps: Vec<&str> = curve.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(steps, ["1", "2", "3"], "{curve}");
}

#[needs(python)]
#[test]
fn a_secret_of_the_environment_is_passed_by_its_name_alone() {
    for (pass, said) in [("", "the token is None"), (", pass_env: [EXAMINER_TEST_TOKEN]", "the token is t0ken")] {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &ten(&format!("command: [python3, roles.py]{pass}")));
        let output = command(directory.path(), &["--limit", "1"]).env("EXAMINER_TEST_TOKEN", "t0ken").output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let log = std::fs::read_to_string(directory.path().join("run/logs/models.tried.log")).unwrap();
        assert!(log.contains(said), "{log}");
    }
}

/// A suite of ten sums with this model.
fn ten(model: &str) -> String {
    format!(
        "name: t\nmodels:\n  tried: {{ plugin: process, {model} }}\ndatasets:\n  numbers:\n    plugin: process\n    \
         command: [python3, roles.py]\n    options: {{ rows: 10 }}\n    scorer: {SCORER}\nevaluate:\n  - {{ models: all, \
         datasets: all }}\n"
    )
}

#[needs(python)]
#[test]
fn a_request_that_ends_the_program_costs_its_sample() {
    for (fault, said) in [
        ("exit", "`python3 faulty.py` ended by itself, with exit code 7"),
        ("kill", "`python3 faulty.py` was killed by signal 9"),
        ("silent", "`python3 faulty.py` sent nothing for "),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let model =
            format!("command: [python3, faulty.py], heartbeat_s: 2, options: {{ fault: {fault}, at: \"3 + 3\" }}");
        let output = run(directory.path(), &ten(&model));
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let row = whole(&directory.path().join("run"), "tried", "numbers", "accuracy");
        let found = ["n", "n_scored", "n_error", "status"].map(|name| &*row[name]);
        assert_eq!(found, ["10", "9", "1", "partial"], "{fault}: {}", stderr(&output));
        let message = stderr(&output);
        let failed = message.lines().find(|line| line.starts_with("failed: ")).unwrap();
        assert!(failed.contains(said) && failed.contains("`request 3 + 3 is at hand`"), "{fault}: {failed}");
    }
}

#[needs(python)]
#[test]
fn answers_that_belong_to_no_request_are_not_believed() {
    for fault in ["unknown", "twice"] {
        let directory = tempfile::tempdir().unwrap();
        let output = run(
            directory.path(),
            &ten(&format!("command: [python3, faulty.py], options: {{ fault: {fault}, at: \"3 + 3\" }}")),
        );
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(
            summary(&directory.path().join("run")).iter().all(|row| row["status"] == "failed"),
            "{}",
            stderr(&output)
        );
        assert!(stderr(&output).contains("the model answered request"), "{}", stderr(&output));
    }
}

#[needs(python)]
#[test]
fn a_program_that_breaks_the_protocol_at_its_start_is_told_before_anything_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    for (model, said) in [
        ("command: [python3, faulty.py], options: { fault: protocol }", "speaks version 2 of the protocol"),
        ("command: [python3, faulty.py], options: { fault: start-print }", "found `Loading the weights ...`"),
        (
            "command: [python3, faulty.py], options: { fautl: x }",
            "`options` does not fit what `python3 faulty.py` knows",
        ),
        ("command: [python3, no_such.py]", "there is no file `no_such.py`, neither beside the suite"),
        ("command: [no-such-python, roles.py]", "cannot start the program `no-such-python`"),
    ] {
        let output = run(directory.path(), &ten(model));
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{model}: {}", stderr(&output));
    }
}

#[needs(python)]
#[test]
fn a_killed_run_goes_on_and_its_results_are_those_of_an_undisturbed_one() {
    let suite = ten("command: [python3, roles.py], options: { sleep_s: 0.02 }").replace("rows: 10", "rows: 60");
    let undisturbed = tempfile::tempdir().unwrap();
    let output = run(undisturbed.path(), &suite);
    assert!(output.status.success(), "{}", stderr(&output));

    let disturbed = tempfile::tempdir().unwrap();
    write(disturbed.path(), &suite);
    let trace = disturbed.path().join("trace");
    let asked = || std::fs::read_to_string(&trace).unwrap_or_default().lines().count();
    let journal = || {
        let found = std::fs::read_dir(disturbed.path().join("run/journal/tried"));
        found.map_or(0, |files| files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>())
    };
    let mut kills = 0;
    for share in [1, 2] {
        let mut child =
            command(disturbed.path(), &[]).env("EXAMINER_TRACE", &trace).stderr(Stdio::null()).spawn().unwrap();
        let before = journal();
        wait_until("some are answered", || journal() > before + 1000 * share || !runs(child.id()));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "the run was over too soon to be killed");
    let output = command(disturbed.path(), &[]).env("EXAMINER_TRACE", &trace).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    same_results(&undisturbed.path().join("run"), &disturbed.path().join("run"));
    assert!(asked() >= 60);
}

/// Starts a run whose model sleeps for a minute, and waits until it is asked. Its workers, and the programs that they started.
fn sleeping(directory: &Path) -> (Child, Vec<u32>) {
    write(directory, &ten("command: [python3, roles.py], options: { sleep_s: 60.0 }"));
    let child = command(directory, &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = directory.join("run/logs/models.tried.log");
    wait_until("the model is asked", || std::fs::read_to_string(&log).unwrap_or_default().contains("goes to the log"));
    let workers = children(child.id());
    let programs = workers.iter().flat_map(|worker| children(*worker)).collect::<Vec<_>>();
    // The model's; the dataset's has ended when all samples are read.
    assert!(!programs.is_empty());
    (child, programs)
}

#[needs(python)]
#[test]
fn no_program_outlives_a_run_that_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, programs) = sleeping(directory.path());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the programs end", || !programs.iter().any(|program| runs(*program)));
}

#[needs(python)]
#[test]
fn an_interrupt_ends_a_program_that_is_busy() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, programs) = sleeping(directory.path());
    signal("INT", child.id());
    let began = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // 0.6 seconds to return by itself, and what a busy machine adds.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!programs.iter().any(|program| runs(*program)));
}
