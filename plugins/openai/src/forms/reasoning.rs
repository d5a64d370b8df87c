//! What a model thought before it answered: sent apart by some servers, and written between marks by others.

use crate::options::{Api, Options};
use examiner_api::{GenerateResult, Parted, Result};
use serde_json::Value;

/// The fields in which servers send it: DeepSeek, SGLang and vLLM; OpenRouter and newer versions of vLLM.
const FIELDS: [&str; 2] = ["reasoning_content", "reasoning"];

/// The reasoning that a server has sent beside the answer.
pub(super) fn sent_apart(api: Api, choice: &Value) -> Option<String> {
    let message = match api {
        Api::Chat => choice.get("message")?,
        Api::Completions => choice,
    };
    let field = FIELDS.iter().find_map(|field| message.get(field)?.as_str().filter(|text| !text.is_empty()));
    field.map(str::to_owned).or_else(|| {
        // Mistral's messages have parts of this type.
        let parts = message.get("content")?.as_array()?.iter();
        let text: String = parts.filter_map(|part| part.get("thinking")).map(thinking).collect();
        (!text.is_empty()).then_some(text)
    })
}

fn thinking(part: &Value) -> String {
    match part {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    }
}

/// Takes the reasoning out of the text, where the server has not.
pub(crate) fn part(options: &Options, mut written: GenerateResult) -> Result<GenerateResult> {
    if let (None, Some(marks)) = (&written.reasoning, options.marks()?) {
        let Parted { reasoning, answer } = marks.part(&written.text, false);
        if reasoning.is_some() {
            written.reasoning = reasoning.map(str::to_owned);
            written.text = answer.to_owned();
        }
    }
    Ok(written)
}

/// How many tokens of all answers are reasoning, where the server counts them.
pub(super) fn tokens(body: &Value) -> u64 {
    let details = body.get("usage").and_then(|usage| usage.get("completion_tokens_details"));
    details.and_then(|details| details.get("reasoning_tokens")?.as_u64()).unwrap_or(0)
}
