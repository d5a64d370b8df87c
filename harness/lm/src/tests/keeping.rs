use super::*;
use crate::testing::EOS;
use examiner_api::{GenerateRequest, SampleRef, Sampling, ScoreRequest, Span};

fn sample(question: usize) -> SampleRef {
    SampleRef { id: format!("question-{question}"), ..SampleRef::default() }
}

fn scored(id: usize, question: usize, context: &str, continuation: &str, span: Span) -> ScoreRequest {
    ScoreRequest { span, sample: sample(question), ..scoring::request(id, context, continuation) }
}

fn asked(id: usize, prompt: &str) -> GenerateRequest {
    let sampling = Sampling { max_new_tokens: 3, ..Sampling::default() };
    GenerateRequest { sample: sample(id), ..generating::request(id, prompt, sampling) }
}

/// What a model is asked at once.
#[derive(Debug, Clone)]
enum Batch {
    Score(Vec<ScoreRequest>),
    Generate(Vec<GenerateRequest>),
}

/// Batches whose texts begin with one of a few preambles, in part longer than the context.
fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let preamble = prop::sample::select(vec![
        "",
        "the cat and the xyz are an example\n",
        "the cat and the xyz are an example\nthe other one is a 漢\n",
        "another beginning, which has some tokens, too. ",
    ]);
    let question = (preamble, text(0..8), text(1..3));
    let batch = (prop::collection::vec(question, 1..8), prop::sample::select(vec![0, 1, 2, 3]));
    let batch = batch.prop_map(|(questions, kind)| {
        let questions = questions.into_iter().enumerate();
        let span = [Span::Continuation, Span::All, Span::Strided(30)].get(kind).copied();
        match span {
            Some(span) => {
                let both = questions.flat_map(|(number, (preamble, question, option))| {
                    let context = format!("{preamble}{question}");
                    ["!", &option].map(|option| (number, context.clone(), option.to_owned()))
                });
                let requests = both.enumerate();
                let request = |(id, (number, context, option)): (usize, (usize, String, String))| {
                    scored(id, number, &context, &option, span)
                };
                Batch::Score(requests.map(request).collect())
            }
            None => {
                let requests =
                    questions.map(|(id, (preamble, question, _))| asked(id, &format!("{preamble}{question}")));
                Batch::Generate(requests.collect())
            }
        }
    });
    prop::collection::vec(batch, 1..7)
}

proptest! {
    #![proptest_config(examiner_test_support::cases(96))]

    /// No result depends on the batches before, and all bounds hold.
    #[test]
    fn a_batch_after_others_is_as_if_it_were_alone(batches in batches(), (toy, options) in setting()) {
        let (vocabulary, context_length) = (toy.vocabulary, toy.context_length);
        let mut model = model(toy, options);
        for batch in batches {
            match batch {
                Batch::Score(requests) => {
                    let mut found = score(&mut model, requests.clone());
                    for request in &requests {
                        let alone = scoring::naive_windows(request, context_length, vocabulary);
                        prop_assert_eq!(&found.remove(&request.id).unwrap(), &alone);
                    }
                }
                Batch::Generate(requests) => {
                    let ask = |model: &mut LocalModel<Toy>, requests, sink: &dyn examiner_api::Sink<_>| {
                        model.generate(requests, sink)
                    };
                    let mut found = collect(&mut model, requests.clone(), ask);
                    for request in &requests {
                        let alone = generating::naive(request, model.decoder());
                        prop_assert_eq!(&found.remove(&request.id).unwrap(), &alone);
                    }
                }
            }
        }
    }
}

const PREAMBLE: usize = 30;
const QUESTION: usize = 10;

/// Questions of 10 tokens after a preamble of 30, each with two options of two tokens.
fn few_shot(questions: &str, span: Span) -> Vec<ScoreRequest> {
    let both =
        questions.chars().enumerate().flat_map(|(number, letter)| ["01", "23"].map(|option| (number, letter, option)));
    let context = |letter: char| format!("{}{}", "!".repeat(PREAMBLE), letter.to_string().repeat(QUESTION));
    let requests = both.enumerate();
    requests.map(|(id, (number, letter, option))| scored(id, number, &context(letter), option, span)).collect()
}

#[test]
fn a_preamble_is_computed_once_for_all_batches() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    let tokens = |model: &LocalModel<Toy>| model.decoder().tokens;
    score(&mut model, few_shot("qr", Span::Continuation));
    assert_eq!(tokens(&model), PREAMBLE + 2 * (QUESTION + 2));
    score(&mut model, few_shot("suv", Span::Continuation));
    assert_eq!(tokens(&model), PREAMBLE + 5 * (QUESTION + 2));
    // Answers begin with it, too. The last question of the batch before was kept; its last token says what comes next.
    let before = tokens(&model);
    let prompts = ["v", "w"].map(|letter| format!("{}{}", "!".repeat(PREAMBLE), letter.repeat(QUESTION)));
    let found = generate(&mut model, prompts.iter().enumerate().map(|(id, prompt)| asked(id, prompt)).collect());
    let fed: usize = found.values().map(|result| result.as_ref().unwrap().tokens.len() - 1).sum();
    assert_eq!(tokens(&model), before + 1 + QUESTION + fed);
    // What is said of it is the same: the model, and then no more.
    let usage = model.usage().unwrap();
    let of = |what: &str, count: &str| usage["tokens"][what][count].as_u64().unwrap() as usize;
    assert_eq!(of("scoring", "computed") + of("generating", "computed"), tokens(&model));
    assert_eq!(of("scoring", "asked"), 5 * 2 * (PREAMBLE + QUESTION + 1), "the last token predicts nothing");
    assert_eq!(of("scoring", "kept_from_earlier_batches"), PREAMBLE);
    assert!(model.usage().unwrap().is_empty());
}

#[test]
fn whole_texts_need_no_logits_of_what_was_scored_before() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    score(&mut model, few_shot("q", Span::All));
    let once = PREAMBLE + QUESTION + 2;
    // The token behind the last one of the preamble is another one for each question.
    assert_eq!((model.decoder().tokens, model.decoder().rows), (once, once));
    score(&mut model, few_shot("r", Span::All));
    assert_eq!((model.decoder().tokens, model.decoder().rows), (2 * once - PREAMBLE + 1, 2 * once - PREAMBLE + 1));
    // Answers keep no scores; what is scored afterwards is computed, and known from then on.
    let other = "another beginning of some tokens";
    generate(&mut model, vec![asked(0, &format!("{other}q")), asked(1, &format!("{other}r"))]);
    let before = model.decoder().tokens;
    let whole = |id| scored(id, id, &format!("{other}s"), "tu", Span::All);
    score(&mut model, vec![whole(0)]);
    let computed = model.decoder().tokens - before;
    let all = tokenizer().encode(&format!("{other}stu")).unwrap().len() - 1;
    assert_eq!(computed, all);
}

#[test]
fn what_is_kept_gives_way() {
    // Two preambles of 25 tokens are one too many for a quarter of 160 positions.
    let options = LocalOptions { max_cache_tokens: Some(160), ..LocalOptions::default() };
    let mut model = model(Toy::new(CacheLayout::Ragged, true), options);
    let batch = |preamble: &str| -> Vec<ScoreRequest> {
        let context = |number| format!("{}{}", preamble.repeat(25), ["q", "r"][number]);
        (0..2).map(|number| scored(number, number, &context(number), "st", Span::Continuation)).collect()
    };
    let mut computed = |preamble: &str| {
        let before = model.decoder().tokens;
        score(&mut model, batch(preamble));
        model.decoder().tokens - before
    };
    let (first, again) = (25 + 2 * 2, 2 * 2);
    assert_eq!(["!", "!", "#", "!", "!"].map(&mut computed), [first, again, first, first, again]);
}

#[test]
fn a_pass_that_fails_leaves_what_is_kept_as_it_was() {
    let fails_at = tokenizer().encode("#").unwrap().first().copied();
    let mut model = model(Toy { fails_at, ..Toy::new(CacheLayout::Ragged, true) }, LocalOptions::default());
    score(&mut model, few_shot("qr", Span::Continuation));
    let before = model.decoder().tokens;
    assert!(score(&mut model, few_shot("#", Span::Continuation)).values().all(Result::is_err));
    let found = score(&mut model, few_shot("s", Span::Continuation));
    let alone = few_shot("s", Span::Continuation);
    for request in &alone {
        let naive = scoring::naive_windows(request, model.decoder().context_length, model.decoder().vocabulary);
        assert_eq!(found[&request.id], naive);
    }
    assert_eq!(model.decoder().tokens - before, 2 * QUESTION + 2);
    assert_ne!(fails_at, Some(EOS));
}

#[test]
fn nothing_is_kept_where_nothing_is_shared() {
    let options = LocalOptions { share_prefixes: false, ..LocalOptions::default() };
    let copies = Toy { copies: true, ..Toy::new(CacheLayout::Ragged, true) };
    let cases = [
        (Toy::new(CacheLayout::Ragged, true), options),
        (copies, LocalOptions::default()),
        (Toy::new(CacheLayout::Rectangular, true), LocalOptions::default()),
        (Toy::new(CacheLayout::Ragged, false), LocalOptions::default()),
    ];
    for (toy, options) in cases {
        let mut model = model(toy, options);
        score(&mut model, few_shot("qr", Span::Continuation));
        assert!(model.decoder().caches.is_empty());
    }
}

/// Windows of a dataset with a preamble for each of its subjects: they end anywhere.
#[test]
fn a_window_that_ends_within_a_subject_costs_no_preamble() {
    let mut model = model(Toy::new(CacheLayout::Ragged, true), LocalOptions::default());
    let question = |number: usize| {
        let (preamble, letter) = (["!", "#", "$"][number / 5], ["q", "r", "s", "u", "v"][number % 5]);
        scored(number, number, &format!("{}{letter}", preamble.repeat(PREAMBLE)), "tuv", Span::Continuation)
    };
    for window in [0..4, 4..6, 6..13, 13..15] {
        score(&mut model, window.map(question).collect());
    }
    assert_eq!(model.decoder().tokens, 3 * PREAMBLE + 15 * 3);
}
