//! What can be made of a run that is there: tables, comparisons and figures.

use super::terminal::print;
use super::{CompareArguments, PlotArguments, ReportArguments};
use anyhow::{Context, Result};
use examiner_engine::progress::print_to_stderr;
use examiner_report::compare::{self, ComparisonResult};
use examiner_report::{figure, markdown, stage_summary, wide};
use examiner_store::provenance::Provenance;
use examiner_store::summary::{self, SummaryRow};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let path = arguments.run.join("summary.csv");
    let mut rows = rows(&arguments.run)?;
    // The file has no column for the version of a prompt; the run records it.
    let provenance = Provenance::read(&arguments.run).unwrap_or_default();
    for row in &mut rows {
        let stage = provenance.stages.get(&format!("evaluate/{}/{}", row.model, row.dataset));
        row.version = stage.map(|stage| stage.version.clone()).unwrap_or_default();
    }
    let text = match (arguments.csv, arguments.wide) {
        (true, _) => std::fs::read_to_string(&path)?,
        (false, true) => wide::render(&rows),
        (false, false) => format!("{}{}", markdown::render(&rows), below(&provenance)),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What was made on the way, and what models warn of, beneath the results.
pub(super) fn below(provenance: &Provenance) -> String {
    let parts = [stage_summary::render(provenance), stage_summary::warnings(provenance)];
    parts.iter().filter(|part| !part.is_empty()).map(|part| format!("\n{part}")).collect()
}

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
        print_to_stderr(&format!("failed: {refusal}"));
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
        print_to_stderr(&format!("failed: {failure}"));
    }
    Ok(if drawn.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The rows of a run's `summary.csv`.
fn rows(run: &Path) -> Result<Vec<SummaryRow>> {
    let path = run.join("summary.csv");
    summary::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
}
