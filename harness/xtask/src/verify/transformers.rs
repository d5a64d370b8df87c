//! Log-likelihoods and greedy answers of Hugging Face's transformers.

use super::comparison::Comparison;
use super::setup::{Setup, pairs, write_rows};
use crate::program::files::json_lines;
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

/// A row of `loglikelihood.jsonl`.
#[derive(Deserialize)]
struct Scored {
    context: String,
    continuation: String,
    continuation_ids: Vec<u32>,
    /// In nats.
    loglikelihood: f64,
    is_greedy: bool,
    /// In nats a token.
    mean_nll_whole_sequence: f64,
}

/// A row of `greedy.jsonl`.
#[derive(Deserialize)]
struct Greedy {
    new_ids: Vec<u32>,
    smallest_top2_gap: f64,
}

/// Where the two best logits are closer than this, another correct implementation may choose the other token.
const TIE: f64 = 1e-3;

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let mut model = setup.tiny_gpt2();
    model["device"] = json!(setup.device.device);
    agreement(setup, "transformers", &json!({ "models": { "tiny": model } }))
}

/// How a model called `tiny` agrees with the rows recorded of the tiny GPT-2. `stages` are the parts of a suite that make
/// it; `title` is what the lines begin with.
pub(super) fn agreement(setup: &Setup, title: &str, stages: &Value) -> Result<Vec<Comparison>> {
    let scored_path = setup.shared("oracle/tiny-gpt2/loglikelihood.jsonl");
    let greedy_path = setup.shared("oracle/tiny-gpt2/greedy.jsonl");
    let scored: Vec<Scored> = json_lines(&scored_path)?;
    let greedy: Vec<Greedy> = json_lines(&greedy_path)?;
    // A whole sequence is scored without an added beginning-of-text token; an empty context *is* that token.
    let wholes = setup.work.join("whole-sequences.jsonl");
    let text = |row: &Scored| match row.context.as_str() {
        "" => format!("<|endoftext|>{}", row.continuation),
        context => format!("{context}{}", row.continuation),
    };
    write_rows(&wholes, scored.iter().map(|row| json!({ "text": text(row) })))?;
    let choice = |normalize: &str| json!({ "name": "perplexity-choice", "normalize": normalize });
    let mut suite = json!({
        "name": title.replace([' ', ','], "-"),
        "plugins": setup.device.plugins(),
        "datasets": {
            "continuation": {
                "plugin": "table", "path": scored_path, "prompt": "{{ context }}", "delimiter": "",
                "choices": ["{{ continuation }}"], "gold": 0, "metadata": [], "scorer": choice("sum")
            },
            "whole": {
                "plugin": "table", "path": wholes, "prompt": "", "delimiter": "",
                "choices": ["{{ text }}"], "gold": 0, "metadata": [], "scorer": choice("context")
            },
            "greedy": {
                "plugin": "table", "path": greedy_path, "prompt": "{{ prompt }}", "gold": ["{{ text }}"],
                "stop": [], "max_new_tokens": 128, "metadata": [],
                "scorer": { "name": "answer-extraction", "extract": "trim", "compare": "string" }
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    });
    for (section, content) in stages.as_object().into_iter().flatten() {
        suite[section] = content.clone();
    }
    let results = setup.examine(&suite)?;

    let tolerance = setup.tolerance();
    let mut tokens = Comparison::new(format!("{title}: continuation tokens"));
    let mut sums = Comparison::new(format!("{title}: log-likelihood ({tolerance:e})"));
    let mut is_greedy = Comparison::new(format!("{title}: is_greedy"));
    for (ours, theirs) in pairs(&results.samples("tiny", "continuation")?, &scored)? {
        let ours = ours.score()?;
        tokens.row(ours.tokens == theirs.continuation_ids);
        sums.numbers(&[ours.sum], &[theirs.loglikelihood], tolerance);
        is_greedy.row(ours.is_greedy == theirs.is_greedy);
    }
    let mut means = Comparison::new(format!("{title}: mean of whole sequence ({:e})", tolerance / 10.0));
    for (ours, theirs) in pairs(&results.samples("tiny", "whole")?, &scored)? {
        let ours = ours.score()?;
        means.numbers(
            &[-ours.sum / f64::from(ours.scored_tokens)],
            &[theirs.mean_nll_whole_sequence],
            tolerance / 10.0,
        );
    }
    let mut answers = Comparison::new(format!("{title}: greedy tokens, ties left out"));
    for (ours, theirs) in pairs(&results.samples("tiny", "greedy")?, &greedy)? {
        if theirs.smallest_top2_gap > TIE {
            answers.row(ours.generated()?.tokens == theirs.new_ids);
        }
    }
    Ok(vec![tokens, sums, is_greedy, means, answers])
}
