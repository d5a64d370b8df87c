//! What Hugging Face's transformers computes for a small checkpoint of every family, from the repository alone.

use crate::open;
use examiner_test_support::ground_truth::{ADAPTED, FAMILIES, NEW_TOKENS, family};
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use serde_json::json;

/// What `candle-transformers` computes, it computes the same on both.
fn devices(family: &str) -> &'static [&'static str] {
    if ADAPTED.contains(&family) { &["cpu"] } else { &["cpu", "cpu-candle"] }
}

#[test]
fn scores_of_every_family() {
    for name in FAMILIES.into_iter().chain(ADAPTED) {
        let family = family(name);
        let checkpoint = family.write();
        for device in devices(name) {
            let mut model = open(checkpoint.path(), json!({ "device": device })).unwrap();
            let requests = family.scored.iter().zip(0..);
            let requests = requests.map(|(row, id)| loglikelihood(id, &row.context, &row.continuation)).collect();
            let found = score(&mut model, requests);
            let mut worst = 0.0_f64;
            for (id, row) in (0..).zip(&family.scored) {
                let (found, place) = (&found[&id], format!("{name} on {device}, row {id}"));
                assert_eq!(found.tokens, row.tokens, "{place}");
                assert_eq!(found.token_logprobs.len(), row.logprobs.len(), "{place}");
                for (index, (found, expected)) in found.token_logprobs.iter().zip(&row.logprobs).enumerate() {
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(difference < 1e-4, "{place}, token {index}: {found}, expected {expected}");
                }
                assert!((found.sum - row.sum).abs() < 1e-4, "{place}: {}, expected {}", found.sum, row.sum);
                worst = worst.max((found.sum - row.sum).abs());
                assert_eq!(found.is_greedy, row.is_greedy, "{place}");
                assert_eq!(found.truncated_tokens, row.truncated_tokens, "{place}");
            }
            println!("{name} on {device}: sums within {worst:.1e}");
        }
    }
}

#[test]
fn greedy_answers_of_every_family() {
    for name in FAMILIES.into_iter().chain(ADAPTED) {
        let family = family(name);
        let checkpoint = family.write();
        for device in devices(name) {
            let mut model = open(checkpoint.path(), json!({ "device": device })).unwrap();
            let requests = family.answers.iter().zip(0..).map(|(row, id)| prompt(id, &row.prompt, NEW_TOKENS));
            let found = generate(&mut model, requests.collect());
            for (id, row) in (0..).zip(&family.answers) {
                assert_eq!(found[&id].tokens, row.tokens, "{name} on {device}, row {id}");
            }
        }
    }
}
