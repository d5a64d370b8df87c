//! The model as the harness sees it.
//!
//! - `finding`: which recorded row answers a request.
//! - `missing`: what a request without a row gets.
//! - `opening`: files and options that cannot be used.
//! - `reference`: the recorded solutions to GSM8K and the teacher's answers to BIG-Bench-Hard, where they are at hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use examiner_api::testing::FakeHost;
use examiner_api::{
    ErrorCode, FinishReason, Flow, GenerateRequest, GenerateResult, Model, Open, PluginError, Response, Result,
    SampleRef, Sampling,
};
use examiner_plugin_replay::{Options, Replay};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

fn open(folder: &Path, options: Value) -> Result<Replay> {
    let options: Options = serde_json::from_value(options).unwrap();
    Replay::open(options, FakeHost::in_dir(folder).host())
}

fn with_rows(name: &str, content: &str, options: Value) -> Result<Replay, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    open(folder.path(), options)
        .map_err(|error| error.message.replace(&folder.path().join(name).display().to_string(), "F"))
}

fn request(metadata: Value) -> GenerateRequest {
    let metadata = Arc::new(metadata.as_object().unwrap().clone());
    let sample = SampleRef { id: "s".to_owned(), metadata, ..SampleRef::default() };
    GenerateRequest { id: 7, sample, ..GenerateRequest::default() }
}

fn ask(model: &mut Replay, request: GenerateRequest) -> Result<GenerateResult, PluginError> {
    let answers = Mutex::new(Vec::new());
    let sink = |response: Response<GenerateResult>| {
        answers.lock().unwrap().push(response);
        Flow::Continue
    };
    model.generate(vec![request], &sink).unwrap();
    let mut answers = answers.into_inner().unwrap();
    assert_eq!((answers.len(), answers[0].id), (1, 7));
    answers.remove(0).result
}

const ROWS: &str = concat!(
    r#"{"model": "a", "task": "t", "index": 0, "completion": "zero\nQ: next"}"#,
    "\n",
    r#"{"model": "b", "task": "t", "index": 0, "completion": "other"}"#,
    "\n",
    r#"{"model": "a", "task": "t", "index": 1, "completion": "one"}"#,
    "\n",
);

mod finding {
    use super::*;

    #[test]
    fn by_the_fields_of_the_key_among_the_rows_of_where() {
        let options = json!({"path": "f.jsonl", "key": ["task", "index"], "where": {"model": "a"}});
        let mut model = with_rows("f.jsonl", ROWS, options).unwrap();
        let answer = ask(&mut model, request(json!({"task": "t", "index": 1, "more": true}))).unwrap();
        assert_eq!((answer.text.as_str(), answer.finish), ("one", FinishReason::EndOfText));
        let info = model.info().unwrap();
        assert!(info.can_generate && !info.can_score);
        assert_eq!(info.details["rows"], 2);
    }

    #[test]
    fn by_fields_of_other_names_and_numbers_as_text() {
        let options = json!({"path": "f.csv", "key": {"index": "n"}, "completion": "said"});
        let mut model = with_rows("f.csv", "n,said\n3,three\n", options).unwrap();
        assert_eq!(ask(&mut model, request(json!({"index": 3}))).unwrap().text, "three");
    }

    #[test]
    fn cuts_at_stop_strings_unless_told_not_to() {
        let mut asked = request(json!({"task": "t", "index": 0}));
        asked.sampling = Sampling { stop: vec!["\nQ:".to_owned()], ..Sampling::default() };
        let mut options = json!({"path": "f.jsonl", "key": ["task", "index"], "where": {"model": "a"}});
        let mut model = with_rows("f.jsonl", ROWS, options.clone()).unwrap();
        let answer = ask(&mut model, asked.clone()).unwrap();
        assert_eq!((answer.text.as_str(), answer.finish), ("zero", FinishReason::StopString));
        options["apply_stop"] = json!(false);
        let mut model = with_rows("f.jsonl", ROWS, options).unwrap();
        assert_eq!(ask(&mut model, asked).unwrap().text, "zero\nQ: next");
    }

    #[test]
    fn repeats_in_the_order_of_the_file() {
        let options = json!({"path": "f.jsonl", "key": ["task", "index"], "repeats": true});
        let mut model = with_rows("f.jsonl", ROWS, options).unwrap();
        let mut asked = request(json!({"task": "t", "index": 0}));
        asked.sample.repeat = 1;
        assert_eq!(ask(&mut model, asked.clone()).unwrap().text, "other");
        asked.sample.repeat = 2;
        let error = ask(&mut model, asked).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        assert!(error.message.starts_with("answer 3 to sample `s` was asked for, but "), "{error}");
        assert!(error.message.ends_with(" has 2 recorded: `task` = `t`, `index` = `0`"), "{error}");
    }
}

mod missing {
    use super::*;

    fn error_of(metadata: Value) -> String {
        let options = json!({"path": "f.jsonl", "key": ["task", "index"], "where": {"model": "a"}});
        let mut model = with_rows("f.jsonl", ROWS, options).unwrap();
        let error = ask(&mut model, request(metadata)).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        error.message
    }

    #[test]
    fn names_the_sample_the_fields_and_their_values() {
        let message = error_of(json!({"task": "t", "index": 2}));
        assert!(message.starts_with("no recorded row of `"), "{message}");
        assert!(message.ends_with(" fits sample `s`: `task` = `t`, `index` = `2`"), "{message}");
    }

    #[test]
    fn tells_a_missing_field_from_a_missing_row() {
        let message = error_of(json!({"task": "t"}));
        assert!(message.ends_with(": in its metadata there is no field `index`, only `task`"), "{message}");
        let message = error_of(json!({"task": null, "index": 0}));
        assert!(message.contains("the field `task` is `null`, expected a string"), "{message}");
    }
}

mod opening {
    use super::*;

    fn wrong(content: &str, options: Value) -> String {
        with_rows("f.jsonl", content, options).err().unwrap()
    }

    #[test]
    fn two_rows_of_one_key_are_named() {
        assert_eq!(
            wrong(ROWS, json!({"path": "f.jsonl", "key": ["task", "index"]})),
            "line 2 of `F`: the same key as line 1: `task` = `t`, `index` = `0`"
        );
    }

    #[test]
    fn rows_that_cannot_be_used_are_named() {
        let options = json!({"path": "f.jsonl", "key": ["index"]});
        assert_eq!(
            wrong("{\"index\": 0, \"completion\": null}\n", options.clone()),
            "line 1 of `F`: expected a string in the field `completion`, found `null`"
        );
        assert_eq!(wrong("{\"index\": 0}\n", options.clone()), "line 1 of `F`: there is no field `completion`");
        assert_eq!(
            wrong("{\"number\": 0, \"completion\": \"\"}\n", options),
            "line 1 of `F`: there is no field `index`, only `number`, `completion`"
        );
        assert_eq!(
            wrong(ROWS, json!({"path": "f.jsonl", "key": ["index"], "where": {"model": "c"}})),
            "no row of `F` is chosen"
        );
        assert!(wrong(ROWS, json!({"path": "f.jsonl", "key": []})).starts_with("`key` names no field"));
    }

    #[test]
    fn the_fingerprint_follows_rows_and_options_but_not_the_path() {
        let fingerprint = |name: &str, content: &str, filter: &str| {
            let options = json!({"path": name, "key": ["task", "index"], "where": {"model": filter}});
            with_rows(name, content, options).unwrap().info().unwrap().fingerprint
        };
        let base = fingerprint("f.jsonl", ROWS, "a");
        assert_eq!(base, fingerprint("g.jsonl", ROWS, "a"));
        assert_ne!(base, fingerprint("f.jsonl", ROWS, "b"));
        assert_ne!(base, fingerprint("f.jsonl", &ROWS.replace("one", "two"), "a"));
    }
}

mod reference {
    use super::*;
    use examiner_test_support::{needs, shared};

    #[needs(shared)]
    #[test]
    fn one_model_of_several_in_one_file() {
        let shared = shared();
        let options = json!({
            "path": "data/gsm8k/recorded_solutions.jsonl", "key": ["index"], "where": {"model": "175b_verification"},
        });
        let mut model = open(&shared, options).unwrap();
        assert_eq!(model.info().unwrap().details["rows"], 1319);
        let answer = ask(&mut model, request(json!({"index": 0, "split": "test"}))).unwrap();
        assert!(answer.text.ends_with("A: 18"), "{}", answer.text);
    }

    #[needs(shared)]
    #[test]
    fn every_task_of_the_teacher() {
        let shared = shared();
        let options = json!({"path": "data/teacher/code-davinci-002-cot.jsonl", "key": ["task", "index"]});
        let mut model = open(&shared, options).unwrap();
        assert_eq!(model.info().unwrap().details["rows"], 6511);
        let answer = ask(&mut model, request(json!({"task": "boolean_expressions", "index": 1}))).unwrap();
        assert!(answer.text.ends_with("So the answer is True."), "{}", answer.text);
    }
}
