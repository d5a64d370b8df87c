//! `explain`: samples of a run beside a log of lm-evaluation-harness.

use super::arguments::ExplainArguments;
use super::terminal::page;
use anyhow::Result;
use examiner_engine::progress::print_to_stderr;
use examiner_report::explain::{self, Request};
use std::process::ExitCode;

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
