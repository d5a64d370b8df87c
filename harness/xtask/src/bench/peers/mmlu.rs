//! MMLU: whole processes, from the command to the score, beside lm-evaluation-harness on its own task.

use super::evaluations::{in_turns, newest_results, run_suite};
use super::result::PeerResult;
use super::setup::{Model, Precision, Setup, smollm2};
use crate::program::measure::{self, Usage};
use crate::program::python;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Whether data sets are there in the layout of the hub.
pub(super) fn has_hub(data: &Path) -> bool {
    data.join("hub").is_dir()
}

/// Measures all 57 subjects with five examples before each question.
pub(super) fn mmlu(setup: &Setup) -> Result<Vec<PeerResult>> {
    let (model, hub) = (smollm2(setup)?, setup.data.join("hub"));
    ensure!(
        has_hub(&setup.data),
        "expected data sets in the layout of the hub in `{}`; there is no such directory",
        hub.display()
    );
    let limit = if setup.quick { 2 } else { 20 };
    let what = format!("{}: MMLU, 57 x {limit} x 5-shot", model.name);
    in_turns(
        setup,
        &what,
        20.0,
        |round| examiner(setup, &model, &hub, limit, round),
        || lm_eval(setup, &model, &hub, limit),
    )
}

fn examiner(setup: &Setup, model: &Model, hub: &Path, limit: usize, round: usize) -> Result<(Usage, f64)> {
    let name = format!("mmlu-{round}");
    let suite = json!({
        "name": name,
        "models": { "model": setup.candle(&model.checkpoint, Precision::Highest) },
        "datasets": { "mmlu": {
            "plugin": "lm-eval", "task": "mmlu", "tasks_dir": python::lm_eval_tasks(&setup.python)?, "hub_mirror": hub, "num_fewshot": 5,
            "limit_per_task": limit
        } },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    let (usage, results) = run_suite(setup, &name, &suite)?;
    let accuracy = results.summary_of("model", "mmlu", "mmlu", "lm-eval", "acc")?;
    Ok((usage, accuracy))
}

/// The same by lm-evaluation-harness, which finds data sets by folders of their names in its working directory.
fn lm_eval(setup: &Setup, model: &Model, hub: &Path, limit: usize) -> Result<(Usage, f64)> {
    let out = setup.work.join("lm-eval-mmlu");
    let mut command = Command::new(&setup.python);
    command.args(["-m", "lm_eval", "--model", "hf", "--device", "cpu", "--batch_size", "8", "--tasks", "mmlu"]);
    command.arg("--model_args").arg(format!("pretrained={},dtype=float32", model.checkpoint.display()));
    command.arg("--output_path").arg(&out).args(["--num_fewshot", "5", "--limit", &limit.to_string()]);
    command.env("HF_HUB_OFFLINE", "1").env("HF_DATASETS_OFFLINE", "1").env("HF_HOME", setup.work.join("cache"));
    let usage = measure::run(command.current_dir(hub))?;
    let results = newest_results(&out)?;
    let accuracy = results["groups"]["mmlu"]["acc,none"].as_f64();
    Ok((usage, accuracy.context("lm-evaluation-harness reports no `acc` of `mmlu`")?))
}
