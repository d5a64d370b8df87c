//! A trainer that is no part of this repository and writes no file but its checkpoint: the program records its curves.

use crate::build;
use crate::run::{run, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

fn suite(options: &str) -> String {
    format!(
        "name: t\n{}datasets:\n  sums: {{ plugin: numbers, rows: 4 }}\ntrain:\n  one: {{ trainer: stepper, data: {{ dataset: sums, \
         as: answers }}, steps: 40, checkpoint_every: 4, {options} }}\n",
        build::fixture_pin()
    )
}

/// `train.csv` without its last column, which tells of speed.
fn curve(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("train/one/train.csv")).unwrap();
    text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

/// The last column, which is another for each process of the trainer.
fn speeds(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("train/one/train.csv")).unwrap();
    text.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().1.to_owned()).collect()
}

/// The steps of TensorBoard's only event file. A record is its length, a checksum, the data, a checksum; the data is a time of
/// nine bytes, a tag, and the step as a varint.
fn events(directory: &Path) -> Vec<u64> {
    let files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(&files[0]).unwrap();
    let (mut steps, mut rest) = (Vec::new(), &bytes[..]);
    while let Some(length) = rest.first_chunk::<8>() {
        let length = u64::from_le_bytes(*length) as usize;
        let step = rest[12 + 10];
        assert!(step < 0x80, "one byte is enough for these steps");
        steps.push(u64::from(step));
        rest = &rest[12 + length + 4..];
    }
    steps
}

fn expected() -> Vec<String> {
    let header = "step,loss,validation_loss,learning_rate,gradient_norm".to_owned();
    let validation = |step: u64| if step.is_multiple_of(2) { (4.0 / step as f64).to_string() } else { String::new() };
    let line = |step: u64| format!("{step},{},{},,", 3.0 / step as f64, validation(step));
    std::iter::once(header).chain((1..=40).map(line)).collect()
}

#[test]
fn its_curves_are_recorded_and_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &suite(""), &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let run = directory.path().join("run");
    assert_eq!(curve(&run), expected());
    assert_eq!(events(&run.join("runs/run/one")), (0..=40).collect::<Vec<_>>());
    let output = build::examiner(directory.path()).args(["plot", "run", "--out", "f.svg"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let svg = std::fs::read_to_string(directory.path().join("f-training.svg")).unwrap();
    assert!(svg.contains(">one (best validation loss 0.100)</text>"), "{svg}");
}

#[test]
fn its_process_dies_and_another_one_goes_on_from_the_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &suite("abort_after: 11"), &["--out", "run"]);
    assert!(output.status.success() && stderr(&output).contains("continuing in a new process"), "{}", stderr(&output));
    let run = directory.path().join("run");
    assert_eq!(curve(&run), expected());
    let speeds = speeds(&run);
    assert_eq!(speeds.iter().filter(|speed| **speed == speeds[0]).count(), 8, "its checkpoint is that of step 8");
    assert_eq!(events(&run.join("runs/run/one")), (0..=40).collect::<Vec<_>>());
}

/// The program and the trainer's process are killed at any moment: no event before a checkpoint is lost, none stands twice.
#[test]
fn killed_with_the_program_its_curves_are_those_of_an_undisturbed_training() {
    let directory = tempfile::tempdir().unwrap();
    let suite = suite("sleep_ms: 25");
    std::fs::write(directory.path().join("suite.yaml"), &suite).unwrap();
    let csv = directory.path().join("run/train/one/train.csv");
    let lines = || std::fs::read_to_string(&csv).unwrap_or_default().lines().count();
    for reached in [6, 18, 31] {
        let mut command = build::examiner(directory.path());
        let command = command.args(["run", "suite.yaml", "--out", "run"]).stdout(std::process::Stdio::null());
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let waiting = Instant::now();
        while lines() <= reached && child.try_wait().unwrap().is_none() {
            assert!(waiting.elapsed() < Duration::from_secs(60), "no step is recorded");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(lines() > reached, "killed before its end");
    }
    let output = run(directory.path(), &suite, &["--out", "run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(curve(&directory.path().join("run")), expected());
    let processes: std::collections::BTreeSet<String> = speeds(&directory.path().join("run")).into_iter().collect();
    assert_eq!(processes.len(), 4, "each process went on where the last checkpoint is");
}
