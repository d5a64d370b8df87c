//! The plan of a suite as a table: what is done for each stage and why, and what its dataset can show. Below it, what the
//! models say of themselves.

use examiner_api::ModelInfo;
use examiner_engine::evaluate::Survey;
use examiner_engine::plan::Plan;
use examiner_report::statistics::smallest_paired_difference;
use std::fmt::Write;

/// The plan as a table, and lines for what is known of each model, its notes and its warnings.
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
            match &stage.from {
                Some(run) => format!("{} (with the answers of `{}`)", stage.action, run.display()),
                None => stage.action.to_string(),
            },
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
        let facts = facts(info);
        let facts = (!facts.is_empty()).then(|| format!("`{name}`: {facts}\n"));
        let notes = info.notes.iter().map(|note| format!("`{name}`: {note}\n"));
        let warnings = info.warnings.iter().map(|warning| format!("warning: `{name}`: {warning}\n"));
        text.extend(facts.into_iter().chain(notes).chain(warnings));
    }
    text
}

/// What a model says of itself in numbers and words: family, device, number type.
fn facts(info: &ModelInfo) -> String {
    let shown = info.details.iter().filter_map(|(key, value)| match value.as_str() {
        Some(value) => Some(format!("{key}: {value}")),
        None => (value.is_number() || value.is_boolean()).then(|| format!("{key}: {value}")),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_say_what_each_model_is() {
        let details = json!({ "family": "mixtral", "shares_prefixes": true, "beginning": { "tokens": [] } });
        let info = ModelInfo {
            details: details.as_object().cloned().unwrap_or_default(),
            notes: vec!["texts begin with `<s>`".to_owned()],
            warnings: vec!["on the CPU".to_owned()],
            ..ModelInfo::default()
        };
        let text = render(&Plan { stages: Vec::new(), models: vec![("big".to_owned(), info)] });
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let expected = [
            "`big`: family: mixtral, shares_prefixes: true",
            "`big`: texts begin with `<s>`",
            "warning: `big`: on the CPU",
        ];
        assert_eq!(lines, expected);
    }
}
