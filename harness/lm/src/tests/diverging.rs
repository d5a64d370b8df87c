use super::*;
use crate::divergence::divergence;
use crate::testing::seeded_logits;
use crate::windows::windows;
use examiner_api::{Divergence, ErrorCode, GenerateRequest, ScoreRequest, Span};

const SEED: u64 = 77;

fn request(id: usize, text: &str, continuation: &str, span: Span) -> ScoreRequest {
    let (context, continuation) = (text.to_owned(), continuation.to_owned());
    ScoreRequest { id: id as u64, context, continuation, span, ..ScoreRequest::default() }
}

/// A toy that is compared with another one.
fn compared(toy: Toy, base: Toy, options: LocalOptions) -> LocalModel<Toy> {
    model(toy, options).diverging_from(model(base, LocalOptions::of_base())).unwrap()
}

/// What the formula of the toys says, position by position.
fn naive(request: &ScoreRequest, context_length: usize, vocabulary: usize) -> examiner_api::Result<Divergence> {
    let mut all = Divergence::default();
    for split in windows(request, &tokenizer(), true, context_length)?.splits {
        let mut nats = 0.0;
        for at in split.first_target..split.tokens.len() {
            let of = |seed| seeded_logits(seed, &split.tokens[..at], vocabulary);
            let row = divergence(&of(0), &of(SEED)).unwrap();
            nats += row.nats;
            all.same_top += u32::from(row.same_top);
        }
        all.nats += nats;
    }
    Ok(all)
}

const SPANS: [Span; 5] = [Span::Continuation, Span::All, Span::Rolling, Span::Strided(20), Span::Strided(39)];

proptest! {
    #![proptest_config(examiner_test_support::cases(96))]

    /// Whatever stands in the batch, and whatever decoders the two are; and log-likelihoods are those of the model alone.
    #[test]
    fn equal_to_one_by_one(
        texts in prop::collection::vec((text(0..60), text(0..6), 0_usize..5), 1..16),
        (toy, options) in setting(),
        (base, _) in setting(),
    ) {
        let requests: Vec<_> = texts.iter().enumerate()
            .map(|(id, (context, continuation, span))| request(id, context, continuation, SPANS[*span]))
            .collect();
        // The shorter context counts for both.
        let (vocabulary, context_length) = (toy.vocabulary, 40);
        let base = Toy { context_length, seed: SEED, ..base };
        let alone = Toy { context_length, ..Toy::new(CacheLayout::Ragged, true) };
        let mut alone = score(&mut model(alone, LocalOptions::default()), requests.clone());
        let mut found = score(&mut compared(toy, base, options), requests.clone());
        for request in &requests {
            let (found, alone) = (found.remove(&request.id).unwrap(), alone.remove(&request.id).unwrap());
            match (found, alone) {
                (Ok(mut found), Ok(alone)) => {
                    let text = format!("{}{}", request.context, request.continuation);
                    prop_assert_eq!(found.check(&text), Ok(()));
                    prop_assert_eq!(found.divergence.take(), Some(naive(request, context_length, vocabulary).unwrap()));
                    prop_assert_eq!(found, alone);
                }
                (found, alone) => prop_assert_eq!(found, alone),
            }
        }
    }

    #[test]
    fn a_model_does_not_diverge_from_itself(context in text(0..60), continuation in text(1..6), (toy, options) in setting()) {
        let base = Toy::new(CacheLayout::Ragged, true);
        let mut model = compared(toy, base, options);
        let asked = vec![request(0, &context, &continuation, Span::Rolling)];
        let found = score(&mut model, asked).remove(&0).unwrap().unwrap();
        prop_assert_eq!(found.divergence, Some(Divergence { nats: 0.0, same_top: found.scored_tokens }));
    }

    #[test]
    fn answers_are_those_of_the_model_alone(prompt in text(0..20), (toy, options) in setting()) {
        let base = Toy { seed: SEED, context_length: 5, ..Toy::new(CacheLayout::Rectangular, false) };
        let asked = || vec![GenerateRequest { prompt: prompt.clone(), ..GenerateRequest::default() }];
        let alone = generate(&mut model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default()), asked());
        prop_assert_eq!(generate(&mut compared(toy, base, options), asked()), alone);
    }
}

/// A text without a token has no divergence, and that is another thing than a model without one.
#[test]
fn a_text_without_tokens_has_a_divergence_of_nothing() {
    let toy = || Toy::new(CacheLayout::Ragged, true);
    let empty = || vec![request(0, "", "", Span::Rolling)];
    let found = score(&mut compared(toy(), toy(), LocalOptions::default()), empty()).remove(&0).unwrap().unwrap();
    assert_eq!(found.divergence, Some(Divergence::default()));
    let found = score(&mut model(toy(), LocalOptions::default()), empty()).remove(&0).unwrap().unwrap();
    assert_eq!(found.divergence, None);
}

#[test]
fn what_goes_wrong_with_the_base_is_said_and_costs_what_was_in_the_pass() {
    let hash = tokenizer().encode("#").unwrap()[0];
    let toy = || Toy::new(CacheLayout::Ragged, true);
    let asked = || vec![request(0, "ab#", "cd", Span::Continuation), request(1, "k", "l", Span::Continuation)];
    let bad = Toy { nan_after: Some(hash), ..toy() };
    let found = score(&mut compared(toy(), bad, LocalOptions::default()), asked());
    let error = found[&0].as_ref().unwrap_err();
    assert_eq!(error.code, ErrorCode::Numeric);
    assert!(error.message.starts_with("the model of `divergence_from`: expected finite logits, found NaN"), "{error}");
    assert!(found[&1].is_ok());
    let options = LocalOptions { max_batch_tokens: 1, ..LocalOptions::default() };
    let fails = Toy { fails_at: Some(hash), ..toy() };
    let found = score(&mut compared(toy(), fails, options), asked());
    assert!(found[&0].is_err() && found[&1].is_ok());
}

#[test]
fn another_vocabulary_or_tokenizer_is_refused_by_name() {
    let toy = || Toy::new(CacheLayout::Ragged, true);
    let against = |toy: Toy, tokenizer| {
        let base = LocalModel::new(toy, tokenizer, LocalOptions::of_base()).unwrap();
        model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default()).diverging_from(base)
    };
    let larger = Toy { vocabulary: toy().vocabulary + 1, ..toy() };
    let error = against(larger, tokenizer()).err().unwrap();
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(error.message.contains(&format!("found {}", toy().vocabulary + 1)), "{error}");

    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut file: serde_json::Value = serde_json::from_slice(tokenizer().bytes()).unwrap();
        change(&mut file);
        crate::Tokenizer::from_bytes(serde_json::to_vec(&file).unwrap(), Some(0), vec![0]).unwrap()
    };
    let swapped = changed(&|file| {
        let words = &mut file["model"]["vocab"];
        (words["a"], words["b"]) = (words["b"].clone(), words["a"].clone());
    });
    let error = against(toy(), swapped).err().unwrap();
    assert!(error.message.contains("is \"b\", and \"a\" in the model"), "{error}");

    // The same words, but other merges: it shows in the texts that have them.
    let fewer = changed(&|file| file["model"]["merges"] = serde_json::json!([]));
    let mut model = against(toy(), fewer).unwrap();
    let asked = vec![request(0, "", "qthe", Span::Rolling), request(1, "", "qrs", Span::Rolling)];
    let found = score(&mut model, asked);
    let error = found[&0].as_ref().unwrap_err();
    assert!(
        error.message.contains("found as its token 1, counted from 0,") && error.message.contains("\"the\""),
        "{error}"
    );
    assert!(found[&1].is_ok());
}
