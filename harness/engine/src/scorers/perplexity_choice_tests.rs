use super::*;
use crate::scorers::test_support::{open, shared_lines};
use examiner_api::{Answer, Outcome};
use examiner_test_support::needs;
use serde_json::json;
use std::sync::Arc;

fn scorer(options: Value) -> PerplexityChoice {
    open(options).unwrap()
}

fn score(sum: f64, scored: u32, total: u32) -> Answer {
    Answer::Score(ScoreResult { sum, scored_tokens: scored, total_tokens: total, ..ScoreResult::default() })
}

fn item(choices: &[&str], gold: Gold, answers: Vec<Answer>) -> Answered {
    let sample = Sample {
        id: "s1".to_owned(),
        prompt: "Q".to_owned(),
        delimiter: " ".to_owned(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        gold,
        metadata: Arc::default(),
        ..Sample::default()
    };
    Answered { question: Question { context: "shots Q".to_owned(), sample, ..Question::default() }, answers }
}

fn verdict(options: Value, item: Answered) -> Verdict {
    scorer(options).score(&[item]).unwrap().remove(0)
}

fn error_of(verdict: Verdict) -> PluginError {
    match verdict.outcome {
        Outcome::Error(error) => error,
        other => panic!("expected an error, found {other:?}"),
    }
}

#[test]
fn asks_what_each_normalization_needs() {
    let question = item(&["a", "bb"], Gold::Choice(0), Vec::new()).question;
    let asks = |options| scorer(options).requests(std::slice::from_ref(&question)).unwrap().remove(0);
    let of = |context: &str, continuation: &str, span| Ask::Score {
        turns: Default::default(),
        context: context.to_owned(),
        continuation: continuation.to_owned(),
        span,
    };
    let whole = [of("shots Q", " a", Span::All), of("shots Q", " bb", Span::All)];
    let given = [of("shots Q", " a", Span::Continuation), of("shots Q", " bb", Span::Continuation)];
    let alone = [of("Answer:", " a", Span::Continuation), of("Answer:", " bb", Span::Continuation)];
    assert_eq!(asks(json!({})), whole);
    assert_eq!(asks(json!({"normalize": "option"})), given);
    assert_eq!(asks(json!({"normalize": ["sum", "chars", "bytes"]})), given);
    let all = json!({"normalize": ["context", "mutual-information"], "unconditional_context": "Answer:"});
    assert_eq!(asks(all), [given, whole, alone].concat());
}

#[test]
fn turns_go_with_the_question_alone() {
    let mut question = item(&["a", "bb"], Gold::Choice(0), Vec::new()).question;
    question.turns = std::sync::Arc::new(vec![Turn::system("S"), Turn::user("Q")]);
    let options = json!({"normalize": ["context", "mutual-information"], "unconditional_context": "Answer:"});
    let asks = scorer(options).requests(std::slice::from_ref(&question)).unwrap().remove(0);
    let turns = asks.iter().map(|ask| match ask {
        Ask::Score { turns, .. } => turns.len(),
        Ask::Generate { .. } => unreachable!(),
    });
    assert_eq!(turns.collect::<Vec<_>>(), [2, 2, 0, 0, 0, 0], "not with whole texts, nor without the question");
}

#[test]
fn every_normalization_by_hand() {
    // Per choice: given the question (sum, tokens), whole text (sum, scored, total), without the question (sum).
    // Choice 1 is `é`: one character, two bytes.
    let answers = || {
        vec![
            score(-6.0, 3, 13),
            score(-4.0, 1, 11),
            score(-24.0, 12, 13),
            score(-21.0, 10, 11),
            score(-9.0, 3, 4),
            score(-4.5, 1, 2),
        ]
    };
    let all = ["sum", "chars", "bytes", "option", "mutual-information", "context", "context-opencompass"];
    let verdict = verdict(json!({"normalize": all}), item(&["cat", "é"], Gold::Choice(1), answers()));
    assert_eq!(verdict.outcome, Outcome::Scored);
    let expected = json!({
        "sum": {"chosen": 1, "loglikelihood_nats": [-6.0, -4.0]},
        "chars": {"chosen": 0, "loglikelihood_nats_per_char": [-2.0, -4.0]},
        // A tie: the first choice.
        "bytes": {"chosen": 0, "loglikelihood_nats_per_byte": [-2.0, -2.0]},
        "option": {"chosen": 0, "loglikelihood_nats_per_token": [-2.0, -4.0]},
        "mutual-information": {"chosen": 0, "mutual_information_nats": [3.0, 0.5]},
        "context": {"chosen": 0, "perplexity_nats": [2.0, 2.1]},
        "context-opencompass": {"chosen": 0, "perplexity_nats": [24.0 / 13.0, 21.0 / 11.0]},
    });
    assert_eq!(Value::Object(verdict.details), expected);
    let right: Vec<&str> =
        verdict.metrics.iter().filter(|(_, value)| **value == 1.0).map(|(name, _)| name.as_str()).collect();
    assert_eq!((right, verdict.metrics.len()), (vec!["acc"], 7));
    assert_eq!(verdict.extracted.as_deref(), Some("é"));
}

#[test]
fn metrics_have_the_names_of_lm_evaluation_harness() {
    let names = |options| -> Vec<String> {
        scorer(options).info().unwrap().metrics.into_iter().map(|metric| metric.name).collect()
    };
    assert_eq!(names(json!({})), ["accuracy"]);
    assert_eq!(names(json!({"normalize": ["chars"]})), ["accuracy"]);
    assert_eq!(names(json!({"normalize": ["sum", "chars"]})), ["acc", "acc_norm"]);
    assert_eq!(names(json!({"normalize": "sum", "names": {"sum": "hits"}})), ["hits"]);
    for bad in [
        json!({"normalize": []}),
        json!({"normalize": ["sum", "sum"]}),
        json!({"normalise": "sum"}),
        json!({"normalize": "sums"}),
    ] {
        assert_eq!(open::<PerplexityChoice>(bad).err().unwrap().code, ErrorCode::BadOptions);
    }
}

#[test]
fn ties_go_to_the_first_choice() {
    let tie = || vec![score(-2.0, 1, 5), score(-2.0, 1, 5)];
    for normalize in ["context", "sum"] {
        let verdict = verdict(json!({"normalize": normalize}), item(&["a", "b"], Gold::text("a"), tie()));
        assert_eq!((verdict.extracted.as_deref(), verdict.metrics["accuracy"]), (Some("a"), 1.0));
    }
}

#[test]
fn a_value_that_is_not_a_number_is_an_error() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for normalize in ["context", "context-opencompass", "option", "sum", "chars", "bytes"] {
            let answers = vec![score(bad, 1, 5), score(-2.0, 1, 5)];
            let verdict = verdict(json!({"normalize": normalize}), item(&["a", "b"], Gold::Choice(0), answers));
            assert_eq!(error_of(verdict).code, ErrorCode::Numeric);
        }
    }
    // No tokens or no characters to divide by.
    let nothing = vec![score(0.0, 0, 1), score(-2.0, 1, 5)];
    let verdict = verdict(json!({"normalize": "chars"}), item(&["", "b"], Gold::Choice(0), nothing));
    assert_eq!(error_of(verdict).code, ErrorCode::Numeric);
}

#[test]
fn a_sample_without_a_right_choice_is_an_error() {
    let two = || vec![score(-1.0, 1, 5), score(-2.0, 1, 5)];
    for gold in [Gold::None, Gold::Choice(2), Gold::text("c")] {
        assert_eq!(error_of(verdict(json!({}), item(&["a", "b"], gold, two()))).code, ErrorCode::BadInput);
    }
    assert_eq!(error_of(verdict(json!({}), item(&[], Gold::Choice(0), Vec::new()))).code, ErrorCode::BadInput);
    assert_eq!(
        error_of(verdict(json!({}), item(&["a", "b"], Gold::Choice(0), vec![score(-1.0, 1, 5)]))).code,
        ErrorCode::Protocol
    );
}

/// The reference is lm-evaluation-harness on CommonsenseQA: its log-likelihoods in, its `acc` and `acc_norm` out.
#[needs(shared)]
#[test]
fn agrees_with_lm_evaluation_harness() {
    let scorer = scorer(json!({"normalize": ["sum", "chars"]}));
    for (file, acc, acc_norm) in
        [("oracle/lm_eval/csqa_0shot.jsonl", 193.0, 265.0), ("oracle/lm_eval/csqa_3shot.jsonl", 196.0, 264.0)]
    {
        let rows = shared_lines(file);
        let mut totals = [0.0, 0.0];
        for row in rows {
            let texts: Vec<&str> =
                row["continuations"].as_array().unwrap().iter().map(|text| &text.as_str().unwrap()[1..]).collect();
            let answers = row["loglikelihoods"]
                .as_array()
                .unwrap()
                .iter()
                .map(|sum| score(sum.as_f64().unwrap(), 1, 2))
                .collect();
            let gold = Gold::Choice(row["gold"].as_u64().unwrap() as usize);
            let verdict = scorer.score(&[item(&texts, gold, answers)]).unwrap().remove(0);
            assert_eq!(verdict.metrics["acc"], row["acc"].as_f64().unwrap(), "{row}");
            assert_eq!(verdict.metrics["acc_norm"], row["acc_norm"].as_f64().unwrap(), "{row}");
            totals[0] += verdict.metrics["acc"];
            totals[1] += verdict.metrics["acc_norm"];
        }
        assert_eq!(totals, [acc, acc_norm]);
    }
}

/// The reference is OpenCompass's perplexity inferencer on CommonsenseQA with option letters.
#[needs(shared)]
#[test]
fn agrees_with_opencompass() {
    let rows = shared_lines("oracle/opencompass/csqa_ppl.jsonl");
    let scorer = scorer(json!({"normalize": "context-opencompass"}));
    let letters = ["A", "B", "C", "D", "E"];
    let mut right = 0.0;
    for row in &rows {
        // A sequence of 50 tokens whose 49 scored ones add up to the recorded mean over all 50.
        let of = |letter: &&str| score(row["labels"][*letter]["ppl"].as_f64().unwrap() * -50.0, 49, 50);
        let gold = Gold::text(row["gold"].as_str().unwrap());
        let verdict = scorer.score(&[item(&letters, gold, letters.iter().map(of).collect())]).unwrap().remove(0);
        assert_eq!(verdict.extracted.as_deref(), row["prediction"].as_str());
        let perplexity = verdict.details["context-opencompass"]["perplexity_nats"][0].as_f64().unwrap();
        assert!((perplexity - row["labels"]["A"]["ppl"].as_f64().unwrap()).abs() < 1e-12);
        right += verdict.metrics["accuracy"];
    }
    assert_eq!((right, rows.len()), (17.0, 100));
}
