//! CommonsenseQA: whole processes, from the command to the score, beside lm-evaluation-harness.

use super::{Ground, Line, median};
use crate::measure::{self, Taken};
use crate::process::write;
use crate::program::{Results, json_lines};
use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde_json::{Value, json};
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

/// Examples before each question, and how far ahead the program must be.
pub(super) fn choices(ground: &Ground, shots: usize) -> Result<Vec<Line>> {
    let rows = rows(ground)?;
    let limit = match (ground.quick, shots) {
        (true, _) => 24,
        (false, 0) => 1221,
        // The peer would take half an hour for all of them, each round.
        (false, _) => 400,
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut scores = (0.0, 0.0);
    for round in 0..ground.rounds {
        let (taken, score) = examiner(ground, &rows, shots, limit, round)?;
        ours.push(taken);
        scores.0 = score;
        let (taken, score) = lm_eval(ground, &rows, shots, limit)?;
        theirs.push(taken);
        scores.1 = score;
    }
    let what = format!("CommonsenseQA, {limit} questions, {shots} examples");
    let line = |what: String, unit, pick: fn(&Taken) -> f64, at_least| -> Result<Line> {
        let of = |taken: &[Taken]| median(taken.iter().map(pick).collect());
        let (ours, theirs) = (of(&ours)?, of(&theirs)?);
        let peer = "lm-evaluation-harness".to_owned();
        Ok(Line {
            what,
            peer,
            unit,
            ours,
            theirs,
            ratio: theirs / ours,
            at_least,
            scores: Some((scores.0, scores.1, 1e-3)),
        })
    };
    Ok(vec![
        line(what.clone(), "s", |taken| taken.seconds, if shots == 0 { 4.0 } else { 30.0 })?,
        line(format!("{what}: peak memory"), "MiB", |taken| taken.peak_mib, 2.0)?,
    ])
}

/// The questions, each a flat row, as both sides read them.
fn rows(ground: &Ground) -> Result<PathBuf> {
    let path = ground.work.join("csqa.jsonl");
    let row = |row: Published| -> Result<String> {
        let choices = &row.question.choices;
        let answer = choices.iter().position(|choice| choice.label == row.answer_key);
        let answer = answer.ok_or_else(|| anyhow!("no choice has the label `{}`", row.answer_key))?;
        let texts: Vec<&str> = choices.iter().map(|choice| choice.text.as_str()).collect();
        Ok(format!("{}\n", json!({ "question": row.question.stem, "choices": texts, "answer": answer })))
    };
    let published: Vec<Published> = json_lines(&ground.data.join("csqa/dev_rand_split.jsonl"))?;
    write(&path, published.into_iter().map(row).collect::<Result<String>>()?)?;
    Ok(path)
}

fn examiner(ground: &Ground, rows: &Path, shots: usize, limit: usize, round: usize) -> Result<(Taken, f64)> {
    let name = format!("csqa-{shots}-{round}");
    let suite = json!({
        "name": name,
        "models": { "gpt2": { "plugin": "candle", "checkpoint": ground.model, "device": "cpu" } },
        "datasets": { "csqa": {
            "plugin": "table", "path": rows, "prompt": "Question: {{ question }}\nAnswer:", "choices": "choices",
            "gold": "answer", "gold_is": "index", "few_shot": "same", "shots": shots, "shots_from": "first", "limit": limit,
            "scorer": { "name": "perplexity-choice", "normalize": ["sum", "chars"] }
        } },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    let path = ground.work.join(format!("{name}.yaml"));
    write(&path, serde_yaml::to_string(&suite)?)?;
    let out = ground.work.join(&name);
    let mut command = Command::new(&ground.program);
    let taken = measure::whole(command.arg("run").arg(&path).arg("--out").arg(&out).current_dir(&ground.work))?;
    let results = Results::at(out);
    let accuracy = results.summary("gpt2", "csqa", "perplexity-choice", "acc")?;
    Ok((taken, accuracy + results.summary("gpt2", "csqa", "perplexity-choice", "acc_norm")?))
}

/// The same by lm-evaluation-harness; its fastest batch for short texts on two cores.
fn lm_eval(ground: &Ground, rows: &Path, shots: usize, limit: usize) -> Result<(Taken, f64)> {
    let tasks = ground.work.join("tasks");
    let metric = |name: &str| json!({ "metric": name, "aggregation": "mean", "higher_is_better": true });
    let task = json!({
        "task": "csqa_rows", "dataset_path": "json", "dataset_kwargs": { "data_files": { "validation": rows } },
        "output_type": "multiple_choice", "validation_split": "validation", "fewshot_split": "validation",
        "fewshot_config": { "sampler": "first_n" }, "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices}}", "doc_to_target": "{{answer}}", "metric_list": [metric("acc"), metric("acc_norm")]
    });
    write(&tasks.join("csqa_rows.yaml"), serde_yaml::to_string(&task)?)?;
    let out = ground.work.join(format!("lm-eval-{shots}"));
    let mut command = Command::new(&ground.python);
    command.args(["-m", "lm_eval", "--model", "hf", "--device", "cpu", "--batch_size", "16", "--tasks", "csqa_rows"]);
    command.arg("--model_args").arg(format!("pretrained={},dtype=float32", ground.model.display()));
    command.arg("--include_path").arg(&tasks).arg("--output_path").arg(&out);
    command.args(["--num_fewshot", &shots.to_string(), "--limit", &limit.to_string()]);
    command.env("HF_HUB_OFFLINE", "1").env("HF_DATASETS_CACHE", ground.work.join("datasets")).current_dir(&ground.work);
    let taken = measure::whole(&mut command)?;
    let results = newest_results(&out)?;
    let metric = |name: &str| results["results"]["csqa_rows"][name].as_f64();
    let sum = metric("acc,none").zip(metric("acc_norm,none")).map(|(acc, acc_norm)| acc + acc_norm);
    Ok((taken, sum.context("lm-evaluation-harness reports no `acc` and `acc_norm`")?))
}

fn newest_results(out: &Path) -> Result<Value> {
    let mut files = Vec::new();
    for directory in std::fs::read_dir(out)? {
        let entries = std::fs::read_dir(directory?.path())?.filter_map(|entry| Some(entry.ok()?.path()));
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")));
    }
    files.sort();
    let newest = files.pop().context("lm-evaluation-harness has left no results")?;
    Ok(serde_json::from_str(&std::fs::read_to_string(newest)?)?)
}
