//! The whole experiment with recorded answers, from the benchmark's files to a table of three models.

use super::comparison::Comparison;
use super::setup::Setup;
use crate::program::Results;
use crate::program::process::{command_line, root};
use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};

const SUITE: &str = "configs/cot-distill-recorded.yaml";
const MODELS: [&str; 3] = ["original", "vanilla", "student"];
const DATASETS: [&str; 3] = ["gsm8k", "gsm8k-zero", "gsm8k-choices"];
/// Questions of each task and dataset.
const LIMIT: usize = 3;

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let directory = setup.work.join("distill");
    let mut command = Command::new(&setup.program);
    command.arg("run").arg(root().join(SUITE)).arg("--out").arg(&directory);
    command.args(["--limit", &LIMIT.to_string()]).arg("--set").arg(format!("data={}", setup.shared("data").display()));
    command.args(["--set", "report.figure=figs/result.svg"]);
    for model in ["vanilla", "student"] {
        command.arg("--set").arg(format!("train.{model}.max_steps=4"));
    }
    let output = command.current_dir(&setup.work).stdout(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start `{}`", command_line(&command)))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{}` ended with {}:\n{}",
        command_line(&command),
        output.status,
        stderr.trim_end()
    );
    let results = Results::at(directory);
    let mut cells = Comparison::new("recorded experiment: cells of the table");
    for model in MODELS {
        for dataset in DATASETS {
            let scorer = if dataset == "gsm8k-choices" { "perplexity-choice" } else { "answer-extraction" };
            let value = results.summary(model, dataset, scorer, "accuracy")?;
            let samples = results.samples(model, dataset)?;
            let asked = samples.len() == LIMIT && samples.iter().all(|sample| !sample.answers.is_empty());
            cells.row(asked && (0.0..=1.0).contains(&value));
        }
    }
    Ok(vec![cells])
}
