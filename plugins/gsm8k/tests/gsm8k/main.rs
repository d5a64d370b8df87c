//! The plugin as the harness sees it.
//!
//! - `wording`: prompts, few-shot answers and ids of a small file.
//! - `damage`: rows that cannot be used are errors with file and line.
//! - `recipe`: a teacher with mistakes and failures; what is kept, written and reused.
//! - `reference`: the real data and the prompts that lm-evaluation-harness made of it, where they are at hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod recipe;

use examiner_api::testing::FakeHost;
use examiner_api::{Dataset, ErrorCode, Flow, Gold, Open, Result, Sample};
use examiner_plugin_gsm8k::{Gsm8k, Options};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Mutex;

fn open(folder: &Path, options: Value) -> Result<Gsm8k> {
    let options: Options = serde_json::from_value(options).unwrap();
    Gsm8k::open(options, FakeHost::in_dir(folder).host())
}

fn samples(dataset: &mut Gsm8k) -> Vec<Sample> {
    let samples = Mutex::new(Vec::new());
    let sink = |sample| {
        samples.lock().unwrap().push(sample);
        Flow::Continue
    };
    dataset.samples(&sink).unwrap();
    samples.into_inner().unwrap()
}

fn write(folder: &Path, name: &str, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.join(name), text).unwrap();
}

mod wording {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "test.jsonl", &[json!({"question": "How many?", "answer": "Many.\n#### 1,234"})]);
        let worked = "6 * 3 = <<6*3=18>>18\n#### 18";
        write(folder.path(), "train.jsonl", &[json!({"question": "Why?", "answer": worked})]);
        folder
    }

    #[test]
    fn question_and_worked_answer() {
        let folder = folder();
        let mut dataset = open(folder.path(), json!({"path": "test.jsonl", "train": "train.jsonl"})).unwrap();
        let [sample] = &samples(&mut dataset)[..] else { panic!("expected one sample") };
        assert_eq!(sample.id, "test-0");
        assert_eq!(sample.prompt, "Question: How many?\nAnswer:");
        assert_eq!(sample.delimiter, " ");
        assert_eq!(sample.gold, Gold::text("1234"));
        assert_eq!(json!(*sample.metadata), json!({"index": 0, "split": "test", "question": "How many?"}));
        assert_eq!(sample.document["answer"], "Many.\n#### 1,234");
        let [shot] = &dataset.few_shot_pool().unwrap()[..] else { panic!("expected one shot") };
        assert_eq!(shot.id, None, "a row of another file is no question of this one");
        assert_eq!(shot.prompt.clone() + &shot.answer, "Question: Why?\nAnswer: 6 * 3 = <<6*3=18>>18\n#### 18");
    }

    #[test]
    fn chain_of_thought() {
        let folder = folder();
        let mut dataset =
            open(folder.path(), json!({"path": "train.jsonl", "split": "train", "prompt": "cot"})).unwrap();
        let samples = samples(&mut dataset);
        assert_eq!(samples[0].prompt, "Question: Why?\nAnswer: Let's think step by step.");
        let pool = dataset.few_shot_pool().unwrap();
        assert_eq!(pool[0].answer, " 6 * 3 = 18\nThe answer is 18.");
        assert_eq!(pool[0].id.as_ref(), Some(&samples[0].id), "no question is shown its own answer");
        let same = json!({"path": "train.jsonl", "train": "train.jsonl"});
        let pool = open(folder.path(), same).unwrap().few_shot_pool().unwrap();
        assert_eq!(pool[0].id.as_deref(), Some("test-0"), "by the name that its question has");
    }

    #[test]
    fn choices_hold_the_right_number_and_examples_end_in_theirs() {
        let folder = folder();
        let options = json!({"path": "test.jsonl", "train": "train.jsonl", "as": "choices", "distractors": 4});
        let mut dataset = open(folder.path(), options).unwrap();
        let [sample] = &samples(&mut dataset)[..] else { panic!("expected one sample") };
        assert_eq!((&*sample.prompt, &*sample.delimiter), ("Question: How many?\nAnswer:", " "));
        let Gold::Choice(right) = sample.gold else { panic!("{:?}", sample.gold) };
        assert_eq!((sample.choices.len(), &*sample.choices[right]), (5, "1234"));
        assert_eq!(dataset.info().unwrap().scorer.as_deref(), Some("perplexity-choice"));
        let [shot] = &dataset.few_shot_pool().unwrap()[..] else { panic!("expected one shot") };
        assert_eq!(shot.prompt.clone() + &shot.answer, "Question: Why?\nAnswer: 18");
    }

    #[test]
    fn the_fingerprint_follows_how_choices_are_made() {
        let folder = folder();
        let fingerprint = |name: &str, value: Value| {
            let mut options = json!({"path": "test.jsonl", "as": "choices"});
            options[name] = value;
            open(folder.path(), options).unwrap().info().unwrap().fingerprint
        };
        let base = fingerprint("distractors", json!(3));
        for (name, value) in [("as", json!("free")), ("distractors", json!(4)), ("distractor_seed", json!(1))] {
            assert_ne!(fingerprint(name, value), base, "{name}");
        }
    }

    #[test]
    fn the_fingerprint_follows_rows_and_wording() {
        let folder = folder();
        let fingerprint = |options: Value| open(folder.path(), options).unwrap().info().unwrap().fingerprint;
        let base = fingerprint(json!({"path": "test.jsonl"}));
        assert_eq!(base, fingerprint(json!({"path": "./test.jsonl"})));
        assert_ne!(base, fingerprint(json!({"path": "train.jsonl"})));
        assert_ne!(base, fingerprint(json!({"path": "test.jsonl", "prompt": "cot"})));
        assert_ne!(base, fingerprint(json!({"path": "test.jsonl", "train": "train.jsonl"})));
    }

    #[test]
    fn stops_when_the_receiver_does() {
        let folder = tempfile::tempdir().unwrap();
        let row = json!({"question": "Q", "answer": "#### 1"});
        write(folder.path(), "test.jsonl", &[row.clone(), row.clone(), row]);
        let mut dataset = open(folder.path(), json!({"path": "test.jsonl"})).unwrap();
        assert_eq!(dataset.info().unwrap().rows, Some(3));
        let seen = Mutex::new(0);
        let sink = |_: Sample| {
            *seen.lock().unwrap() += 1;
            Flow::Stop
        };
        dataset.samples(&sink).unwrap();
        assert_eq!(seen.into_inner().unwrap(), 1);
    }
}

mod damage {
    use super::*;

    #[test]
    fn unknown_options_are_refused_and_known_ones_described() {
        let refused = serde_json::from_value::<Options>(json!({"shot": 3})).unwrap_err().to_string();
        assert!(refused.starts_with("unknown field `shot`"), "{refused}");
        let schema = examiner_plugin_gsm8k::plugin().info().roles[0].options.clone();
        for option in ["path", "split", "train", "prompt"] {
            assert!(schema["properties"][option]["description"].is_string(), "{option}");
        }
    }

    #[test]
    fn choices_that_cannot_be_made_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "test.jsonl", &[json!({"question": "Q", "answer": "#### 1"})]);
        for (name, value) in [("distractors", json!(0)), ("distractors", json!(10)), ("prompt", json!("cot"))] {
            let mut options = json!({"path": "test.jsonl", "as": "choices"});
            options[name] = value;
            let error = open(folder.path(), options).err().unwrap();
            assert_eq!(error.code, ErrorCode::BadOptions, "{name}: {error}");
        }
    }

    fn message(row: Value) -> String {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "test.jsonl", &[json!({"question": "Q", "answer": "#### 1"}), row]);
        let error = open(folder.path(), json!({"path": "test.jsonl"})).err().unwrap();
        assert_eq!(error.code, ErrorCode::BadInput);
        error.message.replace(&folder.path().join("test.jsonl").display().to_string(), "F")
    }

    #[test]
    fn names_file_line_and_what_was_expected() {
        assert_eq!(
            message(json!({"question": "Q", "answer": "18"})),
            "line 2 of `F`: expected an `answer` that ends in `####` and a number, found no `####`"
        );
        assert_eq!(
            message(json!({"question": "Q", "answer": "#### eighteen"})),
            "line 2 of `F`: expected a number after the `####` of `answer`, found `eighteen`"
        );
        assert_eq!(
            message(json!({"query": "Q", "answer": "#### 1"})),
            "line 2 of `F`: expected the field `question`, found `query`, `answer`"
        );
        assert_eq!(
            message(json!({"question": 1, "answer": "a"})),
            "line 2 of `F`: expected a string in the field `question`, found `1`"
        );
    }

    #[test]
    fn a_missing_pool_says_what_to_set() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "test.jsonl", &[json!({"question": "Q", "answer": "#### 1"})]);
        let error = open(folder.path(), json!({"path": "test.jsonl"})).unwrap().few_shot_pool().unwrap_err();
        assert!(error.help.unwrap().contains("`train`"));
    }
}

mod reference {
    use super::*;
    use examiner_test_support::{needs, rows, shared};

    #[needs(shared)]
    #[test]
    fn every_row_is_read() {
        let shared = shared();
        let options = json!({"path": "data/gsm8k/test.jsonl", "train": "data/gsm8k/train.jsonl"});
        let mut dataset = open(&shared, options).unwrap();
        assert_eq!(dataset.info().unwrap().rows, Some(1319));
        assert_eq!(dataset.few_shot_pool().unwrap().len(), 7473);
    }

    #[needs(shared)]
    #[test]
    fn prompts_and_golds_are_those_of_lm_evaluation_harness() {
        let shared = shared();
        let samples = samples(&mut open(&shared, json!({"path": "data/gsm8k/test.jsonl"})).unwrap());
        let oracle = rows(&shared.join("oracle/lm_eval/gsm8k_0shot.jsonl"));
        assert_eq!((samples.len(), oracle.len()), (1319, 300));
        for (expected, sample) in oracle.iter().zip(&samples) {
            assert_eq!(sample.prompt, expected["prompt"]);
            // The oracle keeps the commas here, and ignores them when it compares.
            assert_eq!(sample.gold, Gold::text(expected["gold"].as_str().unwrap().replace(',', "")));
        }
    }
}
