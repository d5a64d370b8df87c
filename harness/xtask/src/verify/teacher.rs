//! A recorded teacher of 175 billion parameters on BIG-Bench-Hard, with the accuracies that the benchmark's authors
//! published for it; and the training data that is made of its answers.

use super::tally::Comparison;
use super::{Bench, pairs};
use crate::program::json_lines;
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

/// The recorded teacher as `replay` plays it.
pub(super) fn model(bench: &Bench) -> Value {
    let path = bench.shared("data/teacher/code-davinci-002-cot.jsonl");
    json!({ "plugin": "replay", "path": path, "key": ["task", "index"] })
}

pub(super) fn compare(bench: &Bench) -> Result<Vec<Comparison>> {
    let path = bench.shared("data/bbh");
    let results = bench.examine(&json!({
        "name": "teacher",
        "models": { "teacher": model(bench) },
        "datasets": { "bbh": { "plugin": "bbh", "path": path } },
        "teach": { "bbh": { "recipe": "bbh", "teacher": "teacher", "path": path, "name": "verify" } },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut tasks = Comparison::new("recorded teacher: accuracy of each task");
    for (task, published) in published(&bench.shared("data/teacher/published_accuracy.csv"))? {
        let ours = results.summary_of("teacher", "bbh", &task, "answer-extraction", "accuracy")?;
        tasks.numbers(&[100.0 * ours], &[published], 0.01);
    }
    let mut mean = Comparison::new("recorded teacher: mean over the tasks");
    let ours = results.summary_of("teacher", "bbh", "macro", "answer-extraction", "accuracy")?;
    mean.numbers(&[100.0 * ours], &[MACRO], 0.05);

    let data = bench.work.join("data");
    let rows: Vec<Row> = json_lines(&data.join("F_verify_3shot_1aug.jsonl"))?;
    let mut counts = Comparison::new("teacher data: answers right, questions kept");
    let total = total(&data.join("F_verify_3shot_1aug.yield.csv"))?;
    counts.numbers(&[total["right"]], &[RIGHT], 0.0);
    counts.numbers(&[total["kept"]], &[QUESTIONS], 0.0);
    let questions: HashSet<(&str, &str)> = rows.iter().map(|row| (&*row.task, &*row.question)).collect();
    counts.numbers(&[rows.len() as f64, questions.len() as f64], &[QUESTIONS, QUESTIONS], 0.0);

    let mut answers = Comparison::new("teacher data: answers are the targets");
    let targets = targets(bench, &rows)?;
    for (row, (question, target)) in pairs(&rows, &targets)? {
        let taught = row.completion.contains(target.as_str()) && row.prompt == format!("Q: {question}\nA:");
        answers.row(row.answer == *target && row.question == *question && taught);
    }
    Ok(vec![tasks, mean, counts, answers])
}

/// The published accuracies of the tasks, in percent.
fn published(path: &Path) -> Result<Vec<(String, f64)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let accuracies = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let accuracies = accuracies.filter(|line| line.first() == Some(&"cot"));
    let read = |line: Vec<&str>| match line[..] {
        [_, task, _, accuracy, ..] => Ok((task.to_owned(), accuracy.parse()?)),
        _ => anyhow::bail!("expected five columns in `{}`", path.display()),
    };
    let accuracies: Vec<(String, f64)> = accuracies.map(read).collect::<Result<_>>()?;
    ensure!(accuracies.len() == 27, "expected 27 tasks in `{}`, found {}", path.display(), accuracies.len());
    Ok(accuracies)
}

/// The last line of a yield report, by column.
fn total(path: &Path) -> Result<BTreeMap<String, f64>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (Some(header), Some(total)) = (text.lines().next(), text.lines().last()) else {
        anyhow::bail!("`{}` is empty", path.display())
    };
    let columns = header.split(',').zip(total.split(',')).skip(1);
    columns.map(|(name, number)| Ok((name.to_owned(), number.parse()?))).collect()
}

/// Question and target of each row, from the benchmark's files: a row's sample is its task and its place there.
fn targets(bench: &Bench, rows: &[Row]) -> Result<Vec<(String, String)>> {
    let mut files: BTreeMap<&str, Value> = BTreeMap::new();
    let mut targets = Vec::with_capacity(rows.len());
    for row in rows {
        if !files.contains_key(&*row.task) {
            let path = bench.shared(&format!("data/bbh/tasks/{}.json", row.task));
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            files.insert(&row.task, serde_json::from_str(&text)?);
        }
        let index: usize = row.sample.rsplit_once('-').context("a sample without a place")?.1.parse()?;
        let example = &files[&*row.task]["examples"][index];
        let text =
            |field: &str| example[field].as_str().map(str::to_owned).context("a sample that the benchmark lacks");
        targets.push((text("input")?, text("target")?));
    }
    Ok(targets)
}
