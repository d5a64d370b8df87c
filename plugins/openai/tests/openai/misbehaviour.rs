//! Broken answers, refusals and silence; nothing is lost, nothing is asked twice.

use crate::server::{Asked, Reply, Server, chat, good, right};
use crate::{generate, open, options, request, requests};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Open, Sampling};
use examiner_plugin_openai::OpenAi;
use serde_json::json;
use std::time::Duration;

/// One way to fail for each kind, by number.
fn bad(kind: usize, asked: &Asked) -> Reply {
    match kind {
        0 => Reply::retry_after(429, "retry-after-ms", 30),
        1 => Reply::error(500, "server_error"),
        2 => Reply::Cut(chat(&[&right(&asked.prompt)], "stop")),
        3 => Reply::Drip,
        4 => Reply::Text("application/json", "{\"choices\": [{\"mess".to_owned()),
        5 => Reply::Text("text/html", "<html>busy</html>".to_owned()),
        6 => Reply::Reset,
        7 => Reply::retry_after(503, "retry-after", "0.03"),
        8 => Reply::ok(json!({ "error": { "message": "upstream", "code": 502 } })),
        _ => Reply::Text("application/json", "{\"object\": \"nothing\"}".to_owned()),
    }
}
const KINDS: usize = 10;

fn number(asked: &Asked) -> usize {
    asked.prompt.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn what_can_be_answered_is_answered_once() {
    // Each question meets one kind of failure, or two different ones, or none, before it is answered.
    let server = Server::start(|asked| match (number(asked), asked.times) {
        (number, 0) if number % 4 != 0 => bad(number % KINDS, asked),
        (number, 1) if number % 4 == 3 => bad((number / 4) % KINDS, asked),
        _ => good(asked),
    });
    let options = json!({ "attempt_timeout_s": 1.0, "max_concurrency": 16, "max_attempts": 6 });
    let (answers, end) = generate(&mut open(&server, options), requests(80));
    end.unwrap();
    for (id, answer) in &answers {
        assert_eq!(answer.as_ref().unwrap().text, right(&format!("question {id}")));
    }
    assert_eq!(answers.len(), 80);
    // An error in the body of a success is no answer, though the server calls it one.
    let twice: Vec<String> = server.not_answered_once().into_iter().filter(|prompt| !is_of_kind(prompt, 8)).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn is_of_kind(prompt: &str, kind: usize) -> bool {
    let number: usize = prompt.rsplit(' ').next().unwrap().parse().unwrap();
    number % KINDS == kind || (number / 4) % KINDS == kind
}

#[test]
fn what_cannot_be_answered_is_an_error_of_its_kind() {
    let server = Server::start(|asked| match number(asked) {
        number if number < KINDS => bad(number, asked),
        10 => Reply::error(400, "context_length_exceeded"),
        11 => Reply::error(422, "invalid"),
        12 => Reply::ok(chat(&[""], "content_filter")),
        _ => good(asked),
    });
    let options = json!({ "attempt_timeout_s": 0.25, "max_attempts": 2 });
    let (answers, end) = generate(&mut open(&server, options), requests(20));
    end.unwrap();
    let code = |id: u64| answers[&id].as_ref().map(|answer| answer.text.clone()).map_err(|error| error.code);
    for (id, expected) in [
        (0, ErrorCode::Overloaded),
        (1, ErrorCode::Network),
        (2, ErrorCode::Network),
        (3, ErrorCode::Timeout),
        (4, ErrorCode::Network),
        (5, ErrorCode::Network),
        (6, ErrorCode::Network),
        (7, ErrorCode::Overloaded),
        (8, ErrorCode::Network),
        (9, ErrorCode::Network),
        (10, ErrorCode::BadInput),
        (11, ErrorCode::BadInput),
        (12, ErrorCode::BadInput),
    ] {
        assert_eq!(code(id), Err(expected), "question {id}");
    }
    for id in 13..20 {
        assert_eq!(code(id), Ok(right(&format!("question {id}"))));
    }
    let error = answers[&1].as_ref().unwrap_err();
    assert!(error.message.ends_with("answered 500: no (server_error) (2 attempts)"), "{error}");
    let attempts = |id: usize| server.asked().iter().filter(|asked| number(asked) == id).count();
    assert_eq!([1, 3, 10, 11, 12].map(attempts), [2, 2, 1, 1, 1]);
}

#[test]
fn a_pause_that_the_server_asks_for_is_everybodys() {
    let server = Server::start(|asked| match (number(asked), asked.times) {
        (0, 0) => Reply::retry_after(429, "retry-after", "0.4"),
        _ => good(asked),
    });
    let (answers, end) = generate(&mut open(&server, json!({ "max_concurrency": 1 })), requests(5));
    end.unwrap();
    assert!(answers.values().all(Result::is_ok));
    let asked = server.asked();
    assert_eq!(asked.len(), 6);
    assert!(asked[1].at - asked[0].at >= Duration::from_millis(400), "{:?}", asked[1].at - asked[0].at);
    assert_eq!(number(&asked[1]), 0, "what has waited longest comes first");
}

#[test]
fn a_pause_is_no_longer_than_the_suite_allows() {
    let server = Server::start(|asked| match asked.times {
        0 => Reply::retry_after(429, "retry-after", 100_000),
        _ => good(asked),
    });
    let (answers, end) = generate(&mut open(&server, json!({ "max_retry_after_s": 0.05 })), requests(3));
    end.unwrap();
    assert!(answers.values().all(Result::is_ok));
}

#[test]
fn a_sample_is_given_up_in_time() {
    let server = Server::start(|asked| match number(asked) {
        0 => Reply::retry_after(429, "retry-after", 100),
        _ => good(asked),
    });
    let options = json!({ "sample_timeout_s": 0.3, "max_concurrency": 1 });
    let (answers, end) = generate(&mut open(&server, options), requests(1));
    end.unwrap();
    let error = answers[&0].as_ref().unwrap_err();
    assert_eq!(error.code, ErrorCode::Timeout);
    assert!(error.message.contains("`sample_timeout_s: 0.3`, after 1 attempts"), "{error}");
    assert!(error.causes[0].contains("slow down"), "{error}");
}

#[test]
fn never_more_at_a_time_than_allowed_and_connections_stay_open() {
    let server = Server::start(|asked| {
        std::thread::sleep(Duration::from_millis(2));
        good(asked)
    });
    let mut model = open(&server, json!({ "max_concurrency": 6 }));
    for _ in 0..2 {
        let (answers, end) = generate(&mut model, requests(150));
        end.unwrap();
        assert_eq!(answers.len(), 150);
    }
    assert!(server.most_under_way() <= 6, "{}", server.most_under_way());
    assert!(server.connections() <= 12, "{} connections for 300 requests", server.connections());
}

#[test]
fn a_server_that_is_not_there_is_a_failure_of_the_network() {
    let server = Server::start(good);
    let url = server.url();
    drop(server);
    std::thread::sleep(Duration::from_millis(50));
    let options = json!({ "model": "m", "base_url": url, "backoff_s": 0.01, "max_attempts": 2 });
    let host = examiner_api::testing::FakeHost::new().host();
    let mut model = examiner_api::Open::open(serde_json::from_value(options).unwrap(), host).unwrap();
    let (answers, end) = generate(&mut model, vec![request(0, "p", &Sampling::default())]);
    end.unwrap();
    let error = answers[&0].as_ref().unwrap_err();
    assert_eq!(error.code, ErrorCode::Network, "{error}");
    assert!(error.message.starts_with("cannot reach `http://127.0.0.1"), "{error}");
}

/// It may have another model behind a name, and says so in its answers.
#[test]
fn a_server_that_answers_as_another_model_is_reported_once() {
    let server = Server::start(|_| {
        let mut body = chat(&["an answer"], "stop");
        body["model"] = json!("something-else");
        Reply::Json(200, vec![], body)
    });
    let host = FakeHost::new();
    let mut model = OpenAi::open(options(&server, json!({})), host.host()).unwrap();
    let (answers, end) = generate(&mut model, requests(5));
    assert!(end.is_ok() && answers.values().all(Result::is_ok));
    let warned = host.messages().into_iter().filter(|(_, text)| text.contains("answers as `something-else`"));
    assert_eq!(warned.count(), 1);
}
