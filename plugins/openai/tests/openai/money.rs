//! The cap on what a run may cost.

use crate::server::{Server, good};
use crate::{generate, open, request};
use examiner_api::{ErrorCode, Sampling};
use serde_json::{Value, json};

const PROMPT_TOKENS: u64 = 10;
const ANSWER_TOKENS: u64 = 4;

/// What the server would charge for all that it answered.
fn charged(server: &Server) -> u64 {
    server.asked().iter().filter(|asked| asked.good).count() as u64 * (PROMPT_TOKENS + 2 * ANSWER_TOKENS)
}

fn capped(more: Value, count: u64) -> (Server, usize, Option<(ErrorCode, String)>) {
    let server = Server::start(|asked| {
        std::thread::sleep(std::time::Duration::from_millis(3));
        good(asked)
    });
    let mut model = open(&server, more);
    let sampling = Sampling { max_new_tokens: 8, ..Sampling::default() };
    let requests = (0..count).map(|id| request(id, &format!("question {id}"), &sampling)).collect();
    let (answers, end) = generate(&mut model, requests);
    assert!(answers.values().all(Result::is_ok));
    (server, answers.len(), end.err().map(|error| (error.code, error.message)))
}

#[test]
fn the_cap_holds_whatever_is_under_way() {
    // 18 a request, of which up to 16 are under way; what is set aside for one is 92 or 93.
    let price = json!({ "input_per_million": 1e6, "output_per_million": 2e6 });
    let (server, answered, end) = capped(json!({ "price": price, "max_cost": 1000.0, "max_concurrency": 16 }), 500);
    let (code, message) = end.unwrap();
    assert_eq!(code, ErrorCode::Quota);
    assert!(message.contains("`max_cost: 1000`") && message.contains("cost "), "{message}");
    let charged = charged(&server);
    assert!(charged <= 1000, "{charged}");
    assert!(charged >= 1000 - 93 - 18, "what was set aside and not spent is spent later: {charged}");
    assert_eq!(answered as u64, charged / 18, "what was paid for is delivered");
}

#[test]
fn nothing_is_sent_that_could_exceed_the_cap() {
    let (server, answered, end) = capped(json!({ "max_tokens_total": 50 }), 5);
    assert_eq!((end.unwrap().0, answered, server.asked().len()), (ErrorCode::Quota, 0, 0));
}

#[test]
fn a_cap_that_is_not_reached_is_not_noticed() {
    let (_, answered, end) = capped(json!({ "max_tokens_total": 100_000 }), 50);
    assert_eq!((answered, end), (50, None));
}
