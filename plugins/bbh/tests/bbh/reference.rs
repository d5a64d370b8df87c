use crate::fixture::{RecipeRun, Teacher, open, samples};
use examiner_api::{Dataset, PluginError};
use examiner_plugin_bbh::TASKS;
use examiner_test_support::{needs, rows, shared};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

#[needs(shared)]
#[test]
fn every_task_is_read_and_prompted_as_its_authors_did() {
    let shared = shared();
    let mut dataset = open(&shared, json!({"path": "data/bbh", "official_shots": 3})).unwrap();
    assert_eq!(dataset.info().unwrap().rows, Some(6511));
    let samples = samples(&mut dataset);
    let prompts: HashMap<&str, String> = TASKS
        .into_iter()
        .map(|task| {
            let text = std::fs::read_to_string(shared.join(format!("data/bbh/cot-prompts/{task}.txt"))).unwrap();
            (task, text.split_once("-----\n").unwrap().1.trim().to_owned())
        })
        .collect();
    for sample in &samples {
        let (task, question) = (sample.subset.as_deref().unwrap(), sample.document["input"].as_str().unwrap());
        let expected = format!("{}\n\nQ: {question}\nA: Let's think step by step.", prompts[task]);
        assert_eq!(sample.prompt, expected, "{}", sample.id);
    }
    let clustered = samples.iter().filter(|sample| sample.cluster.is_some()).count();
    assert_eq!(clustered, 8, "four questions occur twice");
}

#[needs(shared)]
#[test]
fn all_options_but_those_of_three_questions_hold_the_right_answer() {
    let shared = shared();
    let mut dataset = open(&shared, json!({"path": "data/bbh", "as": "choices"})).unwrap();
    let samples = samples(&mut dataset);
    let tasks: HashSet<&str> = samples.iter().filter_map(|sample| sample.subset.as_deref()).collect();
    let free = ["boolean_expressions", "dyck_languages", "multistep_arithmetic_two", "object_counting"];
    let free = free.into_iter().chain(["sports_understanding", "web_of_lies", "word_sorting"]);
    assert_eq!(tasks.len() + free.filter(|task| !tasks.contains(task)).count(), 27);
    assert_eq!(samples.len(), 6511 - 7 * 250 - 3);
}

#[needs(shared)]
#[test]
fn a_real_teachers_right_answers_are_kept() {
    let shared = shared();
    let recorded: HashMap<(String, u64), String> = rows(&shared.join("data/teacher/code-davinci-002-cot.jsonl"))
        .into_iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            ((text("task"), row["index"].as_u64().unwrap()), text("completion"))
        })
        .collect();
    let teacher = Teacher::new(move |request| {
        let of = &request.sample.metadata;
        let key = (of["task"].as_str().unwrap().to_owned(), of["index"].as_u64().unwrap());
        recorded.get(&key).cloned().ok_or_else(|| PluginError::not_found("not recorded"))
    });
    let folder = tempfile::tempdir().unwrap();
    let run = RecipeRun::new(folder.path()).with("tasks", json!("all"));
    let run = run.with("path", json!(shared.join("data/bbh")));
    let report = run.make(&teacher).unwrap();
    let details = |name: &str| report.details[name].as_u64().unwrap();
    assert_eq!((details("asked"), details("right"), details("kept")), (6511, 4816, 4814));
    let rows = rows(&report.rows);
    let questions: HashSet<(&Value, &Value)> = rows.iter().map(|row| (&row["task"], &row["question"])).collect();
    assert_eq!((rows.len(), questions.len()), (4814, 4814));
}
