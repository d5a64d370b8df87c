//! Small random models of every family: log-likelihoods and greedy answers of Hugging Face's transformers, and the same
//! in every bit however the requests are batched.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::families::{FAMILIES, SMALL};
use crate::program::files::json_lines;
use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Ways to batch requests: whether prefixes are shared, and the tokens of a pass.
const BATCHINGS: [(&str, bool, usize); 4] =
    [("shared-2048", true, 2048), ("shared-7", true, 7), ("alone-2048", false, 2048), ("alone-7", false, 7)];

/// Where the two best logits are closer than this, another correct implementation may choose the other token.
const TIE: f64 = 1e-3;

#[derive(Deserialize)]
struct Scored {
    continuation_ids: Vec<u32>,
    /// In nats.
    loglikelihood: f64,
}

#[derive(Deserialize)]
struct Greedy {
    new_ids: Vec<u32>,
    smallest_top2_gap: f64,
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    // GPT-2 has a group of its own, and what the reference data has nothing of, the tests compare.
    for family in FAMILIES.iter().filter(|family| family.compared_on == SMALL).map(|family| family.model_type) {
        comparisons.extend(compare_family(setup, family, &setup.shared("models/families").join(family))?);
    }
    Ok(comparisons)
}

fn compare_family(setup: &Setup, family: &str, checkpoint: &Path) -> Result<[Comparison; 2]> {
    let scored_path = checkpoint.join("loglikelihood.jsonl");
    let greedy_path = checkpoint.join("greedy.jsonl");
    let scored: Vec<Scored> = json_lines(&scored_path)?;
    let greedy: Vec<Greedy> = json_lines(&greedy_path)?;
    let longest = greedy.iter().map(|row| row.new_ids.len()).max().unwrap_or_default();
    let model = |share: bool, tokens: usize| {
        json!({
            "plugin": "candle", "checkpoint": checkpoint, "device": "cpu", "share_prefixes": share,
            "max_batch_tokens": tokens
        })
    };
    let models: Map<String, Value> =
        BATCHINGS.iter().map(|(name, share, tokens)| ((*name).to_owned(), model(*share, *tokens))).collect();
    let results = setup.examine(&json!({
        "name": format!("families-{}", family.replace('_', "-")),
        "models": models,
        "datasets": {
            "continuation": {
                "plugin": "table", "path": scored_path, "prompt": "{{ context }}", "delimiter": "",
                "choices": ["{{ continuation }}"], "gold": 0, "metadata": [],
                "scorer": { "name": "perplexity-choice", "normalize": "sum" }
            },
            "greedy": {
                "plugin": "table", "path": greedy_path, "prompt": "{{ prompt }}", "gold": ["{{ prompt }}"],
                "stop": [], "max_new_tokens": longest, "metadata": [],
                "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;

    let mut sums = Comparison::new(format!("{family}: log-likelihood (2e-3), same tokens"));
    let mut answers = Comparison::new(format!("{family}: greedy tokens, ties left out"));
    let (first, _, _) = BATCHINGS[0];
    let reference_scores = results.samples(first, "continuation")?;
    let reference_answers = results.samples(first, "greedy")?;
    for (batching, _, _) in BATCHINGS {
        for ((ours, theirs), same) in
            pairs(&results.samples(batching, "continuation")?, &scored)?.zip(&reference_scores)
        {
            let (ours, same) = (ours.score()?, same.score()?);
            // Other tokens, or another bit than in another batch, must not agree.
            let fits = ours.tokens == theirs.continuation_ids && ours.sum.to_bits() == same.sum.to_bits();
            sums.numbers(&[if fits { ours.sum } else { f64::NAN }], &[theirs.loglikelihood], 2e-3);
        }
        for ((ours, theirs), same) in pairs(&results.samples(batching, "greedy")?, &greedy)?.zip(&reference_answers) {
            let ours = &ours.generated()?.tokens;
            let as_recorded = theirs.smallest_top2_gap <= TIE || *ours == theirs.new_ids;
            answers.row(as_recorded && *ours == same.generated()?.tokens);
        }
    }
    ensure!(greedy.iter().any(|row| row.smallest_top2_gap > TIE), "`{}` holds nothing but ties", greedy_path.display());
    Ok([sums, answers])
}
