//! Log-probabilities of prompts, and how they are found to be there.
//!
//! The server's tokens are words with the space before them; a token costs a tenth of its length in nats, and those of even
//! length are the most probable ones.

use crate::server::{Asked, Reply, Server};
use crate::{open, options};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Flow, Model, Open, PluginError, Response, Result, ScoreRequest, ScoreResult, Span};
use examiner_plugin_openai::OpenAi;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for c in text.chars() {
        match tokens.last_mut() {
            Some(last) if c != ' ' || last.chars().all(|c| c == ' ') => last.push(c),
            _ => tokens.push(c.to_string()),
        }
    }
    tokens
}

fn cost(token: &str) -> f64 {
    -(token.chars().count() as f64) / 10.0
}

fn is_best(token: &str) -> bool {
    token.chars().count().is_multiple_of(2)
}

/// Answers with `echo`. `bos`: the server puts a token of its own before the text.
fn echo(asked: &Asked, bos: Option<&str>) -> Reply {
    if asked.body.get("echo").is_none() {
        return Reply::error(400, "unknown");
    }
    let mut texts = tokens(&asked.prompt);
    if let Some(bos) = bos {
        texts.insert(0, bos.to_owned());
    }
    if asked.body["max_tokens"] == 1 {
        texts.push(" more".to_owned());
    }
    let mut offset = 0;
    let mut offsets = Vec::new();
    for text in &texts {
        offsets.push(offset);
        offset += text.chars().count();
    }
    let but_first = |value: &dyn Fn(&String) -> Value| -> Vec<Value> {
        texts.iter().enumerate().map(|(index, text)| if index == 0 { Value::Null } else { value(text) }).collect()
    };
    let top = |text: &String| json!({ "best": if is_best(text) { cost(text) } else { -0.01 } });
    Reply::ok(json!({
        "choices": [{
            "text": texts.concat(), "finish_reason": "length",
            "logprobs": {
                "tokens": texts, "text_offset": offsets, "token_logprobs": but_first(&|text| json!(cost(text))),
                "top_logprobs": but_first(&top),
            },
        }],
        "usage": { "prompt_tokens": texts.len(), "completion_tokens": 0 },
    }))
}

/// Answers with `prompt_logprobs`. Leading spaces are not shown, as some tokenizers have it.
fn prompt_logprobs(asked: &Asked) -> Reply {
    if asked.body.get("prompt_logprobs").is_none() {
        return Reply::error(400, "unknown");
    }
    let entry = |(index, token): (usize, String)| match index {
        0 => Value::Null,
        _ => {
            let rank = if is_best(&token) { 1 } else { 3 };
            let own = json!({ "logprob": cost(&token), "rank": rank, "decoded_token": token.trim_start() });
            json!({ index.to_string(): own, "999": { "logprob": -0.01, "rank": 1, "decoded_token": "best" } })
        }
    };
    let list: Vec<Value> = tokens(&asked.prompt).into_iter().enumerate().map(entry).collect();
    Reply::ok(json!({ "choices": [{ "text": " x", "finish_reason": "length", "prompt_logprobs": list }] }))
}

fn request(id: u64, context: &str, continuation: &str, span: Span) -> ScoreRequest {
    ScoreRequest { id, context: context.into(), continuation: continuation.into(), span, ..ScoreRequest::default() }
}

fn score(model: &mut OpenAi, requests: Vec<ScoreRequest>) -> BTreeMap<u64, Result<ScoreResult, PluginError>> {
    let answers = Mutex::new(BTreeMap::new());
    let sink = |response: Response<ScoreResult>| {
        assert!(answers.lock().unwrap().insert(response.id, response.result).is_none());
        Flow::Continue
    };
    model.score(requests, &sink).unwrap();
    answers.into_inner().unwrap()
}

/// What a text of these tokens costs.
fn expected(tokens: &[&str], total: u32, answer: &Result<ScoreResult, PluginError>) {
    let answer = answer.as_ref().unwrap();
    let sum: f64 = tokens.iter().map(|token| cost(token)).sum();
    assert!((answer.sum - sum).abs() < 1e-9, "{tokens:?} {answer:?}");
    assert_eq!(answer.is_greedy, tokens.iter().all(|token| is_best(token)), "{tokens:?} {answer:?}");
    assert_eq!((answer.scored_tokens, answer.total_tokens), (tokens.len() as u32, total), "{tokens:?}");
    assert_eq!(answer.token_logprobs.len(), tokens.len());
}

fn questions() -> Vec<ScoreRequest> {
    vec![
        request(0, "The sky is", " very blue", Span::Continuation),
        request(1, "The sky is ", "blue", Span::Continuation),
        request(2, "The sky is", " red", Span::Continuation),
        request(3, "The sky", " is blue", Span::All),
        request(4, "Schön ist", " die Wëlt", Span::Continuation),
    ]
}

fn check(answers: &BTreeMap<u64, Result<ScoreResult, PluginError>>, own: u32) {
    expected(&[" very", " blue"], 5 + own, &answers[&0]);
    expected(&[" blue"], 4 + own, &answers[&1]);
    expected(&[" red"], 4 + own, &answers[&2]);
    expected(&[" sky", " is", " blue"], 4 + own, &answers[&3]);
    expected(&[" die", " Wëlt"], 4 + own, &answers[&4]);
}

#[test]
fn by_echo() {
    for bos in [None, Some("<s>"), Some("")] {
        let server = Server::start(move |asked| echo(asked, bos));
        let mut model = open(&server, json!({ "api": "completions" }));
        let info = model.info().unwrap();
        assert!(info.can_score && info.can_generate);
        assert_eq!((&info.details["score"], server.asked().len()), (&json!("echo"), 1), "one tiny request tells");
        check(&score(&mut model, questions()), u32::from(bos.is_some()));
        assert_eq!(server.asked().len(), 6);
        assert!(server.asked().iter().all(|asked| asked.path == "/v1/completions"));
    }
}

#[test]
fn by_echo_of_a_server_that_must_generate() {
    let server = Server::start(|asked| match asked.body["max_tokens"].as_u64() {
        Some(0) => Reply::error(400, "max_tokens"),
        _ => echo(asked, None),
    });
    let mut model = open(&server, json!({ "api": "completions" }));
    check(&score(&mut model, questions()), 0);
}

#[test]
fn by_prompt_logprobs() {
    let server = Server::start(prompt_logprobs);
    let mut model = open(&server, json!({ "api": "completions" }));
    let answers = score(&mut model, questions());
    check(&answers, 0);
    assert_eq!(answers[&0].as_ref().unwrap().tokens, [3, 4]);
    assert_eq!(model.info().unwrap().details["score"], "prompt-logprobs");
}

#[test]
fn a_token_across_the_boundary_is_that_requests_error() {
    let scripts: [fn(&Asked) -> Reply; 2] = [|asked| echo(asked, None), prompt_logprobs];
    for script in scripts {
        let server = Server::start(script);
        let mut model = open(&server, json!({ "api": "completions" }));
        let asked = vec![request(0, "The sk", "y is", Span::Continuation), request(1, "a b", " c", Span::Continuation)];
        let answers = score(&mut model, asked);
        let error = answers[&0].as_ref().unwrap_err();
        assert_eq!(error.code, ErrorCode::BadInput);
        assert!(error.message.contains("spans the end of the context"), "{error}");
        expected(&[" c"], 3, &answers[&1]);
    }
}

/// The error of a request that is answered with `change` applied to a good answer, beside one that is answered well. The
/// probe is answered well, too.
fn changed(script: fn(&Asked) -> Reply, change: fn(&mut Value)) -> PluginError {
    let server = Server::start(move |asked| match script(asked) {
        Reply::Json(200, headers, mut body) if asked.prompt.starts_with("The sky") => {
            change(&mut body["choices"][0]);
            Reply::Json(200, headers, body)
        }
        reply => reply,
    });
    let cache = tempfile::tempdir().unwrap();
    let mut model = open(&server, json!({ "api": "completions", "cache": cache.path() }));
    let asked = || vec![request(0, "The sky is", " very blue", Span::Continuation), request(1, "a b", " c", Span::All)];
    let answers = score(&mut model, asked());
    assert_eq!(answers[&1].as_ref().unwrap().scored_tokens, 2, "others are not touched");
    let before = server.asked().len();
    let again = score(&mut model, asked());
    assert_eq!(server.asked().len(), before + 1, "it is not kept, and not asked more than once");
    assert_eq!(again[&0], answers[&0]);
    answers[&0].clone().unwrap_err()
}

/// Takes tokens out of an echo, those before the first as well as those after the last.
fn keep(choice: &mut Value, from: usize, to: usize) {
    for list in ["tokens", "text_offset", "token_logprobs", "top_logprobs"] {
        let tokens = choice["logprobs"][list].as_array_mut().unwrap();
        tokens.truncate(to);
        tokens.drain(..from);
    }
}

#[test]
fn a_log_probability_that_is_impossible_is_an_error() {
    let echoed = |choice: &mut Value| choice["logprobs"]["token_logprobs"][4] = json!(5.0);
    let error = changed(|asked| echo(asked, None), echoed);
    assert_eq!(error.code, ErrorCode::Numeric);
    assert!(error.message.contains("\" very blue\" cannot be right: expected at most 0, found 5"), "{error}");
    let error = changed(prompt_logprobs, |choice| choice["prompt_logprobs"][4]["4"]["logprob"] = json!(5.0));
    assert!(error.message.contains("expected at most 0, found 5"), "{error}");
    let error = changed(|asked| echo(asked, None), |choice| choice["logprobs"]["token_logprobs"][4] = Value::Null);
    assert!(error.message.contains("no number as the log-probability of the token \" blue\""), "{error}");
}

#[test]
fn tokens_of_another_text_are_an_error_that_tells_both() {
    let echo = |asked: &Asked| echo(asked, None);
    let last = changed(echo, |choice| keep(choice, 0, 4));
    assert_eq!(last.code, ErrorCode::BadInput);
    assert!(last.message.contains("character 15 on, counted from 0, \" blue\" was sent and \"\" came back"), "{last}");
    let cut = changed(echo, |choice| keep(choice, 1, 5));
    assert!(cut.message.contains("\"The sky is very blue\" was sent and \" sky is very blue\" came back"), "{cut}");
    let other = changed(echo, |choice| choice["logprobs"]["tokens"][3] = json!(" dark"));
    assert!(other.message.contains("\"very blue\" was sent and \"dark blue\" came back"), "{other}");
    let last = changed(prompt_logprobs, |choice| drop(choice["prompt_logprobs"].as_array_mut().unwrap().pop()));
    assert!(last.message.contains("another text than it was sent"), "{last}");
    let cut = changed(prompt_logprobs, |choice| {
        let entries = choice["prompt_logprobs"].as_array_mut().unwrap();
        entries.drain(..2);
        entries[0] = Value::Null;
    });
    assert!(cut.message.contains("\"veryblue\" came back"), "{cut}");
    let other = changed(prompt_logprobs, |choice| choice["prompt_logprobs"][1]["1"]["decoded_token"] = json!("sea"));
    assert!(other.message.contains("\"seaisveryblue\" came back"), "{other}");
}

#[test]
fn a_server_that_scores_another_text_from_the_start_is_known_before_the_run() {
    let server = Server::start(|asked| match echo(asked, None) {
        Reply::Json(200, headers, mut body) => {
            keep(&mut body["choices"][0], 1, usize::MAX);
            Reply::Json(200, headers, body)
        }
        reply => reply,
    });
    let info = open(&server, json!({ "api": "completions" })).info().unwrap();
    assert!(!info.can_score, "{info:?}");
    let error = open(&server, json!({ "api": "completions", "score": "echo" })).info().unwrap_err();
    assert!(error.message.contains("\"One, two, three\" was sent and \" two, three"), "{error}");
}

#[test]
fn an_empty_context_is_what_the_suite_says() {
    let server = Server::start(|asked| echo(asked, None));
    let asked = || vec![request(0, "", " blue sky", Span::Continuation)];
    let answers = score(&mut open(&server, json!({ "api": "completions" })), asked());
    let error = answers[&0].as_ref().unwrap_err();
    assert!(error.help.as_ref().unwrap().contains("beginning_of_text"), "{error}");
    let options = json!({ "api": "completions", "beginning_of_text": "<|endoftext|>" });
    expected(&[" blue", " sky"], 3, &score(&mut open(&server, options), asked())[&0]);
}

#[test]
fn a_server_that_does_not_tell_is_known_before_the_run() {
    let server = Server::start(|_| Reply::ok(json!({ "choices": [{ "text": " x", "finish_reason": "length" }] })));
    let mut model = open(&server, json!({ "api": "completions" }));
    let info = model.info().unwrap();
    assert!(!info.can_score && info.can_generate);
    assert!(info.details["score_off_because"].as_str().unwrap().contains("no log-probabilities"), "{info:?}");
    assert_eq!(server.asked().len(), 3, "each way is tried once");
    model.info().unwrap();
    assert_eq!(server.asked().len(), 3);
    let error = model.score(questions(), &|_: Response<ScoreResult>| Flow::Continue).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    for mode in ["echo", "prompt-logprobs"] {
        let error = open(&server, json!({ "api": "completions", "score": mode })).info().unwrap_err();
        assert_eq!(error.code, ErrorCode::BadOptions, "{error}");
    }
}

#[test]
fn nothing_is_asked_where_only_answers_are_wanted() {
    let server = Server::start(|_| Reply::error(500, "unreachable"));
    for options in [json!({}), json!({ "api": "completions", "score": "off" })] {
        let mut model = open(&server, options);
        assert!(!model.info().unwrap().can_score);
        let error = model.score(questions(), &|_: Response<ScoreResult>| Flow::Continue).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unsupported);
    }
    assert!(server.asked().is_empty());
}

#[test]
fn a_probe_that_fails_is_an_error_before_the_run() {
    let server = Server::start(|_| Reply::error(401, "invalid_api_key"));
    let options = options(&server, json!({ "api": "completions" }));
    let error = OpenAi::open(options, FakeHost::new().host()).unwrap().info().unwrap_err();
    assert_eq!((error.code, server.asked().len()), (ErrorCode::Authentication, 1));
}
