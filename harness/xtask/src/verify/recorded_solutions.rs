//! Recorded solutions of two models to all of GSM8K's test questions, with their authors' judgement.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::program::files::json_lines;
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

/// A row of `recorded_solutions.jsonl`.
#[derive(Deserialize)]
struct Solution {
    index: usize,
    model: String,
    is_correct: bool,
}

/// The models, and the share of questions that each got right.
const MODELS: [(&str, f64); 2] = [("6b_finetuning", 0.2168), ("175b_verification", 0.5625)];

/// The models as `replay` has them. Their texts are not cut at stop strings.
pub(super) fn models(setup: &Setup) -> Value {
    let replay = |model: &str| {
        json!({
            "plugin": "replay", "path": setup.shared("data/gsm8k/recorded_solutions.jsonl"), "key": ["index"],
            "where": { "model": model }, "apply_stop": false
        })
    };
    MODELS.iter().map(|(model, _)| ((*model).to_owned(), replay(model))).collect::<serde_json::Map<_, _>>().into()
}

/// The names of the models.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|(model, _)| *model)
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let solutions: Vec<Solution> = json_lines(&setup.shared("data/gsm8k/recorded_solutions.jsonl"))?;
    let results = setup.examine(&json!({
        "name": "recorded-solutions",
        "models": models(setup),
        "datasets": {
            "gsm8k": {
                "plugin": "gsm8k", "path": setup.shared("data/gsm8k/test.jsonl"),
                "scorer": {
                    "name": "answer-extraction", "extract": { "after": "A: " }, "compare": "string",
                    "normalize": { "trailing_period": false, "currency": false, "percent": false, "decimals": false }
                }
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut flags = Comparison::new("recorded solutions: is_correct");
    let mut totals = Comparison::new("recorded solutions: accuracies");
    for (model, accuracy) in MODELS {
        let mut theirs: Vec<&Solution> = solutions.iter().filter(|solution| solution.model == model).collect();
        theirs.sort_by_key(|solution| solution.index);
        for (ours, theirs) in pairs(&results.samples(model, "gsm8k")?, &theirs)? {
            flags.row((ours.verdict("answer-extraction")?.metric("accuracy")? == 1.0) == theirs.is_correct);
        }
        // The accuracies are known with four digits.
        totals.numbers(&[results.summary(model, "gsm8k", "answer-extraction", "accuracy")?], &[accuracy], 5e-5);
    }
    Ok(vec![flags, totals])
}
