//! What OpenCompass's `gsm8k_postprocess` finds in the recorded solutions, and where ours differs on purpose.

use super::comparison::Comparison;
use super::recorded_solutions;
use super::setup::{Setup, pairs};
use crate::program::files::json_lines;
use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

/// A row of `gsm8k_extraction.jsonl`.
#[derive(Deserialize)]
struct Row {
    index: usize,
    model: String,
    extracted: String,
}

/// Rows in which OpenCompass takes `1,234` for `234`.
const THOUSANDS: usize = 14;

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let rows: Vec<Row> = json_lines(&setup.shared("oracle/opencompass/gsm8k_extraction.jsonl"))?;
    let results = setup.examine(&json!({
        "name": "opencompass-extraction",
        "models": recorded_solutions::models(setup),
        "datasets": {
            "gsm8k": {
                "plugin": "gsm8k", "path": setup.shared("data/gsm8k/test.jsonl"),
                "scorer": [
                    { "name": "answer-extraction", "label": "opencompass", "extract": "opencompass" },
                    { "name": "answer-extraction", "label": "last-number", "extract": "last-number" }
                ]
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut same = Comparison::new("opencompass extraction: all strings");
    let mut last = Comparison::new("opencompass extraction: last-number").requiring(rows.len() - THOUSANDS);
    let mut differences = Comparison::new("... where it differs, by thousands");
    for model in recorded_solutions::names() {
        let mut theirs: Vec<&Row> = rows.iter().filter(|row| row.model == model).collect();
        theirs.sort_by_key(|row| row.index);
        for (ours, theirs) in pairs(&results.samples(model, "gsm8k")?, &theirs)? {
            let found = |scorer| Ok::<_, anyhow::Error>(ours.verdict(scorer)?.extracted.as_deref().unwrap_or_default());
            same.row(found("opencompass")? == theirs.extracted);
            let number = found("last-number")?;
            last.row(number == theirs.extracted);
            if number != theirs.extracted {
                // Theirs is the part of ours after the last comma.
                differences.row(number.rsplit_once(',').is_some_and(|(_, behind)| behind == theirs.extracted));
            }
        }
    }
    Ok(vec![same, last, differences])
}
