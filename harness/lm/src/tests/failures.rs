use super::*;
use examiner_api::{ErrorCode, GenerateRequest, Sampling, ScoreRequest};

fn scored(id: u64, context: &str, continuation: &str) -> ScoreRequest {
    ScoreRequest { id, context: context.into(), continuation: continuation.into(), ..ScoreRequest::default() }
}

fn asked(id: u64, prompt: &str) -> GenerateRequest {
    let sampling = Sampling { max_new_tokens: 6, ..Sampling::default() };
    GenerateRequest { id, prompt: prompt.into(), sampling, ..GenerateRequest::default() }
}

fn token(text: &str) -> Option<u32> {
    tokenizer().encode(text).unwrap().first().copied()
}

fn code<T>(outcome: &examiner_api::Result<T>) -> Option<ErrorCode> {
    outcome.as_ref().err().map(|error| error.code)
}

#[test]
fn a_pass_that_fails_costs_what_was_in_it() {
    for (layout, can_fork) in [(CacheLayout::Ragged, true), (CacheLayout::Rectangular, false)] {
        let toy = || Toy { fails_at: token("#"), ..Toy::new(layout, can_fork) };
        // One token a pass, so that nobody else is concerned.
        let options = || LocalOptions { max_batch_tokens: 1, ..LocalOptions::default() };
        let requests =
            vec![scored(0, "ab", "cd"), scored(1, "abx#", "cd"), scored(2, "abx", "de"), scored(3, "k", "l")];
        let found = score(&mut model(toy(), options()), requests);
        let codes: Vec<_> = found.values().map(code).collect();
        assert_eq!(codes, [None, Some(ErrorCode::Other), None, None]);
        let requests = vec![asked(0, "ab"), asked(1, "abx#"), asked(2, "abx")];
        let found = generate(&mut model(toy(), options()), requests);
        assert_eq!(code(&found[&1]), Some(ErrorCode::Other));
    }
}

#[test]
fn a_pass_that_always_fails_answers_everything() {
    let toy = Toy { fails_at: token("a"), ..Toy::new(CacheLayout::Ragged, true) };
    let mut model = model(toy, LocalOptions { max_batch_tokens: 3, ..LocalOptions::default() });
    let found = score(&mut model, (0..9).map(|id| scored(id, &format!("a{id}"), "b")).collect());
    assert!(found.values().all(|outcome| code(outcome) == Some(ErrorCode::Other)));
    assert_eq!(model.decoder().passes, 1, "what lies beneath a failed node is not tried");
}

#[test]
fn a_logit_that_is_no_number_is_an_error_of_its_request_alone() {
    let toy = || Toy { nan_after: token("#"), ..Toy::new(CacheLayout::Ragged, true) };
    let requests = vec![scored(0, "ab#", "cd"), scored(1, "ab#c", "d"), scored(2, "ab", "#")];
    let found = score(&mut model(toy(), LocalOptions::default()), requests);
    let codes: Vec<_> = found.values().map(code).collect();
    assert_eq!(codes, [Some(ErrorCode::Numeric), None, None]);
    let message = found[&0].as_ref().unwrap_err().to_string();
    assert!(message.contains("found NaN for token 3 after position 2"), "{message}");
    let found = generate(&mut model(toy(), LocalOptions::default()), vec![asked(0, "ab#"), asked(1, "ab#c")]);
    assert_eq!((code(&found[&0]), code(&found[&1])), (Some(ErrorCode::Numeric), None));
}

#[test]
fn requests_that_make_no_sense_are_answered_too() {
    let mut scoring = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    let long = "!".repeat(70);
    let requests = vec![scored(0, "a", ""), scored(1, "t", "h"), scored(2, "a", &long), scored(3, "", "b")];
    let found = score(&mut scoring, requests);
    let codes: Vec<_> = found.values().map(code).collect();
    let bad = Some(ErrorCode::BadInput);
    assert_eq!(codes, [bad, bad, bad, None]);

    // A tokenizer that knows more tokens than the model.
    let mut small = model(Toy { vocabulary: 90, ..Toy::new(CacheLayout::Ragged, true) }, LocalOptions::default());
    let found = score(&mut small, vec![scored(0, "a", " the"), scored(1, "!", "#")]);
    assert_eq!((code(&found[&0]), code(&found[&1])), (bad, None));
    let mut wrong = asked(0, "a");
    wrong.sampling.temperature = -1.0;
    let found = generate(&mut small, vec![wrong, asked(1, "é"), asked(2, "!")]);
    assert_eq!((code(&found[&0]), code(&found[&1]), code(&found[&2])), (bad, bad, None));
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let toy = Toy::new(CacheLayout::Ragged, true);
    let options = LocalOptions { max_batch_tokens: 0, ..LocalOptions::default() };
    let error = LocalModel::new(toy, tokenizer(), options).err().unwrap();
    assert_eq!(error.code, ErrorCode::BadOptions);
}
