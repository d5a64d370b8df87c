//! What `check` finds without running anything.

use crate::build;
use crate::run::stderr;
use insta::assert_snapshot;
use std::path::Path;

const ROWS: &str = "question,A,B,answer\n2+2?,3,4,B\n1+1?,2,5,A\n";

/// A directory with rows, and what `check` says of a suite in it, with these arguments.
fn check(suite: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    check_in(directory.path(), suite, arguments)
}

fn check_in(directory: &Path, suite: &str, arguments: &[&str]) -> (Option<i32>, String) {
    std::fs::write(directory.join("rows.csv"), ROWS).unwrap();
    std::fs::create_dir_all(directory.join("llama")).unwrap();
    std::fs::write(directory.join("llama/config.json"), "{\"model_type\": \"llama\"}").unwrap();
    std::fs::write(directory.join("s.yaml"), format!("name: s\n{suite}")).unwrap();
    let mut command = build::examiner(directory);
    // Nothing is downloaded already.
    command.env("HF_HOME", directory.join("hub")).args(["check", "s.yaml"]).args(arguments);
    let output = command.output().unwrap();
    assert!(!directory.join("outputs").exists(), "nothing is run");
    (output.status.code(), stderr(&output))
}

/// A suite of a model on a dataset with these options.
fn examined(model: &str, dataset: &str) -> String {
    format!(
        "models: {{ m: {{ {model} }} }}\ndatasets:\n  d: {{ plugin: table, path: rows.csv, {dataset} }}\n\
         evaluate: [{{ models: m, datasets: d }}]\n"
    )
}

fn said(suite: &str) -> String {
    let (status, said) = check(suite, &[]);
    assert_eq!(status, Some(2), "{said}");
    assert_eq!(check(suite, &["--quick"]), (Some(0), String::new()), "`--quick` leaves files alone");
    said
}

#[test]
fn columns_are_held_against_templates_choices_and_right_answers() {
    let echo = "plugin: echo";
    let good = examined(echo, "prompt: \"{{ question }}\", choices: \"[A, B]\", gold: answer");
    assert_eq!(check(&good, &[]), (Some(0), String::new()));
    assert_snapshot!(said(&examined(echo, "prompt: \"{{ qestion }}\", gold: answer")), @r"
    error: s.yaml:4:6: datasets.d: line 2 of `rows.csv`: the template `prompt` cannot be filled: undefined value (in prompt:1)
      help: the row has no `qestion`; it has `question`, `A`, `B`, `answer`, `index`, `row`
    ");
    assert_snapshot!(said(&examined(echo, "prompt: \"{{ question }}\", choices: \"[A, C]\", gold: answer")), @r"
    error: s.yaml:4:6: datasets.d: line 2 of `rows.csv`: the template `choices` cannot be filled: undefined value
      help: the row has no `C`; it has `question`, `A`, `B`, `answer`, `index`, `row`
    ");
    assert_snapshot!(said(&examined(echo, "prompt: \"{{ question }}\", choices: \"[A]\", gold: answer, gold_is: letter")), @r#"error: s.yaml:4:6: datasets.d: line 2 of `rows.csv`: `gold` is `"B"`, expected a letter from `A` of one of 1 choices"#);
    assert_snapshot!(said(&examined(echo, "prompt: \"{{ question }}\"")), @r"
    error: s.yaml:4:6: datasets.d: no answer to sample `0` can be judged by `answer-extraction`: expected a right answer for sample `0`, found none
      help: check what the dataset takes as gold answer
    ");
    assert_snapshot!(said(&examined(echo, "prompt: \"{{ question }}\", gold: answer, scorer: perplexity-choice")), @r"
    error: s.yaml:4:6: datasets.d: no answer to sample `0` can be judged by `perplexity-choice`: expected a right choice for sample `0`, found a sample without choices
      help: check what the dataset takes as choices and as gold answer
    ");
}

#[test]
fn paths_that_lead_nowhere_are_found_at_their_line() {
    let suite = "models: { m: { plugin: candle, checkpoint: nowhere }, r: { plugin: replay, path: none.jsonl, key: [index] } }\n";
    assert_snapshot!(said(suite), @r"
    error: s.yaml:2:44: models.m.checkpoint: `nowhere` does not exist
      help: paths in a suite begin at its file; `--set` can change one without editing the suite
    s.yaml:2:82: models.r.path: `none.jsonl` does not exist
      help: paths in a suite begin at its file; `--set` can change one without editing the suite
    ");
    // What a stage makes is not there yet.
    let made = "models: { m: { plugin: candle, checkpoint: '${train.t}' } }\ntrain:\n  t: { trainer: candle, scratch: { n_layer: 1, n_head: 1, n_embd: 8, n_positions: 16 }, data: rows.csv }\n";
    assert_eq!(check(made, &[]), (Some(0), String::new()));
}

#[test]
fn a_model_that_cannot_serve_a_scorer_is_found() {
    let choices = "prompt: \"{{ question }}\", choices: \"[A, B]\", gold: answer";
    let chat = "plugin: openai, model: x, base_url: 'http://localhost:1/v1'";
    assert_snapshot!(said(&examined(chat, choices)), @r"
    error: s.yaml:5:12: evaluate.0: scorer `perplexity-choice` asks for log-likelihoods, which model `m` cannot give: an interface for chats tells no log-likelihoods of a prompt; `api: completions` may
      help: use another scorer for this dataset, or leave the model out of it
    ");
    let completions = format!("{chat}, api: completions");
    assert_eq!(check(&examined(&completions, choices), &[]), (Some(0), String::new()));
    let generated = format!("{choices}, scorer: answer-extraction");
    assert_eq!(check(&examined(chat, &generated), &[]), (Some(0), String::new()));
}

#[test]
fn a_checkpoint_that_nobody_can_start_from_is_found() {
    let trained = "train: { t: { trainer: candle, from: ./llama, data: rows.csv } }\n";
    assert_snapshot!(said(trained), @r"
    error: s.yaml:2:13: train.t: `./llama/config.json` has `model_type: llama`; the trainer `candle` supports `gpt2`
      help: start from a GPT-2, or from scratch
    ");
    assert_snapshot!(
        said("export: { x: { exporter: onnx, from: ./llama } }\n"),
        @"error: s.yaml:2:14: export.x: `./llama/config.json`: has no `hidden_size`; expected a positive whole number"
    );
    let neither = "train: { t: { trainer: candle, data: rows.csv } }\n";
    assert_snapshot!(said(neither), @r"
    error: s.yaml:2:13: train.t: nothing to start from
      help: name a model or a checkpoint in `from`, or give the shape of a new model in `scratch`
    ");
}

#[test]
fn what_would_have_to_be_downloaded_is_said_and_left_alone() {
    let suite = "models: { m: { plugin: echo } }\ndatasets: { d: { plugin: gsm8k, path: hf://datasets/x/y/z.jsonl } }\n\
                 evaluate: [{ models: m, datasets: d }]\n";
    let (status, said) = check(suite, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert_snapshot!(said, @"`datasets.d` was not looked at: what it reads is not downloaded yet");
}
