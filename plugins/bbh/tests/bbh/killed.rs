//! The process is killed, not only interrupted: nothing can be tidied up on the way out.

use crate::fixture::{Kitchen, Teacher, benchmark, says};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Where the child works; set, it makes the data and nothing else.
const FOLDER: &str = "EXAMINER_BBH_KILLED";

fn kitchen(folder: &Path) -> Kitchen<'_> {
    Kitchen::new(folder).with("samples", json!(8))
}

/// A teacher that notes in a file what it was asked, and in another what it was thanked for.
fn noting(folder: &Path, patience: Duration) -> Teacher {
    let note = |name: &str| {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
        move |request: &examiner_api::GenerateRequest| {
            let line = format!("{}#{}\n", request.sample.id, request.sample.repeat);
            (&file).write_all(line.as_bytes()).unwrap();
        }
    };
    let asked = note("asked");
    let mut teacher = Teacher::new(move |request| {
        asked(request);
        std::thread::sleep(patience);
        says(request)
    });
    teacher.sent = Arc::new(note("sent"));
    teacher
}

/// The process that is killed; by itself it tests nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    kitchen(folder).make(&noting(folder, Duration::from_millis(2))).unwrap();
}

fn noted(folder: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn killed_over_and_over_it_asks_nothing_twice_and_makes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    benchmark(folder.path());
    let arguments = ["--exact", "killed::child", "--nocapture", "--test-threads=1"];
    for target in [1, 10, 25, 45] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Bounded: a child that is done, or that never starts, ends the wait.
        for _ in 0..5000 {
            if noted(folder.path(), "sent").len() >= target || child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let thanked = noted(folder.path(), "sent").len();
        assert!((target..72).contains(&thanked), "killed after {thanked} answers, expected {target} or a few more");
    }
    let before = noted(folder.path(), "sent");
    let report = kitchen(folder.path()).make(&noting(folder.path(), Duration::ZERO)).unwrap();
    let (asked, sent) = (noted(folder.path(), "asked"), noted(folder.path(), "sent"));
    let mut different = sent.clone();
    different.sort();
    different.dedup();
    assert_eq!((different.len(), sent.len()), (72, 72), "an answer that was taken is never asked for again");
    assert!(
        asked.len() <= sent.len() + 4,
        "only what was in flight when it was killed is asked again: {}",
        asked.len()
    );
    assert!(before.len() >= 45);

    let undisturbed = tempfile::tempdir().unwrap();
    benchmark(undisturbed.path());
    let expected = kitchen(undisturbed.path()).make(&Teacher::new(says)).unwrap();
    assert_eq!(std::fs::read(report.rows).unwrap(), std::fs::read(expected.rows).unwrap());
    for file in ["yield.csv", "unsolved.jsonl"] {
        let read = |folder: &Path| std::fs::read(folder.join(format!("data/F_bbh_3shot_8aug.{file}"))).unwrap();
        assert_eq!(read(folder.path()), read(undisturbed.path()), "{file}");
    }
}
