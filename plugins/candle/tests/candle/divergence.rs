//! How far a model is from the one that `divergence_from` names.

use crate::exactness::options;
use crate::open;
use crate::reference::logits;
use examiner_api::{Divergence, ErrorCode, Model, ScoreRequest, Span};
use examiner_test_support::checkpoint::{Dtype, TinyGpt2, gguf, tokenizer_with};
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

const TEXT: &str = "When in the course of human events, it becomes necessary to test what a number says of two models, it is well \
                    to have the same number from the plain definition, and to say how far apart the two may be, and why. So be it.";

/// A model, and another one of the same vocabulary and a shorter context.
static PAIR: LazyLock<[TinyGpt2; 2]> = LazyLock::new(|| {
    let base = json!({ "n_positions": 64, "n_layer": 1, "n_embd": 48, "n_head": 4 });
    [TinyGpt2::new(json!({})), TinyGpt2::new(base)]
});
static CHECKPOINTS: LazyLock<[TempDir; 2]> = LazyLock::new(|| [PAIR[0].write(), PAIR[1].write()]);

/// The tokens of a window, and from which of them on they are scored.
type Window = (Vec<u32>, usize);

/// What `rolling` is documented to be: every token of `text` once, after the token of an empty context.
fn rolling(text: &[u32], context: usize) -> Vec<Window> {
    let whole = [&[256], text].concat();
    let window = |start: usize| {
        let end = (start + context).min(text.len());
        let from = end.saturating_sub(context);
        (whole[from..=end].to_vec(), start + 1 - from)
    };
    (0..text.len()).step_by(context).map(window).collect()
}

/// What `{ stride: N }` is documented to be: each window scores what none before it has.
fn strided(text: &[u32], stride: usize, context: usize) -> Vec<Window> {
    let (mut windows, mut scored) = (Vec::new(), 1);
    for begin in (0..text.len()).step_by(stride) {
        let end = (begin + context).min(text.len());
        if end > scored {
            windows.push((text[begin..end].to_vec(), scored - begin));
            scored = end;
        }
    }
    windows
}

/// The divergence from all logits of both models, by the definition, in nats and tokens with the same top.
fn direct(model: &TinyGpt2, base: &TinyGpt2, windows: &[Window]) -> (f64, u32, u32) {
    let log_softmax = |row: &[f64]| {
        let max = row.iter().copied().fold(f64::MIN, f64::max);
        let log_sum = row.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
        row.iter().map(|logit| logit - max - log_sum).collect::<Vec<f64>>()
    };
    let top = |row: &[f64]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
    let (mut nats, mut same, mut count) = (0.0, 0, 0);
    for (tokens, first) in windows {
        let [model, base] = [model, base].map(|of| logits(of, &tokens[..tokens.len() - 1]));
        for (model, base) in model.iter().zip(&base).skip(first - 1) {
            let [of_model, of_base] = [model, base].map(|row| log_softmax(row));
            nats += of_base.iter().zip(&of_model).map(|(base, model)| base.exp() * (base - model)).sum::<f64>();
            same += u32::from(top(model) == top(base));
            count += 1;
        }
    }
    (nats, same, count)
}

fn with_base(checkpoint: &Path, base: Value, options: Value) -> examiner_plugin_candle::Candle {
    let mut options = options;
    options["divergence_from"] = base;
    open(checkpoint, options).unwrap()
}

fn spans() -> Vec<ScoreRequest> {
    let spans = [Span::Rolling, Span::Strided(16), Span::Strided(63)];
    (0..).zip(spans).map(|(id, span)| ScoreRequest { span, ..loglikelihood(id, "", TEXT) }).collect()
}

#[test]
fn it_is_the_sum_of_the_definition_over_every_window() {
    let tokens: Vec<u32> = TEXT.bytes().map(u32::from).collect();
    let windows = [rolling(&tokens, 64), strided(&tokens, 16, 64), strided(&tokens, 63, 64)];
    assert!(windows.iter().all(|windows| windows.len() > 3));
    let [model, base] = [CHECKPOINTS[0].path(), CHECKPOINTS[1].path()];
    for device in ["cpu", "cpu-candle"] {
        let mut compared = with_base(model, json!(base), json!({ "device": device }));
        let found = score(&mut compared, spans());
        for (id, windows) in (0..).zip(&windows) {
            let (nats, same_top, count) = direct(&PAIR[0], &PAIR[1], windows);
            let result = &found[&id];
            let divergence = result.divergence.unwrap();
            assert_eq!((result.scored_tokens, divergence.same_top), (count, same_top), "{device}, {id}");
            assert!(
                (divergence.nats - nats).abs() < 1e-5 * nats,
                "{device}, {id}: {} instead of {nats}",
                divergence.nats
            );
        }
    }
}

/// What rounding the weights costs.
#[test]
fn of_a_number_type_it_is_that_of_rounded_weights() {
    let tokens: Vec<u32> = TEXT.bytes().map(u32::from).collect();
    let (model, checkpoint) = (&PAIR[0], CHECKPOINTS[0].path());
    let expected = direct(&model.clone().rounded(Dtype::BF16), model, &rolling(&tokens, 96));
    let mut compared = with_base(checkpoint, json!(checkpoint), json!({ "dtype": "bf16" }));
    let found = score(&mut compared, spans()).remove(&0).unwrap().divergence.unwrap();
    assert_eq!(found.same_top, expected.1);
    assert!((found.nats - expected.0).abs() < 1e-3 * expected.0, "{} instead of {}", found.nats, expected.0);
    // The other way round it is another number.
    let base = json!({ "checkpoint": checkpoint, "dtype": "bf16" });
    let turned = score(&mut with_base(checkpoint, base, json!({})), spans()).remove(&0).unwrap().divergence.unwrap();
    assert!(turned.nats > 0.0 && turned.nats != found.nats);
}

#[test]
fn a_model_does_not_diverge_from_itself() {
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("model.gguf");
    std::fs::write(&path, gguf()).unwrap();
    for (checkpoint, dtype) in [(CHECKPOINTS[0].path(), "f32"), (CHECKPOINTS[0].path(), "int8"), (&path, "f32")] {
        let base = json!({ "checkpoint": checkpoint, "dtype": dtype });
        let mut compared = with_base(checkpoint, base, json!({ "dtype": dtype }));
        let asked = ScoreRequest { span: Span::Rolling, ..loglikelihood(0, "", TEXT) };
        let found = score(&mut compared, vec![asked]).remove(&0).unwrap();
        assert_eq!(found.divergence, Some(Divergence { nats: 0.0, same_top: found.scored_tokens }), "{dtype}");
    }
}

proptest! {
    #![proptest_config(examiner_test_support::cases(12))]

    /// Not a bit depends on the batch, and log-likelihoods are those without a base.
    #[test]
    fn it_does_not_depend_on_the_batch(
        texts in prop::collection::vec(("[a-c ]{0,90}", "[a-d ]{0,6}[a-d]", any::<bool>()), 1..8),
        turn in 0_usize..8,
        dtype in prop::sample::select(vec!["f32", "bf16", "int8"]),
    ) {
        let mut requests: Vec<ScoreRequest> = (0..).zip(&texts)
            .map(|(id, (context, continuation, is_rolling))| {
                let span = if *is_rolling { Span::Rolling } else { Span::Continuation };
                // Contexts of both hold these, so that a base cuts nothing off.
                let context = if *is_rolling { context } else { &context[..context.len().min(50)] };
                ScoreRequest { span, ..loglikelihood(id, context, continuation) }
            })
            .collect();
        let [model, base] = [CHECKPOINTS[0].path(), CHECKPOINTS[1].path()];
        let with = |mut options: Value, requests: Vec<ScoreRequest>| {
            options["dtype"] = json!(dtype);
            score(&mut with_base(model, json!(base), options), requests)
        };
        let alone: std::collections::BTreeMap<_, _> = requests.iter()
            .flat_map(|request| with(json!({ "share_prefixes": false }), vec![request.clone()]))
            .collect();
        for options in options() {
            let middle = turn % requests.len();
            requests.rotate_left(middle);
            prop_assert_eq!(&with(options.clone(), requests.clone()), &alone, "{} {}", options, dtype);
        }
        requests.retain(|request| request.span == Span::Continuation);
        for (id, mut plain) in score(&mut open(model, json!({ "dtype": dtype })).unwrap(), requests) {
            plain.divergence = alone[&id].divergence;
            prop_assert_eq!(&plain, &alone[&id]);
        }
    }
}

#[test]
fn answers_are_those_of_the_model_alone() {
    let [model, base] = [CHECKPOINTS[0].path(), CHECKPOINTS[1].path()];
    let asked = || vec![prompt(0, TEXT.get(..80).unwrap(), 12), prompt(1, "Once", 20)];
    let alone = generate(&mut open(model, json!({})).unwrap(), asked());
    assert_eq!(generate(&mut with_base(model, json!(base), json!({})), asked()), alone);
}

#[test]
fn the_description_names_the_base_and_the_fingerprint_changes_with_it() {
    let [model, base] = [CHECKPOINTS[0].path(), CHECKPOINTS[1].path()];
    let bf16 = json!({ "checkpoint": base, "dtype": "bf16" });
    let mut infos: Vec<_> =
        [json!(base), bf16, json!(model)].map(|base| with_base(model, base, json!({})).info().unwrap()).into();
    let details = &infos[1].details["divergence_from"];
    assert_eq!((&details["checkpoint"], &details["dtype"]), (&json!(base), &json!("bf16")));
    assert_eq!(infos[1].context_length, Some(64));
    infos.push(open(model, json!({})).unwrap().info().unwrap());
    infos.push(open(base, json!({})).unwrap().info().unwrap());
    let mut fingerprints: Vec<_> = infos.into_iter().map(|info| info.fingerprint).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 5);
}

#[test]
fn a_base_of_another_vocabulary_or_tokenizer_is_refused() {
    let refused = |base: &TinyGpt2| {
        let base = base.write();
        open(CHECKPOINTS[0].path(), json!({ "divergence_from": base.path() })).err().unwrap()
    };
    let larger = refused(&TinyGpt2::new(json!({ "vocab_size": 300 })));
    assert_eq!(larger.code, ErrorCode::BadOptions);
    assert!(larger.message.contains("257 logits") && larger.message.contains("found 300"), "{larger}");
    let moved = json!({ "vocab_size": 258 });
    let merges = |merge| TinyGpt2 { tokenizer: tokenizer_with(&[merge]), ..TinyGpt2::new(moved.clone()) };
    let model = merges(("a", "n")).write();
    let base = merges(("t", "h")).write();
    let error = open(model.path(), json!({ "divergence_from": base.path() })).err().unwrap();
    assert!(error.message.contains("\"th\"") && error.message.contains("\"an\" in the model"), "{error}");
    let nowhere = open(model.path(), json!({ "divergence_from": "nowhere" })).err().unwrap();
    assert_eq!(nowhere.code, ErrorCode::NotFound);
    assert!(nowhere.message.contains("`nowhere`"), "{nowhere}");
}
