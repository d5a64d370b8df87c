use super::*;
use crate::Split;
use crate::log_softmax::summarize;
use crate::testing::logits;
use crate::windows::windows;
use examiner_api::{ScoreRequest, ScoreResult, Span};

pub(super) fn request(id: usize, context: &str, continuation: &str) -> ScoreRequest {
    ScoreRequest {
        id: id as u64,
        context: context.to_owned(),
        continuation: continuation.to_owned(),
        ..ScoreRequest::default()
    }
}

/// One sequence, position by position, from the toy's own formula.
fn naive(split: &Split, vocabulary: usize) -> ScoreResult {
    let mut result = ScoreResult { is_greedy: true, tokens: split.targets().to_vec(), ..ScoreResult::default() };
    for at in split.first_target..split.tokens.len() {
        let row = logits(&split.tokens[..at], vocabulary);
        let summary = summarize(&row).unwrap();
        let token = split.tokens[at];
        result.token_logprobs.push(summary.log_probability(row[token as usize]));
        result.is_greedy &= summary.argmax == token;
    }
    result.sum = result.token_logprobs.iter().map(|&logprob| f64::from(logprob)).sum();
    result.scored_tokens = result.tokens.len() as u32;
    result.total_tokens = split.total_tokens as u32;
    result.truncated_tokens = split.truncated_tokens as u32;
    result
}

/// All windows of a request, one after the other.
pub(super) fn naive_windows(request: &ScoreRequest, context_length: usize, vocabulary: usize) -> ScoreOutcome {
    let splits = windows(request, &tokenizer(), true, context_length)?.splits;
    let mut whole = ScoreResult { is_greedy: true, total_tokens: 1, ..ScoreResult::default() };
    for window in splits.iter().map(|split| naive(split, vocabulary)) {
        whole.is_greedy &= window.is_greedy;
        whole.sum += window.sum;
        whole.scored_tokens += window.scored_tokens;
        whole.tokens.extend(window.tokens);
        whole.token_logprobs.extend(window.token_logprobs);
        whole.total_tokens = window.total_tokens;
        whole.truncated_tokens += window.truncated_tokens;
    }
    Ok(whole)
}

proptest! {
    #![proptest_config(examiner_test_support::cases(96))]

    #[test]
    fn equal_to_one_by_one(
        texts in prop::collection::vec((text(0..60), text(0..6), 0_usize..5), 1..24),
        (toy, options) in setting(),
    ) {
        let spans = [Span::Continuation, Span::All, Span::Rolling, Span::Strided(20), Span::Strided(64)];
        let requests: Vec<_> = texts.iter().enumerate().map(|(id, (context, continuation, span))| ScoreRequest {
            span: spans[*span],
            ..request(id, context, continuation)
        }).collect();
        let (vocabulary, context_length) = (toy.vocabulary, toy.context_length);
        let mut model = model(toy, options);
        let mut found = score(&mut model, requests.clone());
        for request in &requests {
            let found = found.remove(&request.id).unwrap();
            prop_assert_eq!(&found, &naive_windows(request, context_length, vocabulary));
            if let Ok(found) = found {
                let text = format!("{}{}", request.context, request.continuation);
                prop_assert_eq!(found.check(&text), Ok(()));
                prop_assert!(!request.span.is_windowed() || found.truncated_tokens == 0);
            }
        }
    }
}

/// Windows of one text stand in a batch like any other sequences.
#[test]
fn windows_of_a_long_text_share_passes() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    let long = ScoreRequest { span: Span::Rolling, ..request(0, "", &"qrsuv".repeat(40)) };
    let found = score(&mut model, vec![long]).remove(&0).unwrap().unwrap();
    assert_eq!((found.scored_tokens, found.total_tokens, model.decoder().passes), (200, 201, 1));
}

/// A preamble of 30 tokens, 5 questions of 10, 4 options of 2 each.
fn few_shot() -> Vec<ScoreRequest> {
    let preamble = "!".repeat(30);
    let questions = ["q", "r", "s", "u", "v"].map(|letter| format!("{preamble}{}", letter.repeat(10)));
    let requests = questions.iter().flat_map(|question| ["01", "02", "34", "56"].map(|option| (question, option)));
    requests.enumerate().map(|(id, (question, option))| request(id, question, option)).collect()
}

#[test]
fn what_is_common_is_computed_once() {
    let mut sharing = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    score(&mut sharing, few_shot());
    // The last token of an option is never fed; `01` and `02` share their first, and the logits after it.
    assert_eq!(sharing.decoder().tokens, 30 + 5 * (10 + 3));
    assert_eq!(sharing.decoder().rows, 5 * (1 + 3));
    let options = LocalOptions { share_prefixes: false, ..LocalOptions::default() };
    let mut apart = model(Toy::new(CacheLayout::Ragged, true), options);
    score(&mut apart, few_shot());
    assert_eq!((apart.decoder().tokens, apart.decoder().rows), (20 * 41, 20 * 2));
    // The roots are not started at once: the caches' bound is far away, but a pass is filled first.
    assert_eq!(apart.decoder().passes, 1);
}

#[test]
fn equal_requests_are_computed_once_even_without_forks() {
    for can_fork in [true, false] {
        let mut model = model(Toy::new(CacheLayout::Ragged, can_fork), LocalOptions::default());
        score(&mut model, (0..10).map(|id| request(id, "abcd", "ef")).collect());
        assert_eq!((model.decoder().tokens, model.decoder().rows), (5, 2));
    }
}

#[test]
fn options_of_one_token_cost_no_pass_of_their_own() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    score(&mut model, ["A", "B", "C", "D"].iter().enumerate().map(|(id, option)| request(id, "q:", option)).collect());
    assert_eq!((model.decoder().passes, model.decoder().tokens, model.decoder().rows), (1, 2, 1));
}

#[test]
fn sequences_of_equal_length_go_together_in_a_rectangle() {
    let mut model = model(Toy::new(CacheLayout::Rectangular, false), LocalOptions::default());
    let words = ["abcd", "efgh", "ab", "ijkl", "cd", "mnop"];
    score(&mut model, words.iter().enumerate().map(|(id, word)| request(id, word, "!!")).collect());
    assert_eq!(model.decoder().passes, 2);
}

#[test]
fn results_do_not_wait_for_the_batch() {
    let mut model =
        model(Toy::new(CacheLayout::Ragged, true), LocalOptions { max_batch_tokens: 8, ..LocalOptions::default() });
    let seen = Mutex::new(Vec::new());
    let sink = |response: Response<ScoreResult>| {
        seen.lock().unwrap().push(response.id);
        if seen.lock().unwrap().len() == 2 { Flow::Stop } else { Flow::Continue }
    };
    let requests = (0..10).map(|id| request(id, &format!("{id}bcdefg"), "hi")).collect();
    model.score(requests, &sink).unwrap();
    assert_eq!(seen.into_inner().unwrap(), [0, 1], "a receiver that stops gets no more");
    assert!(model.decoder().passes <= 3 && model.decoder().caches.is_empty());
}
