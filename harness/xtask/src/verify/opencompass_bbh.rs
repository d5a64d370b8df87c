//! What OpenCompass's `bbh_mcq_postprocess` and `bbh_freeform_postprocess` find in a recorded teacher's answers.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use super::teacher;
use crate::program::files::json_lines;
use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

/// A row of `bbh_extraction.jsonl`.
#[derive(Deserialize)]
struct Row {
    task: String,
    index: usize,
    mcq: String,
    freeform: String,
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let mut rows: Vec<Row> = json_lines(&setup.shared("oracle/opencompass/bbh_extraction.jsonl"))?;
    rows.sort_by(|one, other| (&one.task, one.index).cmp(&(&other.task, other.index)));
    let scorer = |label: &str| json!({ "name": "answer-extraction", "label": label, "extract": label });
    let (choice, text) = ("opencompass-bbh-choice", "opencompass-bbh-text");
    let results = setup.examine(&json!({
        "name": "opencompass-bbh",
        "models": { "teacher": teacher::model(setup) },
        "datasets": {
            "bbh": {
                "plugin": "bbh", "path": setup.shared("data/bbh"), "scorer": [scorer(choice), scorer(text)]
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut choices = Comparison::new("opencompass bbh: choices");
    let mut texts = Comparison::new("opencompass bbh: free answers");
    for (ours, theirs) in pairs(&results.samples("teacher", "bbh")?, &rows)? {
        let same_sample = ours.id == format!("{}-{}", theirs.task, theirs.index);
        let found = |scorer| Ok::<_, anyhow::Error>(ours.verdict(scorer)?.extracted.as_deref().unwrap_or_default());
        choices.row(same_sample && found(choice)? == theirs.mcq);
        texts.row(same_sample && found(text)? == theirs.freeform);
    }
    Ok(vec![choices, texts])
}
