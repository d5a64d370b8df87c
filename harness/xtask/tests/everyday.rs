//! The jobs of `docs/everyday.md`, done with its commands and suites as they stand there, and with nothing else.
#![cfg(unix)]

use crate::blocks::{of_page, page};
use examiner_test_support::build::{plugin, program};
use examiner_test_support::checkpoint::TinyGpt2;
use serde_json::json;
use std::path::Path;
use std::process::Command;

const PAGE: &str = "docs/everyday.md";
const TEMPLATE: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>";

/// A directory as the page supposes it: a chat checkpoint, and questions in a table.
fn world() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model");
    std::fs::create_dir(&model).unwrap();
    TinyGpt2::new(json!({ "n_positions": 256 })).write_to(&model);
    std::fs::write(model.join("chat_template.jinja"), TEMPLATE).unwrap();
    let row = |number: u32| format!("{number}+1?,{},{},{},{},{}\n", number, number + 1, number + 2, number + 3, "B");
    let rows: String = (1..=12).map(row).collect();
    std::fs::write(directory.path().join("questions.csv"), format!("question,A,B,C,D,answer\n{rows}")).unwrap();
    directory
}

/// Runs a command of the page as a shell does.
fn shell(directory: &Path, line: &str, place: &str) -> String {
    let beside = program().parent().unwrap().display().to_string();
    let path = format!("{beside}:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh").args(["-c", line]).current_dir(directory).env("PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{place}: `{line}`: {said}");
    assert!(!said.contains("warning") && !said.contains("deprecated"), "{place}: `{line}`: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_job_is_done_by_the_commands_of_the_page() {
    plugin("candle");
    let directory = world();
    let (mut printed, mut commands) = (Vec::new(), 0);
    for block in of_page(PAGE, &page(PAGE)) {
        match block.language.as_str() {
            // A suite lies in the file that is called like it.
            "yaml" => {
                let name = block.text.lines().next().unwrap().trim_start_matches("name: ").to_owned();
                std::fs::write(directory.path().join(format!("{name}.yaml")), &block.text).unwrap();
            }
            "sh" => {
                for line in block.text.lines() {
                    printed.push((line.to_owned(), shell(directory.path(), line, &block.place)));
                    commands += 1;
                }
            }
            other => panic!("{}: a block of `{other}`", block.place),
        }
    }
    assert!(commands >= 18, "only {commands} commands");
    let said = |command: &str| {
        let found = printed.iter().find(|(line, _)| line.starts_with(command));
        found.unwrap_or_else(|| panic!("the page has no `{command}`")).1.clone()
    };
    // Each job has what it was done for.
    let likelihood = said("examiner run likelihood.yaml");
    assert!(likelihood.contains("| acc ") && likelihood.contains("| acc_norm "), "{likelihood}");
    assert!(said("examiner run letters.yaml").contains("| letters | accuracy |"));
    let asked = said("examiner show runs/letters --unanswered");
    assert!(asked.contains("1+1?\n    A. 1\n    B. 2\n    C. 3\n    D. 4\n    Answer with a letter."), "{asked}");
    let compared = said("examiner compare runs/prompts");
    assert!(compared.contains("wins/losses/ties") && compared.contains("plain"), "{compared}");
    let rescored = said("examiner score runs/letters");
    assert!(rescored.contains("(was "), "{rescored}");
    for figure in ["runs/prompts/figs/result.svg", "figs/prompts.png", "runs/tuned/figs/result-training.svg"] {
        assert!(directory.path().join(figure).exists(), "`{figure}` was not drawn");
    }
    let tuned = said("examiner report runs/tuned");
    assert!(tuned.contains("train/tuned") && tuned.contains("steps 8"), "{tuned}");
}
