//! Free answers, by chat and by completion.

use super::reasoning;
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
        let sent = stop.iter().filter(|stop| !stop.is_empty() && options.sends_stop());
        let stop: Vec<&String> = sent.take(MOST_STOPS).collect();
        if !stop.is_empty() {
            put("stop", json!(stop));
        }
        if let Some(seed) = seed {
            put("seed", json!(seed));
        }
        if wants > 1 {
            put("n", json!(wants));
        }
        if let Some(effort) = &options.reasoning_effort {
            put("reasoning_effort", json!(effort));
        }
        if !options.chat_template_kwargs.is_empty() {
            put("chat_template_kwargs", json!(options.chat_template_kwargs));
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
        reasoning: u64,
    ) -> Result<Vec<Result<Answer>>, Failure> {
        let usage = usage.unwrap_or_default();
        let count = choices.len() as u64;
        let read = |(index, choice): (usize, &Value)| {
            // Servers count the answers to one request together.
            let share = |total: u64| total / count + u64::from((index as u64) < total % count);
            let [read, generated, thought] = [usage.read, share(usage.generated), share(reasoning)]
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            let written = GenerateResult {
                text: text(options.api, choice)?,
                reasoning: reasoning::sent_apart(options.api, choice),
                tokens_in: read,
                tokens_out: generated,
                reasoning_tokens: thought,
                ..GenerateResult::default()
            };
            Ok(self.answer(options, choice, written).map(Answer::Generate))
        };
        choices.iter().enumerate().map(read).collect()
    }

    /// The answer in what the model wrote.
    fn answer(&self, options: &Options, choice: &Value, written: GenerateResult) -> Result<GenerateResult> {
        let reason = choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default();
        if reason == "content_filter" {
            let message = "the server's content filter withheld the answer (`finish_reason: content_filter`)";
            return Err(PluginError::new(ErrorCode::BadInput, message).with_help("look at the prompt of this sample"));
        }
        let mut answer = reasoning::part(options, written)?;
        // vLLM says which string it stopped at; other servers leave open whether there was one.
        let stopped = choice.get("stop_reason").is_some_and(Value::is_string);
        let stop = &self.sampling.stop;
        answer.finish = match (cut(&answer.text, stop), reason) {
            (Some(kept), _) => {
                answer.text.truncate(kept);
                FinishReason::StopString
            }
            (None, "length") => FinishReason::Length,
            (None, _) if stopped => FinishReason::StopString,
            (None, _) => FinishReason::EndOfText,
        };
        let may_be_stopped = options.sends_stop() && stop.iter().any(|stop| !stop.is_empty());
        if may_be_stopped && answer.lacks_answer() && !answer.is_cut_off() {
            let message = "the model reasoned and gave no answer; one of the stop strings that were sent may have ended its reasoning";
            let help = "set `reasoning: true`: stop strings are then applied to the answer alone";
            return Err(PluginError::bad_input(message).with_help(help));
        }
        Ok(answer)
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

/// Where the stop string begins that begins first, if there is one. An empty stop string stops nothing.
fn cut(text: &str, stop: &[String]) -> Option<usize> {
    let stop = stop.iter().filter(|stop| !stop.is_empty());
    stop.filter_map(|stop| text.find(stop.as_str())).min()
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
        read_with(json!({ "api": api }), stop, choice)
    }

    fn read_with(more: Value, stop: &[&str], choice: Value) -> Result<GenerateResult> {
        let usage = Some(Tokens { read: 7, generated: 5 });
        let mut answers = generation(stop).read(&options(more), &[choice.clone(), choice], usage, 3).unwrap();
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
    #[test]
    fn reasoning_is_no_part_of_an_answer() {
        let of = |more: Value, stop: &[&str], message: Value, reason: &str| {
            let result = read_with(more, stop, json!({ "message": message, "finish_reason": reason }))?;
            Ok::<_, PluginError>((
                result.reasoning.unwrap_or_default(),
                result.text,
                result.finish,
                result.reasoning_tokens,
            ))
        };
        let found = |reasoning: &str, text: &str, finish| Ok((reasoning.to_owned(), text.to_owned(), finish, 2));
        for field in ["reasoning_content", "reasoning"] {
            let apart = |content: Value| json!({ "content": content, field: "9 + 9\n= 18" });
            let sent = of(json!({}), &["\n"], apart(json!("18\nQ")), "stop");
            assert_eq!(sent, found("9 + 9\n= 18", "18", FinishReason::StopString));
            let cut = of(json!({}), &["\n"], apart(Value::Null), "length");
            assert_eq!(cut, found("9 + 9\n= 18", "", FinishReason::Length));
            // The server may have taken the stop string for one of the reasoning.
            let error = of(json!({}), &["\n"], apart(json!("")), "stop").unwrap_err();
            assert!(error.help.unwrap().contains("`reasoning: true`"));
            let ended = of(json!({ "reasoning": true }), &["\n"], apart(json!("")), "stop");
            assert_eq!(ended, found("9 + 9\n= 18", "", FinishReason::EndOfText));
        }
        let marked = || json!({ "content": "<think>9\n</think>\n\n18\nQ" });
        let parted = found("9\n", "18", FinishReason::StopString);
        assert_eq!(of(json!({}), &["\n"], marked(), "stop"), parted);
        assert_eq!(of(json!({ "reasoning": true }), &["\n"], marked(), "stop"), parted);
        let whole = of(json!({ "reasoning": false }), &[], marked(), "stop").unwrap();
        assert_eq!((whole.0.as_str(), whole.1.as_str()), ("", "<think>9\n</think>\n\n18\nQ"));
        let cut = of(json!({}), &[], json!({ "content": "<think>9 + " }), "length");
        assert_eq!(cut, found("9 + ", "", FinishReason::Length));
        let own = json!({ "reasoning": { "start": "[THINK]", "end": "[/THINK]" } });
        let mistral = of(own, &[], json!({ "content": "[THINK]9[/THINK]18" }), "stop");
        assert_eq!(mistral, found("9", "18", FinishReason::EndOfText));
        let parts = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "9" }] }, { "type": "text", "text": "18" }]);
        let parts = of(json!({}), &[], json!({ "content": parts }), "stop");
        assert_eq!(parts, found("9", "18", FinishReason::EndOfText));
    }

    #[test]
    fn a_model_that_reasons_gets_no_stop_strings() {
        let body = |more: Value| json!(generation(&["a"]).body(&options(more), 1, None));
        assert_eq!(body(json!({}))["stop"], json!(["a"]));
        for more in [json!({ "reasoning": true }), json!({ "reasoning": { "end": "[/THINK]" } })] {
            assert_eq!(body(more)["stop"], Value::Null);
        }
        let body = body(json!({ "reasoning_effort": "low", "chat_template_kwargs": { "enable_thinking": false } }));
        assert_eq!((&body["stop"], &body["reasoning_effort"]), (&Value::Null, &json!("low")));
        assert_eq!(body["chat_template_kwargs"], json!({ "enable_thinking": false }));
    }
}
