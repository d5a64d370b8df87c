//! How answers are judged, the same for an examination and for the filter of teacher data.

use crate::wording::Form;
use examiner_api::{Metadata, Sampling};
use serde_json::{Value, json};

/// The scorer for this form.
pub(crate) fn scorer(form: Form) -> &'static str {
    match form {
        Form::Cot | Form::Answers => "answer-extraction",
        Form::Choices => "perplexity-choice",
    }
}

/// That scorer's options.
///
/// Reasoning is judged by the rule of the benchmark's authors, for questions with options and for free answers alike:
/// the line after the last `answer is `, without one period at its end, must be the target, character by character. A bare
/// answer is its first line, unless it says `answer is `.
pub(crate) fn scorer_options(form: Form) -> Metadata {
    let extract = match form {
        Form::Choices => return Metadata::new(),
        Form::Cot => json!("bbh"),
        Form::Answers => json!([{"any": ["bbh", [{"regex": r"\A\s*([^\n]*?)\.?\r?(?:\n|\z)"}]]}]),
    };
    let off = ["trailing_period", "currency", "percent", "thousands", "decimals"];
    let off: Metadata = off.into_iter().map(|name| (name.to_owned(), Value::Bool(false))).collect();
    let options = [("extract", extract), ("normalize", off.into()), ("compare", json!("string"))];
    options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// How answers are generated. The next question ends an answer; an empty line does not, since reasoning has paragraphs.
pub(crate) fn sampling(form: Form) -> Sampling {
    let max_new_tokens = match form {
        Form::Cot => 512,
        Form::Answers | Form::Choices => 128,
    };
    Sampling { max_new_tokens, stop: stop(), ..Sampling::default() }
}

/// What ends an answer.
pub(crate) fn stop() -> Vec<String> {
    ["\nQ:", "</s>", "<|im_end|>"].map(str::to_owned).to_vec()
}
