//! MMLU: whole processes, from the command to the score, beside lm-evaluation-harness on its own task.

use super::result::PeerResult;
use super::setup::{Setup, newest_results};
use crate::bench::work::median;
use crate::program::files::write;
use crate::program::measure::{self, Usage};
use crate::program::{Results, python};
use crate::real_models;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// The published model.
const MODEL: &str = "smollm2";

/// Measures all 57 subjects with five examples before each question.
pub(super) fn mmlu(setup: &Setup) -> Result<Vec<PeerResult>> {
    let (model, hub) = (real_models::directory().join(MODEL), setup.data.join("hub"));
    ensure!(
        model.join("config.json").is_file() && hub.is_dir(),
        "expected SmolLM2 in `{}` and data in the hub's layout in `{}`; `cargo xtask real-models` gets the model",
        model.display(),
        hub.display()
    );
    let limit = if setup.quick { 2 } else { 20 };
    let (mut ours, mut theirs, mut scores) = (Vec::new(), Vec::new(), (0.0, 0.0));
    for round in 0..setup.rounds {
        let (usage, score) = examiner(setup, &model, &hub, limit, round)?;
        ours.push(usage);
        scores.0 = score;
        let (usage, score) = lm_eval(setup, &model, &hub, limit)?;
        theirs.push(usage);
        scores.1 = score;
    }
    let line = |what: &str, unit, pick: fn(&Usage) -> f64, at_least| -> Result<PeerResult> {
        let of = |usage: &[Usage]| median(usage.iter().map(pick).collect());
        let (ours, theirs) = (of(&ours)?, of(&theirs)?);
        Ok(PeerResult {
            what: format!("MMLU of SmolLM2, 57 x {limit} questions, 5 examples{what}"),
            peer: "lm-evaluation-harness".to_owned(),
            unit,
            ours,
            theirs,
            ratio: theirs / ours,
            at_least,
            scores: Some((scores.0, scores.1, 1e-3)),
        })
    };
    Ok(vec![line("", "s", |usage| usage.seconds, 20.0)?, line(": peak memory", "MiB", |usage| usage.peak_mib, 2.0)?])
}

fn examiner(setup: &Setup, model: &Path, hub: &Path, limit: usize, round: usize) -> Result<(Usage, f64)> {
    let name = format!("mmlu-{round}");
    let suite = json!({
        "name": name,
        "models": { "model": { "plugin": "candle", "checkpoint": model, "device": "cpu", "chat": false } },
        "datasets": { "mmlu": {
            "plugin": "lm-eval", "task": "mmlu", "tasks_dir": python::lm_eval_tasks(&setup.python)?, "hub_mirror": hub, "num_fewshot": 5,
            "limit_per_task": limit
        } },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    let path = setup.work.join(format!("{name}.yaml"));
    write(&path, serde_yaml::to_string(&suite)?)?;
    let out = setup.work.join(&name);
    let mut command = Command::new(&setup.program);
    let usage = measure::run(command.arg("run").arg(&path).arg("--out").arg(&out).current_dir(&setup.work))?;
    let accuracy = Results::at(out).summary_of("model", "mmlu", "mmlu_stem", "lm-eval", "acc")?;
    Ok((usage, accuracy))
}

/// The same by lm-evaluation-harness, which finds data sets by folders of their names in its working directory.
fn lm_eval(setup: &Setup, model: &Path, hub: &Path, limit: usize) -> Result<(Usage, f64)> {
    let out = setup.work.join("lm-eval-mmlu");
    let mut command = Command::new(&setup.python);
    command.args(["-m", "lm_eval", "--model", "hf", "--device", "cpu", "--batch_size", "8", "--tasks", "mmlu"]);
    command.arg("--model_args").arg(format!("pretrained={},dtype=float32", model.display()));
    command.arg("--output_path").arg(&out).args(["--num_fewshot", "5", "--limit", &limit.to_string()]);
    command.env("HF_HUB_OFFLINE", "1").env("HF_DATASETS_OFFLINE", "1").env("HF_HOME", setup.work.join("cache"));
    let usage = measure::run(command.current_dir(hub))?;
    let results = newest_results(&out)?;
    let accuracy = results["groups"]["mmlu_stem"]["acc,none"].as_f64();
    Ok((usage, accuracy.context("lm-evaluation-harness reports no `acc` of `mmlu_stem`")?))
}
