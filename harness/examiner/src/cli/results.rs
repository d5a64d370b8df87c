//! What can be made of a run that is there: tables, comparisons and figures.

use super::terminal::{page, print};
use super::{CompareArguments, PlotArguments, ReportArguments, ReportFormat, ShowArguments};
use anyhow::{Context, Result, ensure};
use examiner_engine::progress::print_to_stderr;
use examiner_report::compare::{self, ComparisonResult};
use examiner_report::show::{self, Kind, Selection};
use examiner_report::{figure, github, json, markdown, spreadsheet, stage_summary, wide};
use examiner_store::provenance::Provenance;
use examiner_store::summary::{self, SummaryRow};
use std::path::{Path, PathBuf};
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
    let format = arguments.format.unwrap_or(match (arguments.csv, arguments.wide, arguments.json) {
        (true, _, _) => ReportFormat::Csv,
        (_, true, _) => ReportFormat::Wide,
        (_, _, true) => ReportFormat::Json,
        _ => ReportFormat::Table,
    });
    ensure!(format == ReportFormat::Csv || !arguments.spreadsheet, "`--spreadsheet` goes with `--csv`");
    let text = match format {
        ReportFormat::Csv => for_spreadsheets(std::fs::read_to_string(&path)?, arguments.spreadsheet)?,
        ReportFormat::Wide => wide::render(&rows),
        ReportFormat::Json => json::render(&provenance, &rows)?,
        ReportFormat::Github => github::render(&provenance, &rows),
        ReportFormat::Table => format!("{}{}", markdown::render(&rows), below(&provenance)),
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
    let rows = arguments.runs.iter().map(|run| rows(run)).collect::<Result<Vec<_>>>()?;
    let runs: Vec<(&Path, &[SummaryRow])> =
        arguments.runs.iter().map(PathBuf::as_path).zip(rows.iter().map(Vec::as_slice)).collect();
    let request =
        compare::CompareRequest { baseline: arguments.baseline, metrics: arguments.metric, subsets: arguments.subsets };
    let comparison = compare::compare(&runs, &request)?;
    if arguments.csv {
        let mut text = Vec::new();
        comparison.csv(&mut text)?;
        print(&for_spreadsheets(String::from_utf8_lossy(&text).into_owned(), arguments.spreadsheet)?)?;
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

pub(super) fn show(arguments: ShowArguments) -> Result<ExitCode> {
    let kinds = [
        (arguments.wrong, Kind::Wrong),
        (arguments.unanswered, Kind::Unanswered),
        (arguments.errors, Kind::Error),
        (arguments.truncated, Kind::Truncated),
    ];
    let selection = Selection {
        model: arguments.model,
        dataset: arguments.dataset,
        kinds: kinds.into_iter().filter_map(|(wanted, kind)| wanted.then_some(kind)).collect(),
        ids: arguments.id,
        flips: arguments.flips,
        limit: usize::try_from(arguments.limit).unwrap_or(usize::MAX),
    };
    let shown = show::select(&arguments.run, &selection)?;
    if shown.is_empty() {
        print_to_stderr("no sample is so");
    }
    let texts: Vec<String> = match arguments.json {
        true => shown.iter().map(|sample| format!("{}\n", sample.line)).collect(),
        false => shown.iter().map(show::Shown::text).collect(),
    };
    match arguments.json {
        true => print(&texts.concat())?,
        false => page(&texts.join("\n----\n\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn plot(arguments: &PlotArguments) -> Result<ExitCode> {
    let rows = rows(&arguments.run)?;
    // In the run's directory the next one does not overwrite it.
    let out = arguments.out.clone().unwrap_or_else(|| arguments.run.join("figs/result.svg"));
    let drawn = figure::draw(&arguments.run, &rows, &arguments.metric, &out)?;
    print(&drawn.files.iter().map(|file| format!("{}\n", file.display())).collect::<String>())?;
    for failure in &drawn.failures {
        print_to_stderr(&format!("failed: {failure}"));
    }
    Ok(if drawn.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn for_spreadsheets(csv: String, guards: bool) -> Result<String> {
    Ok(if guards { spreadsheet::guarded(&csv)? } else { csv })
}

/// The rows of a run's `summary.csv`.
pub(super) fn rows(run: &Path) -> Result<Vec<SummaryRow>> {
    let path = run.join("summary.csv");
    summary::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
}
