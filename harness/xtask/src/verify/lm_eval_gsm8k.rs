//! GSM8K as lm-evaluation-harness generates and extracts: the tiny GPT-2's own answers, and the recorded ones again.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::program::SampleLine;
use crate::program::files::json_lines;
use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

/// A row of `gsm8k_0shot.jsonl`.
#[derive(Deserialize)]
struct Row {
    prompt: String,
    response: String,
    strict: String,
    flexible: String,
}

/// What lm-evaluation-harness writes where it finds nothing.
const NOTHING: &str = "[invalid]";

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let recorded = setup.shared("oracle/lm_eval/gsm8k_0shot.jsonl");
    let theirs: Vec<Row> = json_lines(&recorded)?;
    let scorer = |preset: &str| json!({ "name": "answer-extraction", "label": preset, "extract": preset });
    let results = setup.examine(&json!({
        "name": "lm-eval-gsm8k",
        "models": {
            "tiny": setup.tiny_gpt2(),
            "recorded": {
                "plugin": "replay", "path": recorded, "key": { "index": "doc_id" }, "completion": "response",
                "apply_stop": false
            }
        },
        "datasets": {
            "gsm8k": {
                "plugin": "gsm8k", "path": setup.shared("data/gsm8k/test.jsonl"), "limit": theirs.len(),
                "generation": { "max_new_tokens": 128, "stop": ["Question:", "</s>", "<|im_end|>"] },
                "scorer": [scorer("strict"), scorer("flexible")]
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;

    let ours = results.samples("tiny", "gsm8k")?;
    let mut prompts = Comparison::new("lm-eval gsm8k: prompts");
    let mut responses = Comparison::new("lm-eval gsm8k: responses");
    for (ours, theirs) in pairs(&ours, &theirs)? {
        prompts.row(ours.context == theirs.prompt);
        responses.row(ours.generated()?.text == theirs.response);
    }
    let [strict, flexible] = extractions(&ours, &theirs, "generated")?;
    let [strict_again, flexible_again] = extractions(&results.samples("recorded", "gsm8k")?, &theirs, "recorded")?;
    Ok(vec![prompts, responses, strict, flexible, strict_again, flexible_again])
}

fn extractions(ours: &[SampleLine], theirs: &[Row], of: &str) -> Result<[Comparison; 2]> {
    let mut strict = Comparison::new(format!("lm-eval gsm8k: strict, {of}"));
    let mut flexible = Comparison::new(format!("lm-eval gsm8k: flexible, {of}"));
    for (ours, theirs) in pairs(ours, theirs)? {
        strict.row(ours.verdict("strict")?.extracted.as_deref().unwrap_or(NOTHING) == theirs.strict);
        flexible.row(ours.verdict("flexible")?.extracted.as_deref().unwrap_or(NOTHING) == theirs.flexible);
    }
    Ok([strict, flexible])
}
