//! Free answers, by chat and by completion.

use crate::budget::Tokens;
use crate::errors::Failure;
use crate::options::{Api, Options};
use examiner_api::{Answer, ErrorCode, FinishReason, GenerateResult, PluginError, Result, Sampling, Speaker, Turn};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A prompt, and how answers to it are chosen.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    pub(crate) prompt: String,
    /// The prompt as a conversation; empty where it is one message.
    pub(crate) turns: Arc<Vec<Turn>>,
    pub(crate) sampling: Sampling,
}

/// Servers take no more stop strings. The answer is cut here at all of them anyway.
const MOST_STOPS: usize = 4;

impl Generation {
    pub(super) fn body(&self, options: &Options, wants: usize, seed: Option<u64>) -> Map<String, Value> {
        let Sampling { max_new_tokens, temperature, top_k, top_p, repetition_penalty, stop, .. } = &self.sampling;
        let mut body = super::fields(options);
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        match options.api {
            Api::Completions => put("prompt", json!(self.prompt)),
            Api::Chat => put("messages", json!(self.messages(options))),
        };
        put(options.max_tokens_field.name(), json!(max_new_tokens));
        put("temperature", json!(shortest(*temperature)));
        // What is not asked for is not said: not every server knows every field.
        if *top_p < 1.0 {
            put("top_p", json!(shortest(*top_p)));
        }
        if *top_k > 0 {
            put("top_k", json!(top_k));
        }
        if *repetition_penalty != 1.0 {
            put("repetition_penalty", json!(shortest(*repetition_penalty)));
        }
        let stop: Vec<&String> = stop.iter().filter(|stop| !stop.is_empty()).take(MOST_STOPS).collect();
        if !stop.is_empty() {
            put("stop", json!(stop));
        }
        if let Some(seed) = seed {
            put("seed", json!(seed));
        }
        if wants > 1 {
            put("n", json!(wants));
        }
        body
    }

    /// What a chat is sent. The suite's system prompt and the dataset's preamble are one message.
    pub(super) fn messages(&self, options: &Options) -> Vec<Turn> {
        let mut messages = match self.turns.is_empty() || !options.reads_turns() {
            true => vec![Turn::user(&self.prompt)],
            false => self.turns.to_vec(),
        };
        if let Some(system) = &options.system {
            match messages.first_mut() {
                Some(first) if first.speaker == Speaker::System => {
                    first.content = format!("{system}\n\n{}", first.content)
                }
                _ => messages.insert(0, Turn::system(system)),
            }
        }
        messages
    }

    pub(super) fn read(
        &self,
        options: &Options,
        choices: &[Value],
        usage: Option<Tokens>,
    ) -> Result<Vec<Result<Answer>>, Failure> {
        let usage = usage.unwrap_or_default();
        let count = choices.len() as u64;
        let read = |(index, choice): (usize, &Value)| {
            let text = text(options.api, choice)?;
            // Servers count the answers to one request together.
            let generated = usage.generated / count + u64::from((index as u64) < usage.generated % count);
            Ok(self.answer(choice, text, usage.read, generated))
        };
        choices.iter().enumerate().map(read).collect()
    }

    fn answer(&self, choice: &Value, text: String, read: u64, generated: u64) -> Result<Answer> {
        let reason = choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default();
        if reason == "content_filter" {
            let message = "the server's content filter withheld the answer (`finish_reason: content_filter`)";
            return Err(PluginError::new(ErrorCode::BadInput, message).with_help("look at the prompt of this sample"));
        }
        // vLLM says which string it stopped at; other servers leave open whether there was one.
        let stopped = choice.get("stop_reason").is_some_and(Value::is_string);
        let (text, finish) = match (cut(&text, &self.sampling.stop), reason) {
            (Some(kept), _) => (kept.to_owned(), FinishReason::StopString),
            (None, "length") => (text, FinishReason::Length),
            (None, _) if stopped => (text, FinishReason::StopString),
            (None, _) => (text, FinishReason::EndOfText),
        };
        let [tokens_in, tokens_out] = [read, generated].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        Ok(Answer::Generate(GenerateResult { text, finish, tokens_in, tokens_out, ..GenerateResult::default() }))
    }
}

fn text(api: Api, choice: &Value) -> Result<String, Failure> {
    let found = match api {
        Api::Completions => choice.get("text"),
        Api::Chat => choice.get("message").and_then(|message| {
            message
                .get("content")
                .filter(|content| !content.is_null())
                .or_else(|| message.get("refusal"))
                .or(Some(&Value::Null))
        }),
    };
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        // A message of tool calls or thoughts alone.
        Some(Value::Null) => Ok(String::new()),
        Some(Value::Array(parts)) => Ok(parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()),
        _ => Err(Failure::unreadable("a choice of the answer has no text")),
    }
}

/// 0.7, not 0.699999988079071.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The text before the stop string that begins first, if there is one. An empty stop string stops nothing.
fn cut<'a>(text: &'a str, stop: &[String]) -> Option<&'a str> {
    let stop = stop.iter().filter(|stop| !stop.is_empty());
    stop.filter_map(|stop| text.find(stop.as_str())).min().map(|end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(more: Value) -> Options {
        let mut options = json!({ "model": "m", "base_url": "http://localhost/v1" });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(options).unwrap()
    }

    fn generation(stop: &[&str]) -> Generation {
        let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
        Generation {
            prompt: "Q".into(),
            turns: Arc::default(),
            sampling: Sampling { stop, max_new_tokens: 9, temperature: 0.7, ..Sampling::default() },
        }
    }

    #[test]
    fn bodies_say_what_is_asked_and_no_more() {
        let body = |more: Value, wants, seed| {
            json!(generation(&["a", "", "b", "c", "d", "e"]).body(&options(more), wants, seed))
        };
        assert_eq!(
            body(json!({ "system": "S" }), 3, Some(5)),
            json!({
                "model": "m", "messages": [{ "role": "system", "content": "S" }, { "role": "user", "content": "Q" }],
                "max_tokens": 9, "temperature": 0.7, "stop": ["a", "b", "c", "d"], "seed": 5, "n": 3,
            })
        );
        assert_eq!(
            body(json!({ "api": "completions", "max_tokens_field": "max_completion_tokens" }), 1, None),
            json!({ "model": "m", "prompt": "Q", "max_completion_tokens": 9, "temperature": 0.7, "stop": ["a", "b", "c", "d"] })
        );
    }

    #[test]
    fn examples_are_messages() {
        let turns = [Turn::system("P"), Turn::user("1?"), Turn::assistant("1"), Turn::user("Q?")];
        let generation = Generation { turns: Arc::new(turns.to_vec()), ..generation(&[]) };
        let messages = |more: Value| json!(generation.body(&options(more), 1, None))["messages"].clone();
        let (user, assistant) =
            (json!({ "role": "user", "content": "1?" }), json!({ "role": "assistant", "content": "1" }));
        let last = json!({ "role": "user", "content": "Q?" });
        let system = |content: &str| json!({ "role": "system", "content": content });
        assert_eq!(messages(json!({})), json!([system("P"), user, assistant, last]));
        assert_eq!(messages(json!({ "system": "S" })), json!([system("S\n\nP"), user, assistant, last]));
        let flat = json!([{ "role": "user", "content": "Q" }]);
        assert_eq!(messages(json!({ "shots_as_turns": false })), flat);
        assert_eq!(messages(json!({ "api": "completions" })), Value::Null);
    }

    fn read(api: &str, stop: &[&str], choice: Value) -> Result<GenerateResult> {
        let usage = Some(Tokens { read: 7, generated: 5 });
        let mut answers =
            generation(stop).read(&options(json!({ "api": api })), &[choice.clone(), choice], usage).unwrap();
        assert_eq!(answers.len(), 2);
        match answers.remove(0)? {
            Answer::Generate(result) => Ok(result),
            Answer::Score(_) => unreachable!(),
        }
    }

    #[test]
    fn answers_end_for_a_reason() {
        let chat = |text: &str, reason: &str| json!({ "message": { "content": text }, "finish_reason": reason });
        let of = |stop: &[&str], choice: Value| read("chat", stop, choice).map(|result| (result.text, result.finish));
        assert_eq!(of(&[], chat("18", "stop")), Ok(("18".into(), FinishReason::EndOfText)));
        assert_eq!(of(&["\n"], chat("18\nQ: 5", "stop")), Ok(("18".into(), FinishReason::StopString)));
        assert_eq!(
            of(&["1", "2", "3", "4", "5\n"], chat("x5\ny", "length")),
            Ok(("x".into(), FinishReason::StopString))
        );
        assert_eq!(of(&["\n"], chat("18", "length")), Ok(("18".into(), FinishReason::Length)));
        let filtered = of(&[], chat("", "content_filter")).unwrap_err();
        assert_eq!(filtered.code, ErrorCode::BadInput);
        let vllm = json!({ "text": "18", "finish_reason": "stop", "stop_reason": "Q:" });
        let result = read("completions", &["Q:"], vllm).unwrap();
        assert_eq!((result.finish, result.tokens_in, result.tokens_out), (FinishReason::StopString, 7, 3));
        let parts =
            json!({ "message": { "content": [{ "type": "text", "text": "1" }, { "type": "text", "text": "8" }] } });
        assert_eq!(of(&[], parts), Ok(("18".into(), FinishReason::EndOfText)));
        let thoughts = json!({ "message": { "content": null }, "finish_reason": "length" });
        assert_eq!(of(&[], thoughts), Ok((String::new(), FinishReason::Length)));
    }
}
