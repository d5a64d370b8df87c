//! The results of a run as one JSON object, for programs.

use super::stage_summary;
use examiner_store::provenance::Provenance;
use examiner_store::summary::SummaryRow;
use serde::Serialize;

/// What a program gets of a run.
#[derive(Serialize)]
struct Report<'a> {
    suite: &'a str,
    run: &'a str,
    /// How the run ended: `complete`, `failed`, `interrupted`, `running`.
    status: examiner_store::provenance::Status,
    started: &'a str,
    seconds: f64,
    /// The rows of `summary.csv`, by the names of its columns; what a row has no value of is null.
    results: &'a [SummaryRow],
    warnings: Vec<String>,
}

/// The run as a JSON object on several lines.
///
/// # Errors
/// A number that JSON has no form for.
pub fn render(run: &Provenance, rows: &[SummaryRow]) -> serde_json::Result<String> {
    let report = Report {
        suite: &run.suite,
        run: &run.run,
        status: run.status,
        started: &run.started,
        seconds: run.seconds,
        results: rows,
        warnings: stage_summary::warnings(run)
            .lines()
            .map(|line| line.trim_start_matches("warning: ").to_owned())
            .collect(),
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::super::markdown::tests::rows;
    use super::*;

    #[test]
    fn a_program_finds_every_column_by_its_name() {
        let run = Provenance { suite: "s".to_owned(), ..Provenance::default() };
        let text = render(&run, &rows()).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&report["suite"], &report["status"]), (&"s".into(), &"running".into()));
        assert_eq!(report["results"].as_array().unwrap().len(), rows().len());
        assert_eq!(report["results"][0]["ci_low"], 0.0523 - 0.02);
        assert_eq!(report["results"][5]["status"], "failed");
        assert!(report["results"][5]["value"].is_null());
    }
}
