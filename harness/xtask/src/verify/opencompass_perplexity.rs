//! CommonsenseQA as OpenCompass's perplexity inferencer scores it: the letter of each option at the end of the whole
//! prompt.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::program::files::json_lines;
use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// A row of `csqa_ppl.jsonl`.
#[derive(Deserialize)]
struct Row {
    /// By letter.
    labels: BTreeMap<String, Label>,
    prediction: String,
}

#[derive(Deserialize)]
struct Label {
    prompt: String,
    /// In nats a token, the first token counted.
    ppl: f64,
}

const PROMPT: &str = "Question: {{ question.stem }}\n{% for choice in question.choices %}{{ choice.label }}. \
                      {{ choice.text }}\n{% endfor %}Answer:";
const LETTERS: [&str; 5] = ["A", "B", "C", "D", "E"];

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let theirs: Vec<Row> = json_lines(&setup.shared("oracle/opencompass/csqa_ppl.jsonl"))?;
    let results = setup.examine(&json!({
        "name": "opencompass-perplexity",
        "models": { "tiny": setup.tiny_gpt2() },
        "datasets": {
            "csqa": {
                "plugin": "table", "path": setup.shared("data/csqa/dev_rand_split.jsonl"), "limit": theirs.len(),
                "prompt": PROMPT, "choices": LETTERS, "gold": "answerKey", "gold_is": "letter",
                "scorer": { "name": "perplexity-choice", "normalize": "context-opencompass" }
            }
        },
        "evaluate": [{ "models": "all", "datasets": "all" }]
    }))?;
    let mut prompts = Comparison::new("opencompass csqa: prompts");
    let mut values = Comparison::new("opencompass csqa: perplexities (1e-3)");
    let mut letters = Comparison::new("opencompass csqa: chosen letters");
    for (ours, theirs) in pairs(&results.samples("tiny", "csqa")?, &theirs)? {
        let label = |letter| theirs.labels.get(letter).ok_or_else(|| anyhow!("a recorded row has no label `{letter}`"));
        let labels: Vec<&Label> = LETTERS.into_iter().map(label).collect::<Result<_>>()?;
        let same = |(letter, label): (&str, &&Label)| label.prompt == format!("{} {letter}", ours.context);
        prompts.row(LETTERS.into_iter().zip(&labels).all(same));
        let (found, chosen) = ours.verdict("perplexity-choice")?.choices("context-opencompass", "perplexity_nats")?;
        values.numbers(&found, &labels.iter().map(|label| label.ppl).collect::<Vec<_>>(), 1e-3);
        letters.row(LETTERS.get(chosen) == Some(&theirs.prediction.as_str()));
    }
    let mut total = Comparison::new("opencompass csqa: accuracy 17.00");
    total.numbers(&[100.0 * results.summary("tiny", "csqa", "perplexity-choice", "accuracy")?], &[17.0], 5e-3);
    Ok(vec![prompts, values, letters, total])
}
