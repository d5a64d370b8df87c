//! What Hugging Face's transformers computed for a trained tiny GPT-2, row by row.

use crate::open;
use examiner_api::{ScoreRequest, Span};
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use examiner_test_support::{needs, rows, shared};
use serde_json::{Value, json};

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

#[needs(shared)]
#[test]
fn loglikelihoods() {
    let shared = shared();
    let rows = rows(&shared.join("oracle/tiny-gpt2/loglikelihood.jsonl"));
    assert!(rows.len() >= 280);
    let requests = rows.iter().enumerate();
    let requests: Vec<_> =
        requests.map(|(id, row)| loglikelihood(id as u64, text(row, "context"), text(row, "continuation"))).collect();
    let mut model = open(&shared.join("models/tiny-gpt2"), json!({})).unwrap();
    let found = score(&mut model, requests);
    for (id, row) in rows.iter().enumerate() {
        let found = &found[&(id as u64)];
        let expected = row["loglikelihood"].as_f64().unwrap();
        assert_eq!(json!(found.tokens), row["continuation_ids"], "row {id}");
        assert!((found.sum - expected).abs() < 1e-3, "row {id}: {} instead of {expected}", found.sum);
        assert_eq!(json!(found.is_greedy), row["is_greedy"], "row {id}");
        let logprobs = row["token_logprobs"].as_array().unwrap();
        assert_eq!(found.token_logprobs.len(), logprobs.len(), "row {id}");
        for (place, (found, expected)) in found.token_logprobs.iter().zip(logprobs).enumerate() {
            let expected = expected.as_f64().unwrap();
            assert!((f64::from(*found) - expected).abs() < 2e-4, "row {id}, token {place}: {found}, not {expected}");
        }
    }
}

#[needs(shared)]
#[test]
fn means_over_whole_sequences() {
    let shared = shared();
    let rows = rows(&shared.join("oracle/tiny-gpt2/loglikelihood.jsonl"));
    let request = |(id, row): (usize, &Value)| {
        let context = text(row, "context");
        let context = if context.is_empty() { "<|endoftext|>" } else { context };
        ScoreRequest { span: Span::All, ..loglikelihood(id as u64, context, text(row, "continuation")) }
    };
    let mut model = open(&shared.join("models/tiny-gpt2"), json!({})).unwrap();
    let found = score(&mut model, rows.iter().enumerate().map(request).collect());
    for (id, row) in rows.iter().enumerate() {
        let found = &found[&(id as u64)];
        let mean = -found.sum / f64::from(found.scored_tokens);
        let expected = row["mean_nll_whole_sequence"].as_f64().unwrap();
        assert!((mean - expected).abs() < 1e-4, "row {id}: {mean} instead of {expected}");
    }
}

#[needs(shared)]
#[test]
fn greedy_answers() {
    let shared = shared();
    let rows = rows(&shared.join("oracle/tiny-gpt2/greedy.jsonl"));
    let requests = rows.iter().enumerate().map(|(id, row)| prompt(id as u64, text(row, "prompt"), 128)).collect();
    let found = generate(&mut open(&shared.join("models/tiny-gpt2"), json!({})).unwrap(), requests);
    let clear = |row: &Value| row["smallest_top2_gap"].as_f64().unwrap() > 1e-3;
    assert!(rows.iter().filter(|row| clear(row)).count() > rows.len() / 2);
    for (id, row) in rows.iter().enumerate().filter(|(_, row)| clear(row)) {
        assert_eq!(json!(found[&(id as u64)].tokens), row["new_ids"], "row {id}");
    }
}
