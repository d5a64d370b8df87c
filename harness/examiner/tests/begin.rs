//! What the program does for whoever begins: a first suite, and what to do next.

use crate::build;
use crate::run::stderr;
use std::path::Path;
use std::process::Output;

fn examiner(directory: &Path, arguments: &[&str]) -> Output {
    build::examiner(directory).args(arguments).output().unwrap()
}

/// Writes a suite with `init`, checks it and runs it; the suite.
fn begun(directory: &Path, suite: &str, flags: &[&str]) -> String {
    for arguments in
        [[&["init", suite], flags].concat(), vec!["check", suite], vec!["run", suite, "--out", "out", "--fresh"]]
    {
        let output = examiner(directory, &arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    std::fs::read_to_string(directory.join(suite)).unwrap()
}

#[test]
fn a_first_suite_is_a_good_one_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("letters.csv", "question,A,B,answer\n2+2?,3,4,B\n1+1?,2,5,A\n");
    write("lists.jsonl", "{\"question\": \"2+2?\", \"choices\": [\"3\", \"4\"], \"answer\": 1}\n");
    write("free.csv", "\"the question\",result\n2+2?,4\n");
    let echo = |data| ["--model", "echo", "--data", data];
    let letters = begun(directory.path(), "one.yaml", &echo("letters.csv"));
    assert!(letters.contains("choices: \"[A, B]\""), "{letters}");
    let lists = begun(directory.path(), "suites/two.yaml", &echo("lists.jsonl"));
    assert!(lists.contains("path: ../lists.jsonl") && lists.contains("choices: choices"), "{lists}");
    let free = [&echo("free.csv")[..], &["--prompt", "the question", "--gold", "result"]].concat();
    let free = begun(directory.path(), "three.yaml", &free);
    assert!(free.contains("row['the question']") && free.contains("answer-extraction"), "{free}");
    // A suite that is there is not replaced unasked.
    let again = examiner(directory.path(), &[&["init", "one.yaml"], &echo("letters.csv")[..]].concat());
    assert!(again.status.code() == Some(2) && stderr(&again).contains("--force"), "{}", stderr(&again));
}

#[test]
fn an_endpoint_is_asked_for_letters() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("q.csv"), "question,A,B,answer\n2+2?,3,4,B\n").unwrap();
    let flags = ["--model", "small", "--base-url", "http://localhost:1/v1", "--data", "q.csv"];
    let output = examiner(directory.path(), &[&["init"], &flags[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let output = examiner(directory.path(), &["check", "suite.yaml"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // The prompt is what the model of the tutorial would be asked: with the choices by their letters.
    let set = ["run", "suite.yaml", "--set", "models.model={ plugin: echo }", "--out", "out"];
    let output = examiner(directory.path(), &set);
    assert!(output.status.success(), "{}", stderr(&output));
    let samples = std::fs::read_to_string(directory.path().join("out/samples/model/questions.jsonl")).unwrap();
    assert!(
        samples.contains("2+2?\\nA. 3\\nB. 4\\nAnswer with the letter of the right choice.\\nAnswer:"),
        "{samples}"
    );
}

#[test]
fn who_types_too_little_is_told_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let output = examiner(directory.path(), &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("examiner init") && said.contains("--help"), "{said}");
    let output = examiner(directory.path(), &["run"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("examiner init"), "{}", stderr(&output));
    std::fs::write(directory.path().join("mine.yaml"), "name: mine\nmodels: {}\n").unwrap();
    std::fs::write(directory.path().join("other.yaml"), "name: other\n").unwrap();
    let said = stderr(&examiner(directory.path(), &["plan"]));
    assert!(said.contains("examiner plan mine.yaml") && !said.contains("other"), "{said}");
}
