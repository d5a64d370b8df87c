//! CommonsenseQA as lm-evaluation-harness scores it, without examples and with three.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::program::Results;
use crate::program::files::json_lines;
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

/// A row of `csqa_*shot.jsonl`.
#[derive(Deserialize)]
struct Row {
    /// In nats, one for each choice.
    loglikelihoods: Vec<f64>,
    acc: f64,
    acc_norm: f64,
    /// Recorded for the first rows alone.
    context: Option<String>,
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let dataset = |shots: u32| -> Value {
        json!({
            "plugin": "table", "path": setup.shared("oracle/lm_eval/csqa_flat.jsonl"),
            "prompt": "Question: {{ question }}\nAnswer:", "choices": "choices", "gold": "answer", "gold_is": "index",
            "few_shot": "same", "shots": shots, "shots_from": "first", "contamination": "keep",
            "scorer": { "name": "perplexity-choice", "normalize": ["sum", "chars"] }
        })
    };
    let results = setup.examine(&json!({
        "name": "lm-eval-choice",
        "models": { "tiny": setup.tiny_gpt2() },
        "datasets": { "csqa-0shot": dataset(0), "csqa-3shot": dataset(3) },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut comparisons = shots(setup, &results, "0shot", [0.1581, 0.2170])?;
    comparisons.extend(shots(setup, &results, "3shot", [0.1605, 0.2162])?);
    Ok(comparisons)
}

fn shots(setup: &Setup, results: &Results, shots: &str, totals: [f64; 2]) -> Result<Vec<Comparison>> {
    let theirs: Vec<Row> = json_lines(&setup.shared(&format!("oracle/lm_eval/csqa_{shots}.jsonl")))?;
    let named = |what: &str| Comparison::new(format!("lm-eval csqa {shots}: {what}"));
    let mut prompts = named("prompts");
    let mut values = named("log-likelihoods (1e-3)");
    let mut metrics = [named("acc of each sample"), named("acc_norm of each sample")];
    let dataset = format!("csqa-{shots}");
    for (ours, theirs) in pairs(&results.samples("tiny", &dataset)?, &theirs)? {
        let verdict = ours.verdict("perplexity-choice")?;
        if let Some(context) = &theirs.context {
            prompts.row(ours.context == *context);
        }
        values.numbers(&verdict.choices("sum", "loglikelihood_nats")?.0, &theirs.loglikelihoods, 1e-3);
        metrics[0].row(verdict.metric("acc")? == theirs.acc);
        metrics[1].row(verdict.metric("acc_norm")? == theirs.acc_norm);
    }
    let mut total = named("acc and acc_norm in total");
    for (metric, expected) in ["acc", "acc_norm"].into_iter().zip(totals) {
        // The totals are published with four digits.
        total.numbers(&[results.summary("tiny", &dataset, "perplexity-choice", metric)?], &[expected], 5e-5);
    }
    let [acc, acc_norm] = metrics;
    Ok(vec![prompts, values, acc, acc_norm, total])
}
