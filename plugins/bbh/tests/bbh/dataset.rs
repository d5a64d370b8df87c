use crate::fixture::{benchmark, open, samples, tasks, write};
use examiner_api::{Dataset, Gold, PluginError, Sample};
use serde_json::{Value, json};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    benchmark(folder.path());
    folder
}

fn sample(options: Value, id: &str) -> Sample {
    let folder = folder();
    let mut dataset = open(folder.path(), options).unwrap();
    samples(&mut dataset).into_iter().find(|sample| sample.id == id).unwrap()
}

fn refused(options: Value) -> PluginError {
    open(folder().path(), options).err().unwrap()
}

#[test]
fn a_question_with_its_answer() {
    let sample = sample(json!({"path": ".", "tasks": tasks()}), "snarks-1");
    let question = "Which is soft?\nOptions:\n(A) a stone\n(B) a leaf (green)";
    assert_eq!(sample.prompt, format!("Q: {question}\nA: Let's think step by step."));
    assert_eq!((&*sample.delimiter, &sample.gold), (" ", &Gold::text("(B)")));
    assert_eq!(sample.subset.as_deref(), Some("snarks"));
    assert_eq!(json!(sample.metadata), json!({"task": "snarks", "index": 1, "question": question}));
    assert!(sample.choices.is_empty());
}

#[test]
fn bare_answers_are_asked_for_as_they_are_taught() {
    let sample = sample(json!({"path": ".", "tasks": tasks(), "as": "answers"}), "multistep_arithmetic_two-0");
    assert_eq!(format!("{}{}4", sample.prompt, sample.delimiter), "Q: 2 + 2 =\nA: 4");
    assert_eq!(sample.gold, Gold::text("4"));
}

#[test]
fn official_examples_are_those_of_the_task() {
    let options = |form: &str| json!({"path": "tasks", "tasks": tasks(), "as": form, "official_shots": 2});
    let cot = sample(options("cot"), "snarks-0");
    let question = "Which is hard?\nOptions:\n(A) a stone\n(B) a leaf (green)";
    let expected = format!(
        "About snarks.\n\nMore of it.\n\nQ: One?\nA: Let's think step by step.\nOne step.\nSo the answer is (A).\n\n\
         Q: Two?\nOptions:\n(A) x\nA: Let's think step by step.\nOne step.\nSo the answer is (B).\n\nQ: {question}\n\
         A: Let's think step by step."
    );
    assert_eq!(cot.prompt, expected);
    let answers = sample(options("answers"), "navigate-1");
    assert!(answers.prompt.starts_with("About navigate.\n\nMore of it.\n\nQ: One?\nA: (A)\n\nQ: Two?"));
    assert!(answers.prompt.ends_with("- No\nA:"), "{}", answers.prompt);
}

#[test]
fn choices_are_what_the_question_lists() {
    let folder = folder();
    let mut dataset =
        open(folder.path(), json!({"path": ".", "tasks": ["navigate", "snarks"], "as": "choices"})).unwrap();
    let samples = samples(&mut dataset);
    let found: Vec<(&str, String, &Gold)> =
        samples.iter().map(|sample| (&*sample.id, sample.choices.join("|"), &sample.gold)).collect();
    let (yes_no, letters) = ("Yes|No".to_owned(), "(A)|(B)".to_owned());
    let expected = [
        ("navigate-0", &yes_no, 0),
        ("navigate-1", &yes_no, 1),
        ("navigate-2", &yes_no, 1),
        ("snarks-0", &letters, 0),
        ("snarks-1", &letters, 1),
    ];
    // The right answer to the third of `snarks` is none of its options.
    assert_eq!(found.len(), expected.len());
    for (found, (id, choices, right)) in found.iter().zip(expected) {
        assert_eq!((found.0, &found.1, found.2), (id, choices, &Gold::Choice(right)));
    }
    let info = dataset.info().unwrap();
    assert_eq!((info.rows, info.scorer.as_deref()), (Some(5), Some("perplexity-choice")));
    let all_named = json!({"path": ".", "tasks": tasks(), "as": "choices"});
    assert!(
        open(folder.path(), all_named).err().unwrap().message.contains("`multistep_arithmetic_two` list no options")
    );
}

#[test]
fn questions_of_one_text_are_one_cluster() {
    let folder = folder();
    let mut dataset = open(folder.path(), json!({"path": ".", "tasks": ["navigate"]})).unwrap();
    let clusters: Vec<Option<String>> = samples(&mut dataset).into_iter().map(|sample| sample.cluster).collect();
    assert_eq!(clusters, [Some("navigate-0".to_owned()), None, Some("navigate-0".to_owned())]);
}

#[test]
fn the_authors_rule_judges_and_every_task_counts_the_same() {
    let folder = folder();
    let info = open(folder.path(), json!({"path": ".", "tasks": tasks()})).unwrap().info().unwrap();
    assert_eq!((info.rows, info.macro_average), (Some(9), true));
    assert_eq!(info.scorer.as_deref(), Some("answer-extraction"));
    assert_eq!((&info.scorer_options["extract"], &info.scorer_options["compare"]), (&json!("bbh"), &json!("string")));
    assert!(info.sampling.stop.contains(&"\nQ:".to_owned()));
}

#[test]
fn fewer_questions_of_each_task() {
    let folder = folder();
    let mut dataset = open(folder.path(), json!({"path": ".", "tasks": tasks(), "per_task": 1})).unwrap();
    let ids: Vec<String> = samples(&mut dataset).into_iter().map(|sample| sample.id).collect();
    assert_eq!(ids, ["navigate-0", "snarks-0", "multistep_arithmetic_two-0"]);
    assert_eq!(dataset.info().unwrap().rows, Some(3));
}

#[test]
fn the_fingerprint_is_that_of_files_and_options() {
    let folder = folder();
    let fingerprint = |options| open(folder.path(), options).unwrap().info().unwrap().fingerprint;
    let of = |name: &str, value: Value| {
        let mut options = json!({"path": ".", "tasks": tasks()});
        options[name] = value;
        fingerprint(options)
    };
    let plain = of("tasks", tasks());
    assert_eq!(of("path", json!("tasks")), plain, "where the files lie changes nothing");
    let others = [
        of("as", json!("answers")),
        of("official_shots", json!(1)),
        of("official_shots", json!(2)),
        of("per_task", json!(1)),
        of("tasks", json!(["navigate"])),
    ];
    for (index, other) in others.iter().enumerate() {
        assert!(*other != plain && !others[..index].contains(other), "{index}");
    }
    let prompts = folder.path().join("cot-prompts/snarks.txt");
    let text = std::fs::read_to_string(&prompts).unwrap();
    write(&prompts, &text.replace("One step", "A step"));
    assert_ne!(of("official_shots", json!(1)), others[1]);
    assert_eq!(of("tasks", tasks()), plain, "without examples their file is not read");
}

#[test]
fn what_cannot_be_used_is_told_before_any_model_is_asked() {
    let error = refused(json!({"path": ".", "tasks": ["navigat"]}));
    assert!(error.message.contains("did you mean `navigate`?"), "{error}");
    let error = refused(json!({"path": ".", "tasks": ["hyperbaton"]}));
    assert!(error.message.contains("there is no `hyperbaton.json`"), "{error}");
    let error = refused(json!({"path": "cot-prompts", "tasks": ["navigate"]}));
    assert!(error.message.contains("expected `*.json` files"), "{error}");
    let error = refused(json!({"path": ".", "prompts": "tasks", "tasks": ["navigate"], "official_shots": 1}));
    assert!(error.message.contains("there is no `navigate.txt`") && error.help.unwrap().contains("`prompts`"));
    let error = refused(json!({"path": ".", "tasks": ["navigate"], "official_shots": 4}));
    assert!(error.message.contains("at most 3"), "{error}");
    let error = refused(json!({"path": ".", "tasks": ["navigate"], "per_task": 0}));
    assert!(error.message.contains("leaves no question"), "{error}");

    let folder = folder();
    write(&folder.path().join("tasks/snarks.json"), r#"{"examples": [{"input": "x", "target": 3}]}"#);
    let error = open(folder.path(), json!({"path": ".", "tasks": ["snarks"]})).err().unwrap();
    assert!(error.message.contains("element 1") && error.message.contains("`target`, found `3`"), "{error}");
}

#[test]
fn shots_for_all_tasks_are_refused_with_what_to_write() {
    let folder = folder();
    let error = open(folder.path(), json!({"path": ".", "tasks": tasks()})).unwrap().few_shot_pool().unwrap_err();
    assert!(error.help.unwrap().contains("`official_shots: 3`"));
}
