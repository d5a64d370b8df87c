//! CommonsenseQA: whole processes, from the command to the score, beside lm-evaluation-harness.

use super::evaluations::{in_turns, newest_results, run_suite};
use super::result::PeerResult;
use super::setup::{Model, Precision, Setup};
use crate::program::files::{json_lines, write};
use crate::program::measure::{self, Usage};
use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A row of CommonsenseQA as it is published.
#[derive(Deserialize)]
struct Published {
    #[serde(rename = "answerKey")]
    answer_key: String,
    question: Question,
}

#[derive(Deserialize)]
struct Question {
    stem: String,
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    label: String,
    text: String,
}

/// Measures both with this number of examples before each question.
pub(super) fn choices(setup: &Setup, model: &Model, shots: usize) -> Result<Vec<PeerResult>> {
    let rows = rows(setup)?;
    let limit = match (setup.quick, shots) {
        (true, _) => 24,
        (false, 0) => 1221,
        // The peer would need half an hour for all of them in each round.
        (false, _) => 400,
    };
    let what = format!("{}: CommonsenseQA, {limit} x {shots}-shot", model.name);
    let at_least = if shots == 0 { 4.0 } else { 30.0 };
    in_turns(
        setup,
        &what,
        at_least,
        |round| examiner(setup, model, &rows, shots, limit, round),
        || lm_eval(setup, model, &rows, shots, limit),
    )
}

/// Writes the questions as flat rows, which both programs read.
fn rows(setup: &Setup) -> Result<PathBuf> {
    let path = setup.work.join("csqa.jsonl");
    let row = |row: Published| -> Result<String> {
        let choices = &row.question.choices;
        let answer = choices.iter().position(|choice| choice.label == row.answer_key);
        let answer = answer.ok_or_else(|| anyhow!("no choice has the label `{}`", row.answer_key))?;
        let texts: Vec<&str> = choices.iter().map(|choice| choice.text.as_str()).collect();
        Ok(format!("{}\n", json!({ "question": row.question.stem, "choices": texts, "answer": answer })))
    };
    write(&path, published(setup)?.into_iter().map(row).collect::<Result<String>>()?)?;
    Ok(path)
}

/// The texts of the questions.
pub(super) fn question_texts(setup: &Setup) -> Result<Vec<String>> {
    Ok(published(setup)?.into_iter().map(|row| row.question.stem).collect())
}

fn published(setup: &Setup) -> Result<Vec<Published>> {
    json_lines(&setup.data.join("csqa/dev_rand_split.jsonl"))
}

fn examiner(
    setup: &Setup,
    model: &Model,
    rows: &Path,
    shots: usize,
    limit: usize,
    round: usize,
) -> Result<(Usage, f64)> {
    let name = format!("csqa-{}-{shots}-{round}", model.name.replace(' ', "-"));
    let suite = json!({
        "name": name,
        "models": { "model": setup.candle(&model.checkpoint, Precision::Highest) },
        "datasets": { "csqa": {
            "plugin": "table", "path": rows, "prompt": "Question: {{ question }}\nAnswer:", "choices": "choices",
            "gold": "answer", "gold_is": "index", "few_shot": "same", "shots": shots, "shots_from": "first",
            "contamination": "keep", "limit": limit,
            "scorer": { "name": "perplexity-choice", "normalize": ["sum", "chars"] }
        } },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    let (usage, results) = run_suite(setup, &name, &suite)?;
    let accuracy = results.summary("model", "csqa", "perplexity-choice", "acc")?;
    Ok((usage, accuracy + results.summary("model", "csqa", "perplexity-choice", "acc_norm")?))
}

/// The same by lm-evaluation-harness; its fastest batch for short texts on two cores.
fn lm_eval(setup: &Setup, model: &Model, rows: &Path, shots: usize, limit: usize) -> Result<(Usage, f64)> {
    let tasks = setup.work.join("tasks");
    let metric = |name: &str| json!({ "metric": name, "aggregation": "mean", "higher_is_better": true });
    let task = json!({
        "task": "csqa_rows", "dataset_path": "json", "dataset_kwargs": { "data_files": { "validation": rows } },
        "output_type": "multiple_choice", "validation_split": "validation", "fewshot_split": "validation",
        "fewshot_config": { "sampler": "first_n" }, "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices}}", "doc_to_target": "{{answer}}", "metric_list": [metric("acc"), metric("acc_norm")]
    });
    write(&tasks.join("csqa_rows.yaml"), serde_yaml::to_string(&task)?)?;
    let out = setup.work.join(format!("lm-eval-{}-{shots}", model.name.replace(' ', "-")));
    let mut command = Command::new(&setup.python);
    command.args(["-m", "lm_eval", "--model", "hf", "--device", "cpu", "--batch_size", "16", "--tasks", "csqa_rows"]);
    command.arg("--model_args").arg(format!("pretrained={},dtype=float32", model.checkpoint.display()));
    command.arg("--include_path").arg(&tasks).arg("--output_path").arg(&out);
    command.args(["--num_fewshot", &shots.to_string(), "--limit", &limit.to_string()]);
    command.env("HF_HUB_OFFLINE", "1").env("HF_DATASETS_CACHE", setup.work.join("datasets")).current_dir(&setup.work);
    let usage = measure::run(&mut command)?;
    let results = newest_results(&out)?;
    let metric = |name: &str| results["results"]["csqa_rows"][name].as_f64();
    let sum = metric("acc,none").zip(metric("acc_norm,none")).map(|(acc, acc_norm)| acc + acc_norm);
    Ok((usage, sum.context("lm-evaluation-harness reports no `acc` and `acc_norm`")?))
}
