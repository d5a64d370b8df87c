//! Small random models of every family: log-likelihoods and greedy answers of Hugging Face's transformers, and the same
//! in every bit however the requests are batched.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::families::{FAMILIES, Family, SMALL};
use crate::program::files::json_lines;
use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Ways to batch requests: whether prefixes are shared, and the tokens of a pass.
const BATCHINGS: [(&str, bool, usize); 4] =
    [("shared-2048", true, 2048), ("shared-7", true, 7), ("alone-2048", false, 2048), ("alone-7", false, 7)];

/// Where the two best logits are closer than this, another correct implementation may choose the other token.
pub(super) const TIE: f64 = 1e-3;

/// A scored continuation.
#[derive(Deserialize)]
pub(super) struct Scored {
    pub(super) continuation_ids: Vec<u32>,
    /// In nats.
    pub(super) loglikelihood: f64,
}

/// A greedy answer.
#[derive(Deserialize)]
pub(super) struct Greedy {
    pub(super) new_ids: Vec<u32>,
    pub(super) smallest_top2_gap: f64,
}

/// A family's small checkpoint and what transformers computes for it.
pub(super) struct Reference {
    pub(super) family: &'static str,
    pub(super) checkpoint: PathBuf,
    pub(super) scored: Vec<Scored>,
    pub(super) greedy: Vec<Greedy>,
}

/// All references. GPT-2 has a group of its own, and what the reference data has nothing of, the tests compare.
pub(super) fn references(setup: &Setup) -> Result<Vec<Reference>> {
    let families = FAMILIES.iter().filter(|family| family.compared_on == SMALL);
    let read = |family: &Family| {
        let checkpoint = setup.shared("models/families").join(family.model_type);
        let reference = Reference {
            family: family.model_type,
            scored: json_lines(&checkpoint.join("loglikelihood.jsonl"))?,
            greedy: json_lines(&checkpoint.join("greedy.jsonl"))?,
            checkpoint,
        };
        let clear = reference.greedy.iter().any(|row| row.smallest_top2_gap > TIE);
        ensure!(clear, "`{}` holds nothing but ties", reference.checkpoint.join("greedy.jsonl").display());
        Ok(reference)
    };
    families.map(read).collect()
}

impl Reference {
    /// Datasets that ask the same.
    pub(super) fn datasets(&self) -> Value {
        let longest = self.greedy.iter().map(|row| row.new_ids.len()).max().unwrap_or_default();
        json!({
            "continuation": {
                "plugin": "table", "path": self.checkpoint.join("loglikelihood.jsonl"), "prompt": "{{ context }}",
                "delimiter": "", "choices": ["{{ continuation }}"], "gold": 0, "metadata": [],
                "scorer": { "name": "perplexity-choice", "normalize": "sum" }
            },
            "greedy": {
                "plugin": "table", "path": self.checkpoint.join("greedy.jsonl"), "prompt": "{{ prompt }}",
                "gold": ["{{ prompt }}"], "stop": [], "max_new_tokens": longest, "metadata": [],
                "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
            }
        })
    }
}

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for reference in references(setup)? {
        comparisons.extend(compare_family(setup, &reference)?);
    }
    Ok(comparisons)
}

fn compare_family(setup: &Setup, reference: &Reference) -> Result<[Comparison; 2]> {
    let Reference { family, checkpoint, scored, greedy } = reference;
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
        "datasets": reference.datasets(),
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;

    let mut sums = Comparison::new(format!("{family}: log-likelihood (2e-3), same tokens"));
    let mut answers = Comparison::new(format!("{family}: greedy tokens, ties left out"));
    let (first, _, _) = BATCHINGS[0];
    let reference_scores = results.samples(first, "continuation")?;
    let reference_answers = results.samples(first, "greedy")?;
    for (batching, _, _) in BATCHINGS {
        for ((ours, theirs), same) in pairs(&results.samples(batching, "continuation")?, scored)?.zip(&reference_scores)
        {
            let (ours, same) = (ours.score()?, same.score()?);
            // Other tokens, or another bit than in another batch, must not agree.
            let fits = ours.tokens == theirs.continuation_ids && ours.sum.to_bits() == same.sum.to_bits();
            sums.numbers(&[if fits { ours.sum } else { f64::NAN }], &[theirs.loglikelihood], 2e-3);
        }
        for ((ours, theirs), same) in pairs(&results.samples(batching, "greedy")?, greedy)?.zip(&reference_answers) {
            let ours = &ours.generated()?.tokens;
            let as_recorded = theirs.smallest_top2_gap <= TIE || *ours == theirs.new_ids;
            answers.row(as_recorded && *ours == same.generated()?.tokens);
        }
    }
    Ok([sums, answers])
}
