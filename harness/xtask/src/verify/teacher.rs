//! A recorded teacher of 175 billion parameters on BIG-Setup-Hard, with the accuracies that the benchmark's authors
//! published for it; and the training data from its answers.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::program::files::{csv_rows, json_lines, read};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// The mean over the tasks that the benchmark's authors report.
const MACRO: f64 = 73.7;
/// Answers that are right by their rule.
const RIGHT: f64 = 4816.0;
/// Questions among those; two are asked twice.
const QUESTIONS: f64 = 4814.0;

/// A row of the training data, as far as comparisons look at it.
#[derive(Deserialize)]
struct Row {
    sample: String,
    task: String,
    question: String,
    answer: String,
    prompt: String,
    completion: String,
}

/// The recorded teacher, as a model of `replay`.
pub(super) fn model(setup: &Setup) -> Value {
    let path = setup.shared("data/teacher/code-davinci-002-cot.jsonl");
    json!({ "plugin": "replay", "path": path, "key": ["task", "index"] })
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let path = setup.shared("data/bbh");
    let results = setup.examine(&json!({
        "name": "teacher",
        "models": { "teacher": model(setup) },
        "datasets": { "bbh": { "plugin": "bbh", "path": path } },
        "teach": { "bbh": { "recipe": "bbh", "teacher": "teacher", "path": path, "name": "verify" } },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut tasks = Comparison::new("recorded teacher: accuracy of each task");
    for PublishedAccuracy { task, accuracy, .. } in published(&setup.shared("data/teacher/published_accuracy.csv"))? {
        let ours = results.summary_of("teacher", "bbh", &task, "answer-extraction", "accuracy")?;
        tasks.numbers(&[100.0 * ours], &[accuracy], 0.01);
    }
    let mut mean = Comparison::new("recorded teacher: mean over the tasks");
    let ours = results.summary_of("teacher", "bbh", "macro", "answer-extraction", "accuracy")?;
    mean.numbers(&[100.0 * ours], &[MACRO], 0.05);

    let data = setup.work.join("data");
    let rows: Vec<Row> = json_lines(&data.join("F_verify_3shot_1aug.jsonl"))?;
    let mut counts = Comparison::new("teacher data: answers right, questions kept");
    let total = total(&data.join("F_verify_3shot_1aug.yield.csv"))?;
    counts.numbers(&[total.right], &[RIGHT], 0.0);
    counts.numbers(&[total.kept], &[QUESTIONS], 0.0);
    let questions: HashSet<(&str, &str)> = rows.iter().map(|row| (&*row.task, &*row.question)).collect();
    counts.numbers(&[rows.len() as f64, questions.len() as f64], &[QUESTIONS, QUESTIONS], 0.0);

    let mut answers = Comparison::new("teacher data: answers are the targets");
    let targets = targets(setup, &rows)?;
    for (row, (question, target)) in pairs(&rows, &targets)? {
        let taught = row.completion.contains(target.as_str()) && row.prompt == format!("Q: {question}\nA:");
        answers.row(row.answer == *target && row.question == *question && taught);
    }
    Ok(vec![tasks, mean, counts, answers])
}

/// A row of `published_accuracy.csv`.
#[derive(Deserialize)]
struct PublishedAccuracy {
    mode: String,
    task: String,
    /// In percent.
    accuracy: f64,
}

/// The published accuracies of the tasks with chain-of-thought prompts.
fn published(path: &Path) -> Result<Vec<PublishedAccuracy>> {
    let mut accuracies: Vec<PublishedAccuracy> = csv_rows(path)?;
    accuracies.retain(|row| row.mode == "cot");
    ensure!(accuracies.len() == 27, "expected 27 tasks in `{}`, found {}", path.display(), accuracies.len());
    Ok(accuracies)
}

/// A row of a yield report, as far as comparisons look at it.
#[derive(Deserialize)]
struct YieldRow {
    task: String,
    right: f64,
    kept: f64,
}

/// The totals of a yield report.
fn total(path: &Path) -> Result<YieldRow> {
    let rows: Vec<YieldRow> = csv_rows(path)?;
    let total = rows.into_iter().find(|row| row.task == "total");
    total.with_context(|| format!("`{}` has no row `total`", path.display()))
}

/// Question and target of each row, from the benchmark's files: a row's sample is its task and its index there.
fn targets(setup: &Setup, rows: &[Row]) -> Result<Vec<(String, String)>> {
    let mut files: BTreeMap<&str, Value> = BTreeMap::new();
    let mut targets = Vec::with_capacity(rows.len());
    for row in rows {
        if !files.contains_key(&*row.task) {
            let path = setup.shared(&format!("data/bbh/tasks/{}.json", row.task));
            files.insert(&row.task, serde_json::from_str(&read(&path)?)?);
        }
        let index: usize = row.sample.rsplit_once('-').context("a sample without an index")?.1.parse()?;
        let example = &files[&*row.task]["examples"][index];
        let text =
            |field: &str| example[field].as_str().map(str::to_owned).context("a sample that the benchmark lacks");
        targets.push((text("input")?, text("target")?));
    }
    Ok(targets)
}
