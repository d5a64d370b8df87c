//! A checkpoint with a chat template is spoken to through it.

use crate::open;
use examiner_api::{Model, Turn};
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use serde_json::json;
use std::sync::Arc;

const TEMPLATE: &str = "<|endoftext|>{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>";

#[test]
fn requests_go_through_the_template_of_the_checkpoint() {
    let dir = TinyGpt2::new(json!({ "n_positions": 256 })).write();
    let plain = || open(dir.path(), json!({ "chat": false })).unwrap();
    let without = plain().info().unwrap();
    assert_eq!(without.fingerprint, open(dir.path(), json!({})).unwrap().info().unwrap().fingerprint);
    std::fs::write(dir.path().join("chat_template.jinja"), TEMPLATE).unwrap();
    let mut chat = open(dir.path(), json!({ "chat": "auto", "system": "S" })).unwrap();
    let info = chat.info().unwrap();
    assert_ne!(info.fingerprint, without.fingerprint);
    assert!(info.reads_turns && info.details["chat"]["system"] == "S", "{info:?}");

    let text = "<|endoftext|><system>S\n<user>1?\n<assistant>1\n<user>2?\n<assistant>";
    let turns = Arc::new(vec![Turn::user("1?"), Turn::assistant("1"), Turn::user("2?")]);
    let mut asked = prompt(0, "1? 1 2?", 5);
    asked.turns = turns.clone();
    let mut answers = generate(&mut chat, vec![asked]);
    let rendered = answers.values_mut().map(|answer| answer.rendered.take()).collect::<Vec<_>>();
    assert_eq!(rendered, [Some(text.to_owned())]);
    assert_eq!(answers, generate(&mut plain(), vec![prompt(0, text, 5)]));
    let mut asked = loglikelihood(0, "1? 1 2?", " 2");
    asked.turns = turns;
    let mut scores = score(&mut chat, vec![asked]);
    let rendered = scores.values_mut().map(|score| score.rendered.take()).collect::<Vec<_>>();
    assert_eq!(rendered, [Some(text.to_owned())]);
    assert_eq!(scores, score(&mut plain(), vec![loglikelihood(0, text, "2")]));
}
