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
/// After how many answers, counted over all children, its teacher falls silent and waits to be killed.
const SILENT_AFTER: &str = "EXAMINER_BBH_SILENT_AFTER";

fn kitchen(folder: &Path) -> Kitchen<'_> {
    Kitchen::new(folder).with("samples", json!(8))
}

/// A teacher that notes in a file what it was asked, and in another what it was thanked for.
fn noting(folder: &Path, silent_after: usize) -> Teacher {
    let note = |name: &str| {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
        move |request: &examiner_api::GenerateRequest| {
            let line = format!("{}#{}\n", request.sample.id, request.sample.repeat);
            (&file).write_all(line.as_bytes()).unwrap();
        }
    };
    let (asked, sent) = (note("asked"), folder.to_owned());
    let mut teacher = Teacher::new(move |request| {
        asked(request);
        // Bounded, should nobody come to kill it.
        for _ in 0..6000 {
            if noted(&sent, "sent").len() < silent_after {
                return says(request);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nobody came");
    });
    teacher.sent = Arc::new(note("sent"));
    teacher
}

/// The process that is killed; by itself it tests nothing.
#[test]
#[ignore = "a part of `killed_over_and_over_it_asks_nothing_twice_and_makes_the_same`, which starts it"]
fn child() {
    let folder = std::env::var_os(FOLDER).expect("the other test names a folder");
    let folder = Path::new(&folder);
    let silent_after = std::env::var(SILENT_AFTER).unwrap().parse().unwrap();
    let _ = kitchen(folder).make(&noting(folder, silent_after));
}

fn noted(folder: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn killed_over_and_over_it_asks_nothing_twice_and_makes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    benchmark(folder.path());
    let arguments = ["--ignored", "--exact", "killed::child", "--nocapture", "--test-threads=1"];
    let stops = [1, 10, 25, 45];
    for stop in stops {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .env(FOLDER, folder.path())
            .env(SILENT_AFTER, stop.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Bounded: a child that never starts ends the wait. It is asked once more than it answers.
        for _ in 0..6000 {
            if noted(folder.path(), "sent").len() == stop || child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(noted(folder.path(), "sent").len(), stop);
    }
    let report = kitchen(folder.path()).make(&noting(folder.path(), usize::MAX)).unwrap();
    let (asked, sent) = (noted(folder.path(), "asked"), noted(folder.path(), "sent"));
    let mut different = sent.clone();
    different.sort();
    different.dedup();
    assert_eq!((different.len(), sent.len()), (72, 72), "an answer that was taken is never asked for again");
    let in_flight = asked.len() - sent.len();
    assert!(in_flight <= stops.len(), "only what was in flight when it was killed is asked again: {in_flight}");

    let undisturbed = tempfile::tempdir().unwrap();
    benchmark(undisturbed.path());
    let expected = kitchen(undisturbed.path()).make(&Teacher::new(says)).unwrap();
    assert_eq!(std::fs::read(report.rows).unwrap(), std::fs::read(expected.rows).unwrap());
    for file in ["yield.csv", "unsolved.jsonl"] {
        let read = |folder: &Path| std::fs::read(folder.join(format!("data/F_bbh_3shot_8aug.{file}"))).unwrap();
        assert_eq!(read(folder.path()), read(undisturbed.path()), "{file}");
    }
}
