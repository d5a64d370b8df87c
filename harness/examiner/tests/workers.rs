//! Models that end, leave or lock up the process they run in: one sample is an error, with the reason; everything else is as
//! if nothing had happened.
#![cfg(unix)]

use crate::build;
use crate::run::{run, stderr, suite, whole};
use examiner_test_support::process::{children, runs, signal, wait_until};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// Runs a model with a fault at question 3 of 10 beside a good one, and returns what the program said of it.
fn faulty(directory: &Path, fault: &str, isolate: &str) -> (Option<i32>, String) {
    let suite = suite(
        &format!("  bad: {{ plugin: adder, count: asked, fault: {fault}, at: 3 }}\n  good: {{ plugin: adder }}\n"),
        "  sums: { plugin: numbers, rows: 10 }\n",
    );
    let output = run(directory, &format!("{suite}isolate: {isolate}\n"), &["--out", "run"]);
    let good = whole(&directory.join("run"), "good", "sums", "accuracy");
    assert_eq!((&*good["value"], &*good["status"]), ("1.0", "ok"), "{fault}: {good:?}");
    (output.status.code(), stderr(&output))
}

/// The one line that tells of a failure, without what differs from try to try.
fn failure(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("failed: ")).collect();
    assert_eq!(lines.len(), 1, "one line for a failure:\n{said}");
    let line = lines[0].split(" (help: ").next().unwrap();
    let line = line.split("fixture.rs:").enumerate().map(|(part, text)| match part {
        0 => text.to_owned(),
        _ => format!("fixture.rs:[LINE]{}", text.trim_start_matches(|digit: char| digit.is_ascii_digit())),
    });
    let line: String = line.collect();
    let words = line.split(' ').scan("", |before, word| {
        let is_amount = word.parse::<f64>().is_ok() && ["held", "for"].contains(before);
        *before = word;
        Some(if is_amount { "[N]" } else { word })
    });
    // What a process held is known only where it has lived long enough to say it.
    words.collect::<Vec<_>>().join(" ").replace("; it held [N] MiB", "")
}

/// What becomes of a sample that ends its process.
fn costs_one_sample(fault: &str, isolate: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (code, said) = faulty(directory.path(), fault, isolate);
    assert_eq!(code, Some(1), "{fault}: {said}");
    let row = whole(&directory.path().join("run"), "bad", "sums", "accuracy");
    let found = ["value", "n", "n_scored", "n_error", "value_low", "value_high", "status"].map(|name| &*row[name]);
    assert_eq!(found, ["1.0", "10", "9", "1", "0.9", "1.0", "partial"], "{fault}: {said}");
    // Those before it were answered; it and those after it were tried once more.
    let asked = std::fs::read_to_string(directory.path().join("asked")).unwrap();
    let times = |id: &str| asked.lines().filter(|line| *line == id).count();
    assert_eq!((times("0"), times("2"), times("3")), (1, 1, 2), "{fault}: {asked:?}");
    assert!((4..10).all(|id| times(&id.to_string()) == 1), "{fault}: {asked:?}");
    failure(&said)
}

#[test]
fn an_abort_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("abort", "true"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: the process of model `adder` was killed by signal 6 (SIGABRT: it gave up by itself); its last line: `question 3 is at hand`");
}

#[test]
fn a_segfault_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("segfault", "true"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: the process of model `adder` was killed by signal 11 (SIGSEGV: it used memory that is not its own); its last line: `question 3 is at hand`");
}

#[test]
fn an_exit_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("exit", "true"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: the process of model `adder` ended by itself, with exit code 7; its last line: `question 3 is at hand`");
}

#[test]
fn a_kill_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("killed", "true"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: the process of model `adder` was killed by signal 9 (SIGKILL: by the kernel, out of memory, or by hand); its last line: `question 3 is at hand`");
}

#[test]
fn a_panic_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("panic", "true"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: panicked while answering `generate`: question 3 is too hard (at `harness/examiner/tests/plugins/fixture.rs:[LINE]`) (log: `run/logs/models.bad.log`)");
}

#[test]
fn a_leak_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("leak", "{ memory_mib: 300 }"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: the process of model `adder` held [N] MiB, more than the 300 that `isolate` allows; its last line: `question 3 is at hand`");
}

#[test]
fn a_hang_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("sleep", "{ deadline_s: 4 }"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: the process of model `adder` gave no answer for [N] seconds; its last line: `question 3 is at hand`");
}

#[test]
fn garbage_on_the_pipe_costs_one_sample() {
    insta::assert_snapshot!(costs_one_sample("garbage", "true"), @"failed: evaluate/bad/sums: 1 of 10 samples are errors, the first: sample `3`: the process of model `adder` wrote to the program's pipe: expected a frame, found `to be or not to be, that`; its last line: `question 3 is at hand`");
}

#[test]
fn what_a_plugin_prints_goes_to_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let (code, said) = faulty(directory.path(), "print", "true");
    assert_eq!(code, Some(0), "{said}");
    let log = std::fs::read_to_string(directory.path().join("run/logs/models.bad.log")).unwrap();
    assert!(log.contains("says: printed") && log.contains("says: complained"), "{log}");
}

#[test]
fn panics_that_cost_nothing_are_in_the_log() {
    for (fault, words) in
        [("thread-panics", "a thread of its own"), ("panics-at-end", "panicked while ending: it would not end")]
    {
        let directory = tempfile::tempdir().unwrap();
        let (code, said) = faulty(directory.path(), fault, "true");
        assert_eq!(code, Some(0), "{fault}: {said}");
        let log = std::fs::read_to_string(directory.path().join("run/logs/models.bad.log")).unwrap();
        assert!(log.contains(words), "{fault}: {log}");
    }
}

#[test]
fn the_trace_of_a_panic_is_in_the_log_if_it_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("  bad: { plugin: adder, fault: panic, at: 3 }\n", "  sums: { plugin: numbers, rows: 10 }\n");
    std::fs::write(directory.path().join("suite.yaml"), suite).unwrap();
    let said = |trace: &str| {
        let mut command = build::examiner(directory.path());
        let output =
            command.args(["run", "suite.yaml", "--out", "run", "--fresh"]).env("RUST_BACKTRACE", trace).output();
        let log = std::fs::read_to_string(directory.path().join("run/logs/models.bad.log")).unwrap();
        (stderr(&output.unwrap()), log)
    };
    let (message, log) = said("0");
    assert!(!log.contains("stack backtrace") && message.contains("question 3 is too hard"), "{message}\n{log}");
    let (message, log) = said("1");
    assert!(log.contains("stack backtrace") && log.contains("question 3 is too hard"), "{log}");
    // What is said of it is the message, not the frames.
    assert!(message.contains("question 3 is too hard") && !message.contains("backtrace"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_gets_no_secret_that_its_options_do_not_name() {
    let directory = tempfile::tempdir().unwrap();
    let mut program =
        hanging_with(directory.path(), &[("OTHER_API_KEY", "k1"), ("MYSQL_PWD", "k2"), ("HARMLESS", "k3")]);
    let workers = children(program.id());
    let environment = |worker: &u32| std::fs::read_to_string(format!("/proc/{worker}/environ")).unwrap();
    let environments: Vec<String> = workers.iter().map(environment).collect();
    program.kill().unwrap();
    program.wait().unwrap();
    assert_eq!(environments.len(), 2);
    for environment in environments {
        assert!(environment.contains("HARMLESS=k3") && environment.contains("PATH="), "{environment}");
        assert!(!environment.contains("OTHER_API_KEY") && !environment.contains("MYSQL_PWD"), "{environment}");
    }
}

#[test]
fn without_workers_a_panic_costs_the_samples_in_flight_and_is_told_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let (code, said) = faulty(directory.path(), "panic", "false");
    assert_eq!(code, Some(1));
    assert!(said.contains("question 3 is too hard") && said.contains("fixture.rs:"), "{said}");
    let row = whole(&directory.path().join("run"), "bad", "sums", "accuracy");
    assert_eq!((&*row["n_scored"], &*row["status"]), ("3", "partial"), "{row:?}");
}

#[test]
fn a_culprit_among_thousands_is_found_without_trying_each_alone() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite(
        "  bad: { plugin: adder, fault: abort, at: 777, count: asked }\n",
        "  sums: { plugin: numbers, rows: 2000 }\n",
    );
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let row = whole(&directory.path().join("run"), "bad", "sums", "accuracy");
    assert_eq!((&*row["n_scored"], &*row["n_error"]), ("1999", "1"), "{row:?}");
    let asked = std::fs::read_to_string(directory.path().join("asked")).unwrap().lines().count();
    assert!(asked <= 2002, "{asked}");
}

#[test]
fn a_model_that_always_dies_ends_its_stage_and_no_other() {
    for (fault, said_in_the_end) in [
        ("fault: abort, at: 0, upto: 999", "3 samples in a row ended the process of model `adder`, each of them alone"),
        (
            "fault: exit-at-open",
            "the process of model `adder` ended by itself, with exit code 9; its last line: `no model today`",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let suite = suite(
            &format!("  bad: {{ plugin: adder, {fault} }}\n  good: {{ plugin: adder }}\n"),
            "  sums: { plugin: numbers, rows: 30 }\n",
        );
        let output = run(directory.path(), &suite, &["--out", "run"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(failure(&stderr(&output)).contains(said_in_the_end), "{}", stderr(&output));
        let run = directory.path().join("run");
        assert_eq!(whole(&run, "good", "sums", "accuracy")["status"], "ok");
        assert!(
            crate::run::summary(&run).iter().filter(|row| row["model"] == "bad").all(|row| row["status"] == "failed")
        );
    }
}

#[test]
fn a_trainer_that_dies_goes_on_from_where_it_was() {
    for (times, code) in [(2, 0), (9, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let suite = format!(
            "name: t\n{}datasets:\n  sums: {{ plugin: numbers, rows: 4 }}\ntrain:\n  one: {{ trainer: learner, data: {{ dataset: sums, as: answers }}, steps: 5, abort_at: 3, times: {times} }}\n",
            build::fixture_pin()
        );
        let output = run(directory.path(), &suite, &["--out", "run"]);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let steps = std::fs::read_to_string(directory.path().join("run/train/one/steps")).unwrap().lines().count();
        assert_eq!(steps, if code == 0 { 5 } else { 3 });
        if code == 1 {
            assert!(
                stderr(&output).contains("failed: train/one: the process of trainer `learner` was killed by signal 6"),
                "{}",
                stderr(&output)
            );
        }
    }
}

/// Starts a run whose model sleeps forever at question 3, and waits until it does.
fn hanging(directory: &Path) -> Child {
    hanging_with(directory, &[])
}

fn hanging_with(directory: &Path, environment: &[(&str, &str)]) -> Child {
    let suite = suite(
        "  bad: { plugin: adder, count: asked, fault: sleep, at: 3 }\n",
        "  sums: { plugin: numbers, rows: 10 }\n",
    );
    std::fs::write(directory.join("suite.yaml"), suite).unwrap();
    let mut command = build::examiner(directory);
    command.envs(environment.iter().copied());
    let child = command.args(["run", "suite.yaml"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let asked = || std::fs::read_to_string(directory.join("asked")).unwrap_or_default();
    wait_until("question 3 is asked", || asked().lines().any(|line| line == "3"));
    child
}

#[test]
fn no_worker_outlives_a_program_that_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = hanging(directory.path());
    let workers = children(program.id());
    // The model's and the dataset's.
    assert_eq!(workers.len(), 2);
    program.kill().unwrap();
    program.wait().unwrap();
    wait_until("the workers end", || !workers.iter().any(|worker| runs(*worker)));
}

/// One that is stopped gets no signal; the kernel ends it.
#[cfg(target_os = "linux")]
#[test]
fn not_even_a_stopped_worker_outlives_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = hanging(directory.path());
    let workers = children(program.id());
    workers.iter().for_each(|worker| signal("STOP", *worker));
    program.kill().unwrap();
    program.wait().unwrap();
    wait_until("the workers end", || !workers.iter().any(|worker| runs(*worker)));
}

#[test]
fn a_second_interrupt_stops_a_model_that_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = hanging(directory.path());
    let workers = children(program.id());
    signal("INT", program.id());
    std::thread::sleep(Duration::from_millis(300));
    assert!(workers.iter().all(|worker| runs(*worker)), "the first lets what is in hand end");
    signal("INT", program.id());
    assert_eq!(program.wait().unwrap().code(), Some(130));
    wait_until("the workers end", || !workers.iter().any(|worker| runs(*worker)));
}
