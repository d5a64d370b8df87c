//! Models that reason before they answer.

use crate::server::{Asked, Reply, Server, good};
use crate::{generate, open, request};
use examiner_api::{FinishReason, GenerateResult, Result, Sampling};
use serde_json::{Value, json};

/// What comes of one question with the stop string of a blank line.
fn answer(server: &Server, more: Value) -> Result<GenerateResult> {
    let sampling = Sampling { stop: vec!["\n\n".into()], ..Sampling::default() };
    let (mut answers, end) = generate(&mut open(server, more), vec![request(0, "Q", &sampling)]);
    end?;
    answers.remove(&0).unwrap()
}

/// A server that sends this message, and counts 9 tokens, of which 6 are reasoning.
fn server(message: Value, reason: &'static str) -> Server {
    Server::start(move |_: &Asked| {
        Reply::ok(json!({
            "choices": [{ "message": message.clone(), "finish_reason": reason }],
            "usage": {
                "prompt_tokens": 10, "completion_tokens": 9, "completion_tokens_details": { "reasoning_tokens": 6 }
            }
        }))
    })
}

#[test]
fn what_the_server_sends_apart_is_kept_apart() {
    let server = server(json!({ "content": "18\n\nNext", "reasoning_content": "9 + 9\n\nis 18" }), "stop");
    let found = answer(&server, json!({})).unwrap();
    assert_eq!((found.text.as_str(), found.reasoning.as_deref()), ("18", Some("9 + 9\n\nis 18")));
    assert_eq!((found.finish, found.tokens_out, found.reasoning_tokens), (FinishReason::StopString, 9, 6));
    assert_eq!(server.asked()[0].body["stop"], json!(["\n\n"]));
}

#[test]
fn an_answer_that_was_cut_off_while_the_model_reasoned_is_none() {
    for message in [json!({ "content": null, "reasoning": "9 + " }), json!({ "content": "<think>9 + " })] {
        let found = answer(&server(message, "length"), json!({})).unwrap();
        assert!(found.lacks_answer() && found.is_cut_off() && found.reasoning.as_deref() == Some("9 + "), "{found:?}");
    }
    // OpenAI's own models do not say what they thought.
    let found = answer(&server(json!({ "content": "" }), "length"), json!({})).unwrap();
    assert!(found.lacks_answer() && found.reasoning.is_none() && found.reasoning_tokens == 6);
}

#[test]
fn stop_strings_stay_here_where_the_model_is_known_to_reason() {
    let server = server(json!({ "content": "<think>9\n\n9</think>\n\n18\n\nNext" }), "stop");
    let more = json!({ "reasoning_effort": "low", "chat_template_kwargs": { "enable_thinking": true } });
    let found = answer(&server, more).unwrap();
    assert_eq!((found.text.as_str(), found.reasoning.as_deref()), ("18", Some("9\n\n9")));
    let body = &server.asked()[0].body;
    assert_eq!((body.get("stop"), &body["reasoning_effort"]), (None, &json!("low")));
    assert_eq!(body["chat_template_kwargs"], json!({ "enable_thinking": true }));
}

#[test]
fn what_was_kept_with_its_reasoning_is_parted_when_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let cache = |more: Value| {
        let mut options = json!({ "cache": folder.path().display().to_string() });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        options
    };
    let kept = server(json!({ "content": "<think>9</think>18" }), "stop");
    let (first, again) = (answer(&kept, cache(json!({}))).unwrap(), answer(&kept, cache(json!({}))).unwrap());
    assert_eq!((first.text.as_str(), &first, kept.asked().len()), ("18", &again, 1));
    let whole = answer(&kept, cache(json!({ "reasoning": false }))).unwrap();
    assert_eq!((whole.text.as_str(), kept.asked().len()), ("<think>9</think>18", 2), "it is another model");
}

#[test]
fn options_of_a_chat_are_refused_elsewhere() {
    let server = Server::start(good);
    for more in [json!({ "reasoning_effort": "low" }), json!({ "chat_template_kwargs": { "a": 1 } })] {
        let mut options = json!({ "model": "m", "base_url": server.url(), "api": "completions" });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let options = serde_json::from_value(options).unwrap();
        let host = examiner_api::testing::FakeHost::new().host();
        let error = <examiner_plugin_openai::OpenAi as examiner_api::Open>::open(options, host).err().unwrap();
        assert!(error.message.contains("are for `api: chat`"), "{error}");
    }
}
