//! The talk that `docs/plugins/process.md` shows is one that takes place.

use examiner_test_support::build::repository;
use examiner_test_support::needs;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

#[needs(python)]
#[test]
fn the_talk_of_the_page_takes_place() {
    let page = std::fs::read_to_string(repository().join("docs/plugins/process.md")).unwrap();
    let (_, talk) = page.split_once("```text\n").unwrap();
    let lines: Vec<&str> = talk.split_once("```").unwrap().0.lines().collect();
    assert!(lines.len() >= 5, "{lines:?}");
    let mut child = Command::new("python3")
        .arg(repository().join("python/examples/echo.py"))
        .env("PYTHONPATH", repository().join("python/examiner-plugin/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("EXAMINER_PROTOCOL", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let json = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| json(&line.unwrap()));
    for line in lines {
        match line.split_once(' ').unwrap() {
            (">", said) => writeln!(input, "{said}").unwrap(),
            ("<", heard) => assert_eq!(output.find(|found| found["type"] != "heartbeat"), Some(json(heard))),
            _ => panic!("expected `>` or `<`, found `{line}`"),
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
