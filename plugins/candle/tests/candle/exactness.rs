//! Not a bit of a result depends on how requests are put together.

use crate::open;
use examiner_api::{ErrorCode, GenerateRequest, SampleRef, ScoreRequest, ScoreResult, Span};
use examiner_test_support::checkpoint::TinyGpt2;
use examiner_test_support::model::{generate, loglikelihood, prompt, score};
use examiner_test_support::skipped;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// What weights are kept as, and how exact products are. The law holds for each of them that this machine has.
fn numbers() -> impl Strategy<Value = (&'static str, &'static str)> {
    static ALL: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let precise = ["f32", "f16", "bf16", "int8"].map(|dtype| (dtype, "highest"));
        let others = [("f32", "high"), ("f32", "medium"), ("int8", "medium")];
        let here = |(dtype, precision): &(&str, &str)| {
            let opened = open(CHECKPOINT.path(), json!({ "dtype": dtype, "precision": precision }));
            if let Err(error) = &opened {
                assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
                skipped(&format!("`precision: {precision}`: {error}"));
            }
            opened.is_ok()
        };
        precise.into_iter().chain(others.into_iter().filter(here)).collect()
    });
    prop::sample::select(ALL.clone())
}

static CHECKPOINT: LazyLock<TempDir> = LazyLock::new(|| TinyGpt2::new(json!({ "n_embd": 64, "n_head": 4 })).write());

/// Requests that begin alike, as few-shot questions with options do; some are longer than the model's context.
fn texts() -> impl Strategy<Value = Vec<(String, String)>> {
    let piece =
        || prop::sample::select(vec!["", "Q: why? ", "Because. ", "A long story about rows and columns. ", "x"]);
    let context = prop::collection::vec(piece(), 0..5).prop_map(|pieces| pieces.concat());
    prop::collection::vec((context, "[a-d ]{0,6}[a-d]"), 1..12)
}

pub(crate) fn options() -> Vec<Value> {
    let limits = [(1, 64), (7, 3), (1_000_000, 64)];
    let sharing = [true, false];
    let both = limits.iter().flat_map(|limits| sharing.map(|share| (limits, share)));
    both.map(|((tokens, sequences), share)| {
        json!({ "max_batch_tokens": tokens, "max_sequences": sequences, "share_prefixes": share })
    })
    .collect()
}

fn with(mut options: Value, (dtype, precision): (&str, &str)) -> Value {
    options["dtype"] = json!(dtype);
    options["precision"] = json!(precision);
    options
}

/// What a request was answered, bit by bit: its id, the sum, whether it is greedy, and each token's logprob.
pub(crate) type Bits = (u64, u64, bool, Vec<u32>);

pub(crate) fn score_bits(checkpoint: &Path, options: &Value, requests: Vec<ScoreRequest>) -> Vec<Bits> {
    bits(score(&mut open(checkpoint, options.clone()).unwrap(), requests))
}

fn bits(results: BTreeMap<u64, ScoreResult>) -> Vec<Bits> {
    let bits = |(id, result): (u64, ScoreResult)| {
        let logprobs = result.token_logprobs.iter().map(|value| value.to_bits()).collect();
        (id, result.sum.to_bits(), result.is_greedy, logprobs)
    };
    results.into_iter().map(bits).collect()
}

// Passes of one token compute what decoding does, so that it is held against whole texts at once, too.
proptest! {
    #![proptest_config(examiner_test_support::cases(24))]

    #[test]
    fn scores(texts in texts(), turn in 0usize..12, numbers in numbers()) {
        let span = |id: usize| if id.is_multiple_of(3) { Span::All } else { Span::Continuation };
        let mut requests: Vec<ScoreRequest> = texts.iter().enumerate()
            .map(|(id, (context, continuation))| {
                let context = if span(id) == Span::All { format!("+{context}") } else { context.clone() };
                ScoreRequest { span: span(id), ..loglikelihood(id as u64, &context, continuation) }
            })
            .collect();
        let alone: Vec<_> = requests.iter()
            .flat_map(|request| score_bits(CHECKPOINT.path(), &with(json!({ "share_prefixes": false }), numbers), vec![request.clone()]))
            .collect();
        for options in options() {
            let middle = turn % requests.len();
            requests.rotate_left(middle);
            prop_assert_eq!(&score_bits(CHECKPOINT.path(), &with(options.clone(), numbers), requests.clone()), &alone, "{} {:?}", options, numbers);
        }
    }

    #[test]
    fn greedy_answers(texts in texts(), turn in 0usize..12, numbers in numbers()) {
        let mut requests: Vec<GenerateRequest> = texts.iter().enumerate()
            .map(|(id, (context, end))| prompt(id as u64, &format!("{context}{end}"), 5 + id as u32 % 9))
            .collect();
        let answers = |options: &Value, requests: Vec<GenerateRequest>| {
            generate(&mut open(CHECKPOINT.path(), options.clone()).unwrap(), requests)
        };
        let alone: BTreeMap<_, _> = requests.iter()
            .flat_map(|request| answers(&with(json!({ "share_prefixes": false }), numbers), vec![request.clone()]))
            .collect();
        for options in options() {
            let middle = turn % requests.len();
            requests.rotate_left(middle);
            prop_assert_eq!(&answers(&with(options.clone(), numbers), requests.clone()), &alone, "{} {:?}", options, numbers);
        }
    }

    /// A model that has answered other batches keeps what they began with, and goes on from it.
    #[test]
    fn batches_after_others(
        batches in prop::collection::vec((texts(), 0usize..3), 2..5),
        tokens in prop::sample::select(vec![1, 7, 1_000_000]),
        numbers in numbers(),
    ) {
        let sample = |id: usize| SampleRef { id: id.to_string(), ..SampleRef::default() };
        let preamble = "Rows are summed in one order, columns in another. ";
        let options = with(json!({ "max_batch_tokens": tokens }), numbers);
        let mut model = open(CHECKPOINT.path(), options.clone()).unwrap();
        for (texts, kind) in batches {
            let texts: Vec<_> = texts.into_iter().enumerate().collect();
            if kind == 2 {
                let request = |(id, (context, end)): &(usize, (String, String))| GenerateRequest {
                    sample: sample(*id),
                    ..prompt(*id as u64, &format!("{preamble}{context}{end}"), 6)
                };
                let requests: Vec<_> = texts.iter().map(request).collect();
                let alone = generate(&mut open(CHECKPOINT.path(), options.clone()).unwrap(), requests.clone());
                prop_assert_eq!(generate(&mut model, requests), alone, "{:?}", numbers);
            } else {
                let request = |(id, (context, end)): &(usize, (String, String))| ScoreRequest {
                    sample: sample(*id),
                    span: [Span::Continuation, Span::All][kind],
                    ..loglikelihood(*id as u64, &format!("{preamble}{context}"), end)
                };
                let requests: Vec<_> = texts.iter().map(request).collect();
                let alone = score_bits(CHECKPOINT.path(), &options, requests.clone());
                prop_assert_eq!(bits(score(&mut model, requests)), alone, "{:?}", numbers);
            }
        }
    }
}
