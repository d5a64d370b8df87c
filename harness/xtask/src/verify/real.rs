//! Published checkpoints, as GGUF and as safetensors: CommonsenseQA and GSM8K as lm-evaluation-harness runs them, the
//! perplexity and the tokens of transformers. `cargo xtask real-models` computes what is compared.

use super::comparison::Comparison;
use super::setup::{Setup, pairs};
use crate::program::files::json_lines;
use crate::program::{Results, SampleLine};
use crate::real_models::{RealModel, available, directory};
use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

/// A row of `*-csqa-*.jsonl`.
#[derive(Deserialize)]
struct Choices {
    context: String,
    /// In nats, one for each choice.
    loglikelihoods: Vec<f64>,
    acc: f64,
    acc_norm: f64,
}

/// A row of `*-gsm8k.jsonl`.
#[derive(Deserialize)]
pub(super) struct Answer {
    /// As the other program logs it, the chat template applied.
    prompt: String,
    text: String,
    /// By how much the best logit leads, where it leads by least.
    smallest_gap: f64,
}

impl Answer {
    /// Whether another correct implementation may say something else.
    pub(super) fn is_tie(&self) -> bool {
        self.smallest_gap <= TIE
    }
}

/// A row of `*-perplexity.jsonl`.
#[derive(Deserialize)]
struct Scored {
    /// In nats.
    sum: f64,
    scored_tokens: u32,
}

/// A row of `*-tokens.jsonl`.
#[derive(Deserialize)]
pub(super) struct Tokens {
    tokens: Vec<u32>,
}

/// Where the two best logits are closer than this, another correct implementation may choose the other token.
const TIE: f64 = 1e-3;
pub(super) const STOP: [&str; 3] = ["Question:", "</s>", "<|im_end|>"];
pub(super) const NEW_TOKENS: u32 = 128;

pub(super) fn compare(setup: &Setup) -> Result<Vec<Comparison>> {
    let models = available()?;
    ensure!(!models.is_empty(), "there are no published checkpoints; `cargo xtask real-models --shared DIR` gets them");
    let mut comparisons = Vec::new();
    for model in &models {
        comparisons.extend(compare_model(setup, model)?);
    }
    Ok(comparisons)
}

fn compare_model(setup: &Setup, model: &RealModel) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for (form, file) in [("gguf", format!("{}.gguf", model.name)), ("safetensors", model.name.clone())] {
        let results = examine(setup, model, form, &file)?;
        let named = |what: &str| Comparison::new(format!("{} {form}: {what}", model.name));
        comparisons.push(tokens(&results, &reference(model, "tokens")?, named("token ids"))?);
        for shots in ["0shot", "5shot"] {
            comparisons.extend(choices(model, &results, shots, &named)?);
        }
        comparisons.push(prompts(model, &results, named("GSM8K prompts, as the model reads them"))?);
        comparisons.push(answers(model, &results, named("GSM8K answers, ties left out"))?);
        comparisons.push(perplexity(model, &results, named("perplexity (0.1 %)"))?);
    }
    // The sharded checkpoint holds the same numbers.
    let sharded = format!("{}-sharded", model.name);
    let results = examine_choices(setup, &sharded)?;
    let named = |what: &str| Comparison::new(format!("{} sharded: {what}", model.name));
    comparisons.extend(choices(model, &results, "0shot", &named)?);
    Ok(comparisons)
}

/// The model `m` of every suite.
pub(super) fn checkpoint(file: &str, chat: bool) -> Value {
    json!({ "plugin": "candle", "checkpoint": directory().join(file), "device": "cpu", "chat": chat })
}

fn csqa(shots: u32) -> Value {
    json!({
        "plugin": "table", "path": data("csqa"), "few_shot": { "path": data("csqa-shots") }, "shots": shots,
        "shots_from": "first", "prompt": "Question: {{ question }}\nAnswer:", "choices": "choices", "gold": "answer",
        "gold_is": "index", "scorer": { "name": "perplexity-choice", "normalize": ["sum", "chars"] }
    })
}

pub(super) fn data(name: &str) -> std::path::PathBuf {
    directory().join("data").join(format!("{name}.jsonl"))
}

/// Texts whose tokens are looked at.
pub(super) fn texts() -> Value {
    json!({
        "plugin": "table", "path": data("texts"), "prompt": "", "delimiter": "", "choices": ["{{ text }}"], "gold": 0,
        "scorer": { "name": "perplexity-choice", "normalize": "sum" }
    })
}

pub(super) fn reference<T: for<'de> Deserialize<'de>>(model: &RealModel, what: &str) -> Result<Vec<T>> {
    json_lines(&directory().join("reference").join(format!("{}-{what}.jsonl", model.name)))
}

fn examine_choices(setup: &Setup, file: &str) -> Result<Results> {
    setup.examine(&json!({
        "name": format!("real-{file}"),
        "models": { "m": checkpoint(file, false) },
        "datasets": { "csqa-0shot": csqa(0) },
        "evaluate": [{ "models": "m", "datasets": "all" }]
    }))
}

fn examine(setup: &Setup, model: &RealModel, form: &str, file: &str) -> Result<Results> {
    setup.examine(&json!({
        "name": format!("real-{}-{form}", model.name),
        "models": { "m": checkpoint(file, false), "chat": checkpoint(file, model.chat) },
        "datasets": {
            "csqa-0shot": csqa(0),
            "csqa-5shot": csqa(5),
            "gsm8k": {
                "plugin": "gsm8k", "path": data("gsm8k"), "generation": { "max_new_tokens": NEW_TOKENS, "stop": STOP }
            },
            "texts": texts(),
            "prose": {
                "plugin": "table", "path": data("prose"), "prompt": "{{ first }}", "delimiter": "",
                "choices": ["{{ second }}"], "gold": 0,
                "scorer": { "name": "perplexity-choice", "normalize": "context" }
            }
        },
        "evaluate": [
            { "models": "m", "datasets": ["csqa-0shot", "csqa-5shot", "texts", "prose"] },
            { "models": "chat", "datasets": "gsm8k" }
        ]
    }))
}

pub(super) fn tokens(results: &Results, theirs: &[Tokens], mut comparison: Comparison) -> Result<Comparison> {
    for (ours, theirs) in pairs(&results.samples("m", "texts")?, theirs)? {
        comparison.row(ours.score()?.tokens == theirs.tokens);
    }
    Ok(comparison)
}

fn choices(
    model: &RealModel,
    results: &Results,
    shots: &str,
    named: &dyn Fn(&str) -> Comparison,
) -> Result<[Comparison; 4]> {
    let dataset = format!("csqa-{shots}");
    let theirs: Vec<Choices> = reference(model, &dataset)?;
    let mut prompts = named(&format!("CSQA {shots} prompts"));
    let mut values = named(&format!("CSQA {shots} log-likelihoods (1e-3)"));
    for (ours, theirs) in pairs(&results.samples("m", &dataset)?, &theirs)? {
        prompts.row(ours.context == theirs.context);
        let verdict = ours.verdict("perplexity-choice")?;
        values.numbers(&verdict.choices("sum", "loglikelihood_nats")?.0, &theirs.loglikelihoods, 1e-3);
    }
    let mean = |of: &dyn Fn(&Choices) -> f64| theirs.iter().map(of).sum::<f64>() / theirs.len() as f64;
    let total = |metric: &str, expected: f64| {
        let mut comparison = named(&format!("CSQA {shots} {metric} {expected:.3}"));
        comparison.numbers(&[results.summary("m", &dataset, "perplexity-choice", metric)?], &[expected], 1e-9);
        Ok::<_, anyhow::Error>(comparison)
    };
    let acc = total("acc", mean(&|row| row.acc))?;
    let acc_norm = total("acc_norm", mean(&|row| row.acc_norm))?;
    Ok([prompts, values, acc, acc_norm])
}

fn prompts(model: &RealModel, results: &Results, mut comparison: Comparison) -> Result<Comparison> {
    let theirs: Vec<Answer> = reference(model, "gsm8k")?;
    for (ours, theirs) in pairs(&results.samples("chat", "gsm8k")?, &theirs)? {
        comparison.row(*ours.rendered.first().unwrap_or(&ours.context) == theirs.prompt);
    }
    Ok(comparison)
}

fn answers(model: &RealModel, results: &Results, mut comparison: Comparison) -> Result<Comparison> {
    let theirs: Vec<Answer> = reference(model, "gsm8k")?;
    for (ours, theirs) in pairs(&results.samples("chat", "gsm8k")?, &theirs)? {
        comparison.row(theirs.is_tie() || ours.generated()?.text == theirs.text);
    }
    ensure!(theirs.iter().any(|row| !row.is_tie()), "there are nothing but ties among the answers");
    Ok(comparison)
}

fn perplexity(model: &RealModel, results: &Results, mut comparison: Comparison) -> Result<Comparison> {
    let theirs: Vec<Scored> = reference(model, "perplexity")?;
    let ours = results.samples("m", "prose")?;
    // The reference ends after so many tokens.
    let ours = ours.get(..theirs.len()).unwrap_or(&ours);
    let (mut sums, mut tokens) = ([0.0, 0.0], [0, 0]);
    for (ours, theirs) in pairs::<SampleLine, _>(ours, &theirs)? {
        let ours = ours.score()?;
        sums = [sums[0] + ours.sum, sums[1] + theirs.sum];
        tokens = [tokens[0] + ours.scored_tokens, tokens[1] + theirs.scored_tokens];
    }
    ensure!(tokens[0] == tokens[1], "{} tokens were scored, by transformers {}", tokens[0], tokens[1]);
    let of = |index: usize| (-sums[index] / f64::from(tokens[index])).exp();
    comparison.numbers(&[of(0) / of(1)], &[1.0], 1e-3);
    Ok(comparison)
}
