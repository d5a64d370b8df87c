//! What ends a whole stage, and how soon.

use crate::server::{Reply, Server, good};
use crate::{generate, open, options, requests};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Flow, GenerateResult, Model, Open, Response};
use examiner_plugin_openai::{OpenAi, Options};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn refused_credentials_and_used_up_quotas_end_it_at_once_and_once() {
    for (status, code, expected) in [
        (401, "invalid_api_key", ErrorCode::Authentication),
        (403, "forbidden", ErrorCode::Authentication),
        (402, "payment_required", ErrorCode::Quota),
        (429, "insufficient_quota", ErrorCode::Quota),
        (404, "model_not_found", ErrorCode::BadOptions),
    ] {
        let server = Server::start(move |_| Reply::error(status, code));
        let mut model = open(&server, json!({ "max_concurrency": 4 }));
        let (answers, end) = generate(&mut model, requests(500));
        assert_eq!(end.unwrap_err().code, expected);
        assert!(answers.is_empty(), "it is the stage's error, not the samples'");
        let asked = settled(&server);
        assert!(asked <= 4, "{asked} requests, expected no more than are under way at a time");
        let (_, end) = generate(&mut model, requests(500));
        assert_eq!(end.unwrap_err().code, expected);
        assert_eq!(settled(&server), asked, "what is known to be refused is not asked again");
    }
}

/// How many requests the server has seen once no more arrive: what was under way when a call ended may come after it.
fn settled(server: &Server) -> usize {
    let mut seen = server.asked().len();
    loop {
        std::thread::sleep(Duration::from_millis(300));
        match server.asked().len() {
            same if same == seen => return seen,
            more => seen = more,
        }
    }
}

#[test]
fn what_was_answered_before_the_end_is_kept() {
    let server = Server::start(|asked| match asked.prompt.as_str() {
        "question 5" => Reply::error(401, "expired"),
        _ => good(asked),
    });
    let (answers, end) = generate(&mut open(&server, json!({ "max_concurrency": 1 })), requests(50));
    assert_eq!(end.unwrap_err().code, ErrorCode::Authentication);
    assert_eq!(answers.len(), 5);
    assert!(answers.values().all(Result::is_ok));
}

#[test]
fn the_user_can_stop_while_the_server_is_silent() {
    let server = Server::start(|_| Reply::Drip);
    let host = FakeHost::new();
    let mut model = OpenAi::open(options(&server, json!({})), host.host()).unwrap();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        host.cancel();
    });
    let (answers, end) = generate(&mut model, requests(3));
    assert_eq!(end.unwrap_err().code, ErrorCode::Cancelled);
    assert!(answers.is_empty());
    stopping.join().unwrap();
}

#[test]
fn a_receiver_that_has_enough_gets_no_more() {
    let server = Server::start(good);
    let mut model = open(&server, json!({ "max_concurrency": 2 }));
    let seen = AtomicUsize::new(0);
    let sink = |_: Response<GenerateResult>| match seen.fetch_add(1, Ordering::SeqCst) {
        0..=3 => Flow::Continue,
        _ => Flow::Stop,
    };
    model.generate(requests(2000), &sink).unwrap();
    assert_eq!(seen.into_inner(), 5);
    assert!(server.asked().len() < 2000);
    let (answers, end) = generate(&mut model, requests(10));
    end.unwrap();
    assert_eq!(answers.len(), 10, "it goes on afterwards");
}

#[test]
fn options_are_judged_before_anything_is_asked() {
    let opened = |more: Value| {
        let mut options = json!({ "model": "m", "base_url": "http://127.0.0.1:9/v1" });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let options: Options = serde_json::from_value(options).unwrap();
        OpenAi::open(options, FakeHost::new().host()).err().map(|error| (error.code, error.message))
    };
    assert_eq!(opened(json!({})), None);
    for (more, word) in [
        (json!({ "max_cost": 1.0 }), "max_cost"),
        (json!({ "attempt_timeout_s": 0.0 }), "attempt_timeout_s"),
        (json!({ "max_concurrency": 0 }), "max_concurrency"),
        (json!({ "api": "completions", "system": "s" }), "system"),
        (json!({ "score": "echo" }), "log-probabilities"),
        (json!({ "extra_body": { "stream": true } }), "stream"),
        (json!({ "base_url": "http://user:password@h/v1" }), "password"),
        (json!({ "base_url": "http://h/v1?key=abc" }), "behind its path"),
        (json!({ "base_url": "h" }), "base_url"),
        (json!({ "price": { "input_per_million": -1.0, "output_per_million": 1.0 } }), "price"),
    ] {
        let (code, message) = opened(more.clone()).unwrap_or_else(|| panic!("{more} was taken"));
        assert_eq!(code, ErrorCode::BadOptions, "{message}");
        assert!(message.contains(word), "{message}");
        assert!(!message.contains("user:") && !message.contains("abc"), "{message}");
    }
    let (code, message) = opened(json!({ "api_key_env": "EXAMINER_NO_SUCH_VARIABLE" })).unwrap();
    assert_eq!(code, ErrorCode::Authentication);
    assert!(message.contains("`EXAMINER_NO_SUCH_VARIABLE`, which is not set"), "{message}");
    let typed = json!({ "model": "m", "base_url": "http://h", "api_key": "sk-secret" });
    let error = serde_json::from_value::<Options>(typed).unwrap_err().to_string();
    assert!(error.contains("unknown field `api_key`") && !error.contains("sk-secret"), "{error}");
}

#[test]
fn the_fingerprint_follows_what_could_change_an_answer() {
    let server = Server::start(good);
    let fingerprint = |more: Value| open(&server, more).info().unwrap().fingerprint;
    let base = fingerprint(json!({}));
    for same in [json!({ "max_concurrency": 3 }), json!({ "attempt_timeout_s": 3.0 }), json!({ "max_tokens_total": 5 })]
    {
        assert_eq!(fingerprint(same.clone()), base, "{same}");
    }
    for other in [json!({ "model": "o" }), json!({ "system": "s" }), json!({ "extra_body": { "top_k": 1 } })] {
        assert_ne!(fingerprint(other.clone()), base, "{other}");
    }
    assert!(server.asked().is_empty(), "chat is not probed");
}
