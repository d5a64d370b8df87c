//! `explain`: samples of a run beside a log of lm-evaluation-harness.

use super::terminal::page;
use anyhow::Result;
use clap::ValueHint;
use examiner_engine::progress::print_to_stderr;
use examiner_report::explain::{self, Request};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArguments {
    /// The run's directory.
    #[arg(default_value = "outputs/latest", value_hint = ValueHint::DirPath)]
    pub(super) run: PathBuf,
    /// The log of a task (repeatable).
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., value_hint = ValueHint::FilePath)]
    pub(super) against: Vec<PathBuf>,
    /// The answers of this model.
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Option<String>,
    /// The samples of this dataset; without it, those of the log's task.
    #[arg(long, value_name = "DATASET")]
    pub(super) dataset: Option<String>,
    /// Log-likelihoods that differ by at most so many nats are equal.
    #[arg(long, value_name = "NATS", default_value = "0.001")]
    pub(super) tolerance: f64,
    /// Show at most this many samples of each log.
    #[arg(long, value_name = "N", default_value = "10")]
    pub(super) limit: u64,
}

pub(super) fn explain(arguments: ExplainArguments) -> Result<ExitCode> {
    let request = Request { model: arguments.model, dataset: arguments.dataset, tolerance: arguments.tolerance };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let (mut text, mut is_equal) = (String::new(), true);
    for log in &arguments.against {
        let explanation = explain::against(&arguments.run, log, &request)?;
        is_equal &= explanation.is_equal();
        for differing in explanation.differing.iter().take(limit) {
            let filter =
                if differing.filter == "none" { String::new() } else { format!(" under `{}`", differing.filter) };
            text.push_str(&format!("`{}`{filter} first differs in {}\n\n", differing.id, differing.divergence));
        }
        if explanation.differing.len() > limit {
            print_to_stderr(&format!("{} more differ; `--limit` shows them", explanation.differing.len() - limit));
        }
        text.push_str(&format!("{}\n", explanation.summary()));
    }
    page(&text)?;
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
