use super::*;
use crate::answer::Answer;
use crate::testing::{EOS, logits};
use examiner_api::{FinishReason, GenerateRequest, GenerateResult, SampleRef, Sampling};

pub(super) fn request(id: usize, prompt: &str, sampling: Sampling) -> GenerateRequest {
    let sample = SampleRef { id: format!("sample-{}", id / 2), repeat: id as u32 % 2, ..SampleRef::default() };
    GenerateRequest { id: id as u64, sample, prompt: prompt.to_owned(), sampling, ..GenerateRequest::default() }
}

/// One answer, token by token, from the toy's own formula.
pub(super) fn naive(request: &GenerateRequest, toy: &Toy) -> examiner_api::Result<GenerateResult> {
    let tokenizer = tokenizer();
    let mut answer =
        Answer::new(request.clone(), &tokenizer, true, toy.context_length, toy.vocabulary).map_err(|e| e.1)?;
    if request.sampling.max_new_tokens == 0 {
        return Ok(answer.result(answer.nothing()));
    }
    loop {
        let row = logits(&[answer.prompt.clone(), answer.tokens.clone()].concat(), toy.vocabulary);
        let step = answer.step(&row, &tokenizer)?;
        if let Some(ending) = answer.take(step) {
            return Ok(answer.result(ending));
        }
    }
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let temperature = prop_oneof![Just(0.0_f32), Just(0.3), Just(1.0)];
    let stop = prop::collection::vec(prop::sample::select(vec!["e", "\n", "th", "é", "<|turn|>"]), 0..3);
    let limit = prop_oneof![Just(0_u32), Just(1), 2_u32..30, Just(100)];
    (temperature, 0_u32..6, prop_oneof![Just(1.0_f32), Just(0.7)], prop_oneof![Just(1.0_f32), Just(1.3)], stop, limit)
        .prop_map(|(temperature, top_k, top_p, repetition_penalty, stop, max_new_tokens)| Sampling {
            max_new_tokens,
            temperature,
            top_k,
            top_p,
            repetition_penalty,
            stop: stop.iter().map(ToString::to_string).collect(),
            seed: 11,
        })
}

proptest! {
    #![proptest_config(examiner_test_support::cases(96))]

    #[test]
    fn equal_to_one_by_one(
        prompts in prop::collection::vec((text(0..40), sampling()), 1..16),
        (toy, options) in setting(),
    ) {
        let requests: Vec<_> =
            prompts.iter().enumerate().map(|(id, (prompt, sampling))| request(id, prompt, sampling.clone())).collect();
        let mut model = model(toy, options);
        let mut found = generate(&mut model, requests.clone());
        for request in &requests {
            let found = found.remove(&request.id).unwrap();
            prop_assert_eq!(&found, &naive(request, model.decoder()));
            check(&found.unwrap(), request);
        }
    }
}

/// What must hold of any answer.
fn check(found: &GenerateResult, request: &GenerateRequest) {
    let shown: Vec<u32> = found.tokens.iter().copied().filter(|&token| token != EOS).collect();
    let whole = tokenizer().decode(&shown).unwrap();
    let stop = &request.sampling.stop;
    assert!(stop.iter().all(|stop| !found.text.contains(stop)));
    assert!(whole.starts_with(&found.text));
    assert_eq!(found.tokens_out as usize, found.tokens.len());
    match found.finish {
        FinishReason::EndOfText => assert_eq!((found.tokens.last(), &found.text), (Some(&EOS), &whole)),
        FinishReason::Length => {
            assert_eq!((&found.text, found.tokens_out), (&whole, request.sampling.max_new_tokens));
        }
        FinishReason::ContextLength => {
            assert_eq!(found.text, whole);
            assert!(found.tokens_out < request.sampling.max_new_tokens);
        }
        FinishReason::StopString => {
            let cut = stop.iter().any(|stop| whole[found.text.len()..].starts_with(stop));
            assert!(cut || found.tokens.last() == Some(&crate::testing::TURN));
        }
        FinishReason::Other => panic!("an answer ends for a reason that is known"),
    }
}

#[test]
fn a_preamble_is_computed_once_and_answers_grow_together() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    let preamble = "!".repeat(20);
    let greedy = Sampling { max_new_tokens: 5, ..Sampling::default() };
    let letters = ["q", "r", "s", "u"];
    let requests =
        letters.iter().enumerate().map(|(id, letter)| request(id, &format!("{preamble}{letter}"), greedy.clone()));
    let found = generate(&mut model, requests.collect());
    let fed: usize = found.values().map(|result| result.as_ref().unwrap().tokens.len() - 1).sum();
    assert_eq!(model.decoder().tokens, 20 + 4 + fed);
    assert_eq!(model.decoder().passes, 1 + 1 + 4);
    assert_eq!(model.decoder().rows, 4 + fed);
}

#[test]
fn repetitions_share_their_prompt_and_differ_in_their_numbers() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    let warm = Sampling { max_new_tokens: 8, temperature: 1.0, ..Sampling::default() };
    let prompt = "a prompt without an end";
    let found = generate(&mut model, (0..2).map(|id| request(id, prompt, warm.clone())).collect());
    let fed: usize = found.values().map(|result| result.as_ref().unwrap().tokens.len() - 1).sum();
    assert_eq!(model.decoder().tokens, tokenizer().encode(prompt).unwrap().len() + fed);
    assert_ne!(found[&0], found[&1]);
}

#[test]
fn a_waiting_prompt_enters_when_an_answer_leaves() {
    // Three at a time: the short answers make room for the others while the long ones go on.
    let options = LocalOptions { max_sequences: 3, ..LocalOptions::default() };
    let mut model = model(Toy::new(CacheLayout::Ragged, true), options);
    let requests: Vec<_> = (0..9)
        .map(|id| {
            let max_new_tokens = if id == 0 { 24 } else { 6 };
            request(id, &format!("{id} is the number"), Sampling { max_new_tokens, ..Sampling::default() })
        })
        .collect();
    let found = generate(&mut model, requests);
    let tokens = |id: u64| found[&id].as_ref().unwrap().tokens.len();
    let others: usize = (1..9).map(tokens).sum();
    // Two places are left for the eight others; nobody waits for the long one.
    assert!(model.decoder().passes <= tokens(0).max(others / 2 + 8), "{} passes", model.decoder().passes);
    assert_eq!(model.decoder().most_segments, 3);
}

#[test]
fn stopping_leaves_no_caches() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    let count = Mutex::new(0);
    let sink = |_: Response<GenerateResult>| {
        *count.lock().unwrap() += 1;
        Flow::Stop
    };
    let requests = (0..6).map(|id| request(id, &format!("the {id}"), Sampling::default())).collect();
    model.generate(requests, &sink).unwrap();
    assert_eq!((count.into_inner().unwrap(), model.decoder().caches.len()), (1, 0));
}
