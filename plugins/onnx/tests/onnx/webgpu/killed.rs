//! Runs on the software GPU that are interrupted.

use super::{datasets, examiner, export, stderr};
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::needs;
use examiner_test_support::process::{children, signal};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A suite whose answers take a while.
fn slow(directory: &Path, checkpoint: &Path) -> Value {
    let mut datasets = datasets(directory);
    let prompts: String =
        (0..12).map(|row| format!("{}\n", json!({ "prompt": format!("row {row} of many") }))).collect();
    std::fs::write(directory.join("prompts.jsonl"), prompts).unwrap();
    datasets["prompts"]["max_new_tokens"] = json!(16);
    json!({
        "name": "killed",
        "models": { "gpu": { "plugin": "onnx", "checkpoint": checkpoint, "device": "webgpu", "max_sequences": 2 } },
        "datasets": { "prompts": datasets["prompts"] },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    })
}

/// Starts the program and waits until a few answers are in the journal.
fn started(directory: &Path, suite: &Value) -> Child {
    let mut child = examiner(directory, suite).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let journal = || journaled(&directory.join("run"));
    let (before, began) = (journal(), Instant::now());
    // A software GPU takes seconds to begin, and longer on a machine that is busy.
    while journal() == before {
        assert!(began.elapsed() < Duration::from_secs(300), "nothing is answered");
        assert!(child.try_wait().unwrap().is_none(), "the run is over before it can be killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// How many answers the journal has; its first line is none.
fn journaled(run: &Path) -> usize {
    let text = std::fs::read_to_string(run.join("journal/gpu/prompts.jsonl")).unwrap_or_default();
    text.lines().count().saturating_sub(1)
}

/// The worker that computes: it has the software GPU's library in its memory.
fn worker(program: u32) -> u32 {
    let maps = |process: &u32| std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    let workers = children(program).into_iter().filter(|process| maps(process).contains("libvk_swiftshader.so"));
    let workers: Vec<u32> = workers.collect();
    assert_eq!(workers.len(), 1, "one worker has the software GPU");
    workers[0]
}

fn samples(directory: &Path) -> Vec<u8> {
    std::fs::read(directory.join("run/samples/gpu/prompts.jsonl")).unwrap()
}

#[cfg(target_os = "linux")]
#[needs(software_gpu)]
#[test]
fn a_killed_worker_and_a_killed_run_go_on_with_the_same_answers() {
    let checkpoint = export(TinyGpt2::new(json!({})).write().path(), json!({ "logits": "wanted" }));
    let [undisturbed, disturbed] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    super::run(undisturbed.path(), &slow(undisturbed.path(), checkpoint.path()));

    let suite = slow(disturbed.path(), checkpoint.path());
    let mut child = started(disturbed.path(), &suite);
    child.kill().unwrap();
    child.wait().unwrap();
    let child = started(disturbed.path(), &suite);
    signal("KILL", worker(child.id()));
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("going on in"), "{said}");
    assert!(said.contains("was killed by signal 9"), "{said}");
    assert_eq!(samples(disturbed.path()), samples(undisturbed.path()));
}
