//! What can be made of a run that is there: comparisons and pictures.

use super::commands::print;
use super::{CompareArguments, PlotArguments};
use anyhow::{Context, Result};
use examiner_engine::progress::tell;
use examiner_report::compare::{self, ComparisonResult};
use examiner_report::figure;
use examiner_store::summary::{self, SummaryRow};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn compare(arguments: CompareArguments) -> Result<ExitCode> {
    let rows = rows(&arguments.run)?;
    let request =
        compare::CompareRequest { baseline: arguments.baseline, metrics: arguments.metric, subsets: arguments.subsets };
    let comparison = compare::compare(&arguments.run, &rows, &request)?;
    if arguments.csv {
        let mut text = Vec::new();
        comparison.csv(&mut text)?;
        print(&String::from_utf8_lossy(&text))?;
    } else {
        print(&comparison.markdown())?;
    }
    for refusal in comparison.refusals() {
        tell(&format!("failed: {refusal}"));
    }
    let failed =
        |result: &ComparisonResult| matches!(result, ComparisonResult::Failed(_) | ComparisonResult::Refused(_));
    let fails = comparison.lines.iter().any(|line| failed(&line.result));
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(super) fn plot(arguments: &PlotArguments) -> Result<ExitCode> {
    let rows = rows(&arguments.run)?;
    let drawn = figure::draw(&arguments.run, &rows, &arguments.metric, &arguments.out)?;
    print(&drawn.files.iter().map(|file| format!("{}\n", file.display())).collect::<String>())?;
    for failure in &drawn.failures {
        tell(&format!("failed: {failure}"));
    }
    Ok(if drawn.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The rows of a run's `summary.csv`.
pub(super) fn rows(run: &Path) -> Result<Vec<SummaryRow>> {
    let path = run.join("summary.csv");
    summary::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
}
