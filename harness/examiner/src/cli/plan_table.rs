//! The plan of a suite as a table: what is done for each stage and why, and what its dataset can show. Below it, what the
//! models say of themselves.

use examiner_api::{ModelInfo, TokenPrice};
use examiner_engine::evaluate::Survey;
use examiner_engine::plan::{Known, Plan, Tokens};
use examiner_report::statistics::smallest_paired_difference;
use std::fmt::Write;

/// The columns; the last one is as wide as its text.
const COLUMNS: [&str; 9] =
    ["STAGE", "ACTION", "IDENTITY", "SAMPLES", "REQUESTS", "TOKENS IN", "OUT AT MOST", "DETECTS", "WHY"];

/// The plan as a table, and lines for what is known of each model: its tokens and what they cost, its notes and its warnings.
pub(super) fn render(plan: &Plan) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    for stage in &plan.stages {
        let survey = |text: fn(&Survey) -> String| stage.survey.as_ref().map_or("-".to_owned(), text);
        let tokens = |of: fn(&Tokens) -> u64| {
            stage.tokens.as_ref().map_or("-".to_owned(), |tokens| about(tokens.known, of(tokens)))
        };
        rows.push([
            stage.name.clone(),
            stage.action.word().to_owned(),
            stage.identity.clone().unwrap_or_else(|| "-".to_owned()),
            survey(|survey| survey.questions.to_string()),
            survey(|survey| survey.requests.to_string()),
            tokens(|tokens| tokens.read),
            tokens(|tokens| tokens.written),
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
    let last = COLUMNS.len() - 1;
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..last).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a text cannot fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        text.push_str(row[last].trim_end());
        text.push('\n');
    }
    for (name, info) in &plan.models {
        let facts = facts(info);
        let facts = (!facts.is_empty()).then(|| format!("`{name}`: {facts}\n"));
        let tokens = tokens_of(plan, name).map(|tokens| format!("`{name}`: {}\n", cost(&tokens, info.price.as_ref())));
        let notes = info.notes.iter().map(|note| format!("`{name}`: {note}\n"));
        let warnings = info.warnings.iter().map(|warning| format!("warning: `{name}`: {warning}\n"));
        text.extend(facts.into_iter().chain(tokens).chain(notes).chain(warnings));
    }
    text
}

/// A number of tokens, with `~` before it where it is not counted.
fn about(known: Known, tokens: u64) -> String {
    let is_exact = known == Known::Counted || tokens == 0;
    format!("{}{tokens}", if is_exact { "" } else { "~" })
}

/// The tokens of all that a model is asked, where it is asked something.
fn tokens_of(plan: &Plan, model: &str) -> Option<Tokens> {
    let of_model = plan.stages.iter().filter(|stage| stage.model.as_deref() == Some(model));
    let all = of_model.filter_map(|stage| stage.tokens).reduce(|all, tokens| Tokens {
        read: all.read + tokens.read,
        written: all.written + tokens.written,
        known: all.known.max(tokens.known),
    });
    all.filter(|tokens| tokens.read > 0)
}

/// Tokens in words, with what they cost.
fn cost(tokens: &Tokens, price: Option<&TokenPrice>) -> String {
    let Tokens { read, written, known } = *tokens;
    let mut text = format!("{} tokens in, at most {} out", about(known, read), about(known, written));
    text.push_str(match known {
        Known::Counted => "",
        Known::Sampled => ", by those of a sample of the requests",
        Known::Guessed => ", guessed at 3 bytes a token, as the model does not count them",
    });
    if let Some(price) = price {
        let TokenPrice { input_per_million: input, output_per_million: output } = price;
        let money = (read as f64 * input + written as f64 * output) / 1e6;
        let _ = write!(
            text,
            "; at most {}{money:.2} at {input} and {output} for a million",
            if known == Known::Counted { "" } else { "~" }
        );
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
    use examiner_engine::plan::{Action, Reason, Stage};
    use serde_json::json;

    fn plan(stages: Vec<Stage>, info: ModelInfo) -> Plan {
        Plan { stages, models: vec![("big".to_owned(), info)] }
    }

    #[test]
    fn lines_say_what_each_model_is() {
        let details = json!({ "family": "mixtral", "shares_prefixes": true, "beginning": { "tokens": [] } });
        let info = ModelInfo {
            details: details.as_object().cloned().unwrap_or_default(),
            notes: vec!["texts begin with `<s>`".to_owned()],
            warnings: vec!["on the CPU".to_owned()],
            ..ModelInfo::default()
        };
        let text = render(&plan(Vec::new(), info));
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let expected = [
            "`big`: family: mixtral, shares_prefixes: true",
            "`big`: texts begin with `<s>`",
            "warning: `big`: on the CPU",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn tokens_are_added_up_and_cost_what_the_suite_says() {
        let stage = |read, known| Stage {
            name: "evaluate/big/d".to_owned(),
            model: Some("big".to_owned()),
            identity: None,
            action: Action::Run(Reason::New),
            survey: None,
            tokens: Some(Tokens { read, written: 1000, known }),
            from: None,
        };
        let price = Some(TokenPrice { input_per_million: 2.5, output_per_million: 10.0 });
        let of = |stages, price| render(&plan(stages, ModelInfo { price, ..ModelInfo::default() }));
        let text = of(vec![stage(400_000, Known::Counted), stage(600_000, Known::Guessed)], price);
        let line = "`big`: ~1000000 tokens in, at most ~2000 out, guessed at 3 bytes a token, as the model does not count them; at most \
                    ~2.52 at 2.5 and 10 for a million";
        assert_eq!(text.lines().last(), Some(line));
        assert!(text.contains("  400000     1000 ") && text.contains("  ~600000    ~1000 "), "{text}");
        let text = of(vec![stage(7, Known::Counted)], None);
        assert_eq!(text.lines().last(), Some("`big`: 7 tokens in, at most 1000 out"));
        assert!(!of(vec![stage(0, Known::Counted)], price).contains("tokens in,"));
    }
}
