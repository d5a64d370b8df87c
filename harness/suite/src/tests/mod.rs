//! Tests of reading suites.
//!
//! - `good`: what a suite becomes; variables, overrides, merge keys; every suite in `configs/`.
//! - `bad`: what is said of mistakes.
//! - `options`: options of plugins against their schema.
//! - `arbitrary`: no text makes the reading panic.

mod arbitrary;
mod bad;
mod good;
mod options;

use super::{Loaded, Override, Problems, load_text};

/// The suite of the handbook.
const DISTILL: &str = r#"
name: cot-distill
seed: 1234
models:
  teacher:      { plugin: openai, model: gpt-4o-mini, base_url: https://api.openai.com/v1, api_key_env: OPENAI_API_KEY }
  original:     { plugin: candle, checkpoint: hf://openai-community/gpt2 }
  vanilla:      { plugin: candle, checkpoint: "${train.vanilla}" }
  student:      { plugin: candle, checkpoint: "${train.student}" }
  student-onnx: { plugin: onnx, checkpoint: "${export.student}", device: cuda }
teach:
  bbh-cot: { recipe: bbh, teacher: teacher, tasks: all, shots: 3, samples: 1, keep: correct }
train:
  vanilla: { trainer: candle, from: original, data: { dataset: bbh, as: answers }, epochs: 3, lr: 5e-5 }
  student: { trainer: candle, from: original, data: "${teach.bbh-cot}", epochs: 3, lr: 5e-5 }
export:
  student: { exporter: onnx, from: "${train.student}" }
datasets:
  bbh:   { plugin: bbh, path: data/bbh }
  gsm8k: { plugin: gsm8k, split: test, shots: 8, scorer: answer-extraction }
  csqa:  { plugin: table, path: data/csqa.jsonl, prompt: "...", choices: "...", scorer: perplexity-choice }
evaluate:
  - { models: [original, vanilla, student, student-onnx], datasets: [gsm8k, csqa] }
report: { figure: figs/result.svg }
"#;

fn read_with(text: &str, overrides: &[&str]) -> Result<Loaded, Problems> {
    let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
    let env = |name: &str| (name == "DATA_DIR").then(|| "/srv/${data}".to_owned());
    load_text("s.yaml".as_ref(), text.to_owned(), &overrides, &env)
}

fn read(text: &str) -> Loaded {
    read_with(text, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems_with(text: &str, overrides: &[&str]) -> String {
    match read_with(text, overrides) {
        Ok(loaded) => panic!("read without a problem: {:?}", loaded.suite),
        Err(problems) => problems.to_string(),
    }
}

fn problems(text: &str) -> String {
    problems_with(text, &[])
}
