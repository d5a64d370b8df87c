//! The plan of a suite as a table: what is done for each stage and why, and what its dataset can show. Below it stands what
//! each model says of itself.

use examiner_engine::evaluate::Survey;
use examiner_engine::plan::{Plan, PlannedModel};
use examiner_report::statistics::smallest_paired_difference;
use std::fmt::Write;

/// The plan as a table, and a line for each model.
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
    for PlannedModel { name, details } in plan.models.iter().filter(|model| !model.details.is_empty()) {
        let shown = details.iter().map(|(key, value)| match value.as_str() {
            Some(value) => format!("{key}: {value}"),
            None => format!("{key}: {value}"),
        });
        let _ = writeln!(text, "`{name}`: {}", shown.collect::<Vec<_>>().join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_says_what_each_model_is() {
        let details = json!({ "family": "mixtral", "shares_prefixes": true, "beginning": null });
        let details = details.as_object().cloned().unwrap_or_default();
        let plan = Plan { stages: Vec::new(), models: vec![PlannedModel { name: "big".to_owned(), details }] };
        let text = render(&plan);
        assert!(text.ends_with("WHY\n`big`: family: mixtral, shares_prefixes: true, beginning: null\n"), "{text}");
    }
}
