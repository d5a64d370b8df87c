//! Laws that hold for whole batches. Contents:
//! - scoring: equal to one by one, whatever the batch, the order, the decoder; what it costs
//! - diverging: so is how far a model is from another one
//! - generating: likewise
//! - keeping: likewise, whatever batches came before; what that saves
//! - failures: errors reach those concerned, caches are given back
//! - the split against recorded tokens of the tiny GPT-2

mod diverging;
mod failures;
mod generating;
mod keeping;
mod recorded;
mod scoring;

use crate::testing::{Toy, tokenizer};
use crate::{CacheLayout, LocalModel, LocalOptions};
use examiner_api::{Flow, Model, Response};
use examiner_test_support::model::responses;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A model around a toy.
fn model(toy: Toy, options: LocalOptions) -> LocalModel<Toy> {
    LocalModel::new(toy, tokenizer(), options).unwrap()
}

/// What a method sends, by id; each id once.
fn collect<R, T: Send>(
    model: &mut LocalModel<Toy>,
    requests: Vec<R>,
    method: impl Fn(&mut LocalModel<Toy>, Vec<R>, &dyn examiner_api::Sink<Response<T>>) -> examiner_api::Result<()>,
) -> BTreeMap<u64, examiner_api::Result<T>> {
    let count = requests.len();
    let (sent, end) = responses(|sink| method(model, requests, sink));
    end.unwrap();
    assert_eq!(sent.len(), count, "not every request was answered");
    let decoder = model.decoder();
    let held: std::collections::HashSet<_> = decoder.caches.values().flatten().collect();
    assert!(held.len() <= model.limits().kept_tokens, "{} positions were not freed", held.len());
    assert!(held.is_empty() == decoder.caches.is_empty(), "a cache was not freed");
    assert!(decoder.most_held <= model.cache_tokens(), "{} positions held", decoder.most_held);
    assert!(decoder.most_tokens <= model.limits().batch_tokens, "{} tokens in a pass", decoder.most_tokens);
    sent
}

fn score(model: &mut LocalModel<Toy>, requests: Vec<examiner_api::ScoreRequest>) -> BTreeMap<u64, ScoreOutcome> {
    collect(model, requests, |model, requests, sink| model.score(requests, sink))
}

fn generate(
    model: &mut LocalModel<Toy>,
    requests: Vec<examiner_api::GenerateRequest>,
) -> BTreeMap<u64, GenerateOutcome> {
    let found = collect(model, requests, |model, requests, sink| model.generate(requests, sink));
    let decoder = model.decoder();
    assert!(decoder.most_segments <= model.limits().sequences, "{} answers at once", decoder.most_segments);
    found
}

type ScoreOutcome = examiner_api::Result<examiner_api::ScoreResult>;
type GenerateOutcome = examiner_api::Result<examiner_api::GenerateResult>;

/// A decoder and options, of all kinds.
fn setting() -> impl Strategy<Value = (Toy, LocalOptions)> {
    let layout = prop_oneof![Just(CacheLayout::Ragged), Just(CacheLayout::Rectangular)];
    let budget = prop_oneof![Just(1_usize), Just(7), Just(30), Just(usize::MAX)];
    let sequences = prop_oneof![Just(1_usize), Just(3), Just(64)];
    let cache = prop_oneof![Just(Some(0_usize)), Just(Some(100)), Just(Some(300)), Just(None)];
    let forks = prop::sample::select(vec![(false, false), (true, false), (true, true)]);
    (layout, forks, budget, sequences, cache, any::<bool>()).prop_map(
        |(layout, (can_fork, copies), max_batch_tokens, max_sequences, max_cache_tokens, share_prefixes)| {
            let toy = Toy { copies, ..Toy::new(layout, can_fork) };
            let limits = LocalOptions { max_batch_tokens, max_sequences, max_cache_tokens, ..LocalOptions::default() };
            (toy, LocalOptions { share_prefixes, ..limits })
        },
    )
}

/// Text with many common beginnings.
fn text(words: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["the", " the", " cat", "x", "\n", " ", "é", "漢", " an", "<|turn|>", " c"]);
    prop::collection::vec(word, words).prop_map(|words| words.concat())
}
