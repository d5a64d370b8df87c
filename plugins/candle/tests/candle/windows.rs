//! Texts longer than the context: what lm-evaluation-harness and Transformers computed for them (`windows.py`).

use crate::open;
use examiner_api::{ScoreRequest, Span};
use examiner_test_support::model::{loglikelihood, score};
use examiner_test_support::{needs, rows, shared};
use serde_json::{Value, json};

#[needs(shared)]
#[test]
fn windows_are_those_of_lm_eval_and_of_transformers_guide() {
    let problems = rows(&shared().join("data/gsm8k/test.jsonl"));
    let expected: Vec<Value> = serde_json::from_str(include_str!("windows.json")).unwrap();
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let mut requests = Vec::new();
    for found in &expected {
        let chosen = problems.iter().skip(number(&found["first"])).take(number(&found["count"]));
        let text =
            chosen.map(|row| format!("{}\n{}", row["question"].as_str().unwrap(), row["answer"].as_str().unwrap()));
        let text = text.collect::<Vec<_>>().join("\n\n");
        for span in [Span::Rolling, Span::Strided(256), Span::Strided(100)] {
            requests.push(ScoreRequest { span, ..loglikelihood(requests.len() as u64, "", &text) });
        }
    }
    let mut model = open(&shared().join("models/tiny-gpt2"), json!({})).unwrap();
    let scored = score(&mut model, requests);
    for (place, expected) in expected.iter().enumerate() {
        let tokens = number(&expected["tokens"]) as u32;
        let strided = |stride: &str| expected["strided"][stride][0].as_f64().unwrap();
        let rolling = expected["rolling"].as_f64().unwrap();
        for (kind, (sum, count)) in
            [(rolling, tokens), (strided("256"), tokens - 1), (strided("100"), tokens - 1)].into_iter().enumerate()
        {
            let found = &scored[&((3 * place + kind) as u64)];
            assert_eq!((found.scored_tokens, found.truncated_tokens), (count, 0), "text {place}, {kind}");
            // The references add up numbers of 32 bits.
            let off = (found.sum - sum).abs();
            assert!(off < 1e-3 + 3e-7 * sum.abs(), "text {place}, {kind}: {} instead of {sum}", found.sum);
        }
    }
}
