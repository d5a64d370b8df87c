use super::super::test_support::open;
use super::*;
use examiner_api::{Outcome, Sample, ScoreResult};

fn question(prompt: &str) -> Question {
    let sample = Sample { id: "1".into(), prompt: prompt.into(), ..Sample::default() };
    Question { context: prompt.into(), sample, ..Question::default() }
}

fn answered(prompt: &str, sum: f64, scored_tokens: u32) -> Answered {
    let score = ScoreResult { sum, scored_tokens, ..ScoreResult::default() };
    Answered { question: question(prompt), answers: vec![Answer::Score(score)] }
}

/// The metrics of all items.
fn metrics(scorer: &Perplexity, items: &[Answered]) -> Vec<(String, Result<f64>)> {
    let verdicts = scorer.score(items).unwrap();
    let of = |name: &str| verdicts.iter().map(|verdict| verdict.statistics[name].clone()).collect::<Vec<_>>();
    let names = scorer.info().unwrap().metrics.into_iter().map(|metric| metric.name);
    names.map(|name| (name.clone(), scorer.corpus(&name, &of(&name)))).collect()
}

/// `len(re.split(r"\s+", text))` of Python.
#[test]
fn words_are_counted_as_lm_eval_does() {
    for (text, count) in [
        ("", 1),
        ("a", 1),
        ("a b", 2),
        (" a b ", 4),
        ("a \n\t b", 2),
        ("a\u{a0}b\u{2003}c", 3),
        ("a\u{1c}b\u{85}c", 3),
        ("a\u{200b}b", 1),
    ] {
        assert_eq!(word_count(text), count, "{text:?}");
    }
}

/// `weighted_perplexity` and `bits_per_byte` of lm-evaluation-harness: sums over all texts, not means of quotients.
#[test]
fn sums_over_all_texts_are_related() {
    let scorer: Perplexity = open(json!({})).unwrap();
    let found = metrics(&scorer, &[answered("ab cd", -6.0, 3), answered("é", -1.0, 1)]);
    let expected = [
        ("word_perplexity", (7.0_f64 / 3.0).exp()),
        ("byte_perplexity", 1.0_f64.exp()),
        ("bits_per_byte", 1.0 / std::f64::consts::LN_2),
        ("token_perplexity", (7.0_f64 / 4.0).exp()),
    ];
    for ((name, value), (expected_name, expected)) in found.into_iter().zip(expected) {
        let value = value.unwrap();
        assert!(name == expected_name && (value - expected).abs() < 1e-12, "{name}: {value}");
    }
}

#[test]
fn a_text_is_asked_for_as_it_is() {
    let asked = |options: Value| {
        let scorer: Perplexity = open(options).unwrap();
        scorer.requests(&[question("T")]).unwrap().remove(0).remove(0)
    };
    let ask = |span| Ask::Score { context: "".into(), turns: Arc::default(), continuation: "T".into(), span };
    assert_eq!(asked(json!({})), ask(Span::Rolling));
    assert_eq!(asked(json!({ "windows": "whole" })), ask(Span::All));
    assert_eq!(asked(json!({ "windows": { "stride": 256 } })), ask(Span::Strided(256)));
    let scorer: Perplexity = open(json!({})).unwrap();
    let shots = Question { context: "a shot\n\nT".into(), ..question("T") };
    let error = scorer.requests(&[shots]).unwrap_err();
    assert!(error.message.contains("neither `shots` nor `preamble`"), "{error}");
}

#[test]
fn another_column_may_be_counted() {
    let scorer: Perplexity = open(json!({ "counted": "page" })).unwrap();
    let with = |document: Value| {
        let mut item = answered("ab", -1.0, 1);
        item.question.sample.document = document;
        scorer.score(&[item]).unwrap().remove(0)
    };
    let verdict = with(json!({ "page": " a b " }));
    assert_eq!(verdict.statistics["word_perplexity"], [-1.0, 4.0]);
    assert_eq!(verdict.statistics["byte_perplexity"], [-1.0, 5.0]);
    for document in [json!({}), json!({ "page": 5 })] {
        assert!(matches!(with(document).outcome, Outcome::Error(error) if error.message.contains("column `page`")));
    }
}

#[test]
fn what_has_no_finite_value_is_an_error() {
    let scorer: Perplexity = open(json!({})).unwrap();
    let errors: Vec<bool> = metrics(&scorer, &[answered("", 0.0, 0)]).into_iter().map(|(_, of)| of.is_err()).collect();
    assert_eq!(errors, [false, true, true, true], "an empty text has one word, as lm-evaluation-harness counts");
    assert!(scorer.corpus("word_perplexity", &[vec![-1e6, 1.0]]).is_err());
    assert!(scorer.corpus("accuracy", &[vec![-1.0, 1.0]]).is_err());
}
