//! The plan of a suite as a table: what is done for each stage and why, and what its dataset can show. Below it, what the
//! models say of themselves.

use examiner_engine::evaluate::Survey;
use examiner_engine::plan::Plan;
use examiner_report::statistics::smallest_paired_difference;
use std::fmt::Write;

/// The plan as a table, and a line for each note and warning of a model.
pub(super) fn render(plan: &Plan) -> String {
    let mut rows = vec![["STAGE", "ACTION", "IDENTITY", "SAMPLES", "REQUESTS", "DETECTS", "WHY"].map(str::to_owned)];
    for stage in &plan.stages {
        let survey = |text: fn(&Survey) -> String| stage.survey.as_ref().map_or("-".to_owned(), text);
        rows.push([
            stage.name.clone(),
            stage.action.word().to_owned(),
            stage.identity.clone().unwrap_or_else(|| "-".to_owned()),
            survey(|survey| survey.questions.to_string()),
            survey(|survey| survey.requests.to_string()),
            survey(|survey| {
                let points = smallest_paired_difference(survey.questions, 0.5).map(|difference| 100.0 * difference);
                points.map_or("-".to_owned(), |points| format!("{points:.1} points"))
            }),
            stage.action.to_string(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a text cannot fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        text.push_str(row[6].trim_end());
        text.push('\n');
    }
    for (name, info) in &plan.models {
        let notes = info.notes.iter().map(|note| format!("`{name}`: {note}\n"));
        let warnings = info.warnings.iter().map(|warning| format!("warning: `{name}`: {warning}\n"));
        text.extend(notes.chain(warnings));
    }
    text
}
