//! Several answers in one request.

use crate::server::{Asked, Reply, Server, chat};
use crate::{generate, open, request};
use examiner_api::{GenerateRequest, Sampling};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

fn repeats(temperature: f32, count: u32) -> Vec<GenerateRequest> {
    let sampling = Sampling { temperature, ..Sampling::default() };
    (0..count)
        .map(|repeat| {
            let mut request = request(u64::from(repeat), "p", &sampling);
            request.sample.repeat = repeat;
            request
        })
        .collect()
}

/// Answers `a0`, `a1`, ... as many as are asked for.
fn many(asked: &Asked) -> Reply {
    let count = asked.body["n"].as_u64().unwrap_or(1);
    let texts: Vec<String> = (0..count).map(|index| format!("a{index}")).collect();
    Reply::ok(chat(&texts.iter().map(String::as_str).collect::<Vec<_>>(), "stop"))
}

fn texts(answers: &crate::Answers) -> Vec<&str> {
    answers.values().map(|answer| answer.as_ref().unwrap().text.as_str()).collect()
}

#[test]
fn each_repeat_gets_its_own_choice_of_one_request() {
    let server = Server::start(many);
    let (answers, end) = generate(&mut open(&server, json!({})), repeats(0.7, 5));
    end.unwrap();
    assert_eq!(texts(&answers), ["a0", "a1", "a2", "a3", "a4"]);
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body["n"], 5);
    assert_eq!(asked[0].body["temperature"], 0.7);
    let tokens: Vec<u32> = answers.values().map(|answer| answer.as_ref().unwrap().tokens_out).collect();
    assert_eq!(tokens, [4; 5], "what the server counted for all is shared out");
}

#[test]
fn at_temperature_0_one_answer_serves_all() {
    let server = Server::start(many);
    let (answers, end) = generate(&mut open(&server, json!({})), repeats(0.0, 5));
    end.unwrap();
    assert_eq!(texts(&answers), ["a0"; 5]);
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0].body.get("n"), asked[0].body.get("seed")), (1, None, None));
}

#[test]
fn apart_where_the_suite_wants_it() {
    let server = Server::start(many);
    let (answers, end) = generate(&mut open(&server, json!({ "n": "never" })), repeats(0.7, 4));
    end.unwrap();
    assert_eq!(texts(&answers), ["a0"; 4]);
    let mut seeds: Vec<u64> = server.asked().iter().map(|asked| asked.body["seed"].as_u64().unwrap()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 4, "each has a seed of its own");
}

#[test]
fn a_server_that_passes_over_n_is_asked_for_the_rest() {
    let given = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst);
        Reply::ok(chat(&[&format!("a{number}")], "stop"))
    });
    let mut model = open(&server, json!({ "max_concurrency": 1 }));
    let (answers, end) = generate(&mut model, repeats(0.7, 4));
    end.unwrap();
    assert_eq!(texts(&answers), ["a0", "a1", "a2", "a3"]);
    assert_eq!(server.asked().len(), 4, "nothing that was answered is asked again");
}

#[test]
fn a_server_that_refuses_n_is_asked_one_by_one() {
    let server = Server::start(|asked| match asked.body.get("n") {
        Some(_) => Reply::error(400, "unsupported_parameter"),
        None => many(asked),
    });
    let mut model = open(&server, json!({}));
    for round in 0..2 {
        let (answers, end) = generate(&mut model, repeats(0.7, 3));
        end.unwrap();
        assert_eq!(texts(&answers), ["a0"; 3]);
        let refused = server.asked().iter().filter(|asked| asked.body.get("n").is_some()).count();
        assert_eq!(refused, 1, "round {round}: it is tried once");
    }
}
