use super::*;
use crate::scorers::test_support::{open, shared_lines};
use examiner_api::GenerateResult;
use examiner_test_support::needs;

fn item(answer: &str, gold: Gold, choices: &[&str]) -> Answered {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    let sample = Sample { id: "s1".to_owned(), gold, choices, ..Sample::default() };
    let answer = Answer::Generate(GenerateResult { text: answer.to_owned(), ..GenerateResult::default() });
    Answered { question: Question { context: "Q".to_owned(), sample, ..Question::default() }, answers: vec![answer] }
}

fn verdict(options: Value, item: Answered) -> Verdict {
    open::<AnswerExtraction>(options).unwrap().score(&[item]).unwrap().remove(0)
}

fn is_right(options: Value, answer: &str, gold: Gold, choices: &[&str]) -> bool {
    verdict(options, item(answer, gold, choices)).metrics[METRIC] == 1.0
}

#[test]
fn asks_for_one_answer() {
    let mut question = item("", Gold::None, &[]).question;
    question.sampling.max_new_tokens = 7;
    let asks = open::<AnswerExtraction>(json!({})).unwrap().requests(&[question.clone()]).unwrap();
    assert_eq!(asks, [[Ask::Generate { prompt: "Q".to_owned(), turns: question.turns, sampling: question.sampling }]]);
}

#[test]
fn scored_unanswered_and_error_are_distinguished() {
    let scored = verdict(json!({}), item("so 2 * 9 = 18\n#### $1,018.00", Gold::text("1018"), &[]));
    assert_eq!((scored.outcome, scored.metrics[METRIC]), (Outcome::Scored, 1.0));
    assert_eq!(scored.extracted.as_deref(), Some("1,018.00"));
    assert_eq!(
        scored.details,
        *json!({"gold_normalized": "1018", "normalized": "1018", "matched": "equal as texts"}).as_object().unwrap()
    );
    let unanswered = verdict(json!({}), item("I cannot say.", Gold::text("18"), &[]));
    assert_eq!((unanswered.outcome, unanswered.metrics[METRIC]), (Outcome::Unanswered, 0.0));
    assert_eq!(unanswered.extracted, None);
    let no_gold = verdict(json!({}), item("18", Gold::None, &[]));
    assert!(matches!(no_gold.outcome, Outcome::Error(error) if error.code == ErrorCode::BadInput));
}

#[test]
fn an_answer_that_is_not_right_says_what_each_step_found() {
    let options = json!({ "extract": [{ "cut": "\n" }, { "after": "is " }, "last-number"] });
    let steps =
        |answer: &str| verdict(options.clone(), item(answer, Gold::text("7"), &[])).details.get("steps").cloned();
    let wrong = json!([["cut", "it is 3 and 8"], ["after", "3 and 8"], ["last-number", "8"]]);
    assert_eq!(steps("it is 3 and 8\nnot 7"), Some(wrong));
    let nothing = json!([["cut", "I do not know"], ["after", null]]);
    assert_eq!(steps("I do not know\n7"), Some(nothing));
    assert_eq!(steps("it is 7"), None);
    let long = steps(&"x".repeat(500)).unwrap();
    assert_eq!(long[0][1].as_str().unwrap().len(), STEP_CHARS + 3);
}

#[test]
fn the_default_pipeline_depends_on_the_right_answer() {
    assert!(is_right(json!({}), "Thus the answer is 5 apples.", Gold::text("5"), &[]));
    assert!(is_right(json!({}), "Thus the answer is: Paris.", Gold::text("Paris"), &[]));
    assert!(is_right(json!({}), "So the answer is (B).", Gold::Choice(1), &["cat", "dog"]));
    assert!(is_right(json!({}), "the answer is dog", Gold::Choice(1), &["cat", "dog"]));
    assert!(!is_right(json!({}), "So the answer is (A).", Gold::Choice(1), &["cat", "dog"]));
    // The choice `B` is the first one here; the letter yields to it.
    assert!(is_right(json!({}), "The answer is B", Gold::Choice(0), &["B", "A"]));
}

#[test]
fn to_a_question_with_choices_only_a_letter_or_a_text_of_them_is_an_answer() {
    let letters = ["A", "B", "C", "D"];
    let of = |answer: &str, choices: &[&str]| {
        let verdict = verdict(json!({}), item(answer, Gold::Choice(0), choices));
        let matched = verdict.details.get("matched").and_then(|how| how.as_str()).unwrap_or("nothing").to_owned();
        (verdict.outcome, verdict.metrics[METRIC], matched)
    };
    assert_eq!(of("7 * 8 = 54", &letters), (Outcome::Unanswered, 0.0, "nothing".to_owned()));
    // There is no fifth choice.
    assert_eq!(of("The answer is (E).", &letters).0, Outcome::Unanswered);
    assert_eq!(
        of("So it is (A).", &["100", "50"]),
        (Outcome::Scored, 1.0, "the letter of the right choice".to_owned())
    );
    assert_eq!(
        of("the answer is 100.0", &["100", "50"]),
        (Outcome::Scored, 1.0, "the text of the right choice".to_owned())
    );
    assert_eq!(of("The answer is (B).", &["100", "50"]), (Outcome::Scored, 0.0, "the letter of choice 2".to_owned()));
    assert_eq!(of("The answer is 54", &["100", "50"]).0, Outcome::Unanswered);
}

#[test]
fn any_of_several_right_answers_will_do() {
    let gold = || Gold::Text(vec!["U.S.".to_owned(), "USA".to_owned()]);
    let options = json!({"extract": "text", "normalize": {"case": true}});
    assert!(is_right(options.clone(), "The answer is usa.", gold(), &[]));
    assert!(is_right(options.clone(), "The answer is u.s.", gold(), &[]));
    assert!(!is_right(options, "The answer is US", gold(), &[]));
}

#[test]
fn the_fingerprint_follows_the_options() {
    let of = |options| open::<AnswerExtraction>(options).unwrap().info().unwrap().fingerprint;
    assert_eq!(of(json!({})), of(json!({"extract": "default", "tolerance": 0.0})));
    assert_ne!(of(json!({})), of(json!({"extract": "gsm8k"})));
    assert_ne!(of(json!({})), of(json!({"normalize": {"case": true}})));
}

#[test]
fn bad_options_say_what_is_wrong() {
    let error = |options| open::<AnswerExtraction>(options).err().unwrap().to_string();
    insta::assert_snapshot!(error(json!({"extract": "gsm8"})), @r#"the options do not fit: there is no preset or step `gsm8`, did you mean `gsm8k`?; presets are gsm8k, strict, flexible, opencompass, bbh, opencompass-bbh-choice, opencompass-bbh-text, text, choice, steps without options first-number, last-number, first-line, last-line, boxed, option-letter, trim, lowercase, uppercase, capitalize"#);
    insta::assert_snapshot!(error(json!({"extract": [{"regex": "(a"}]})), @r#"the options do not fit: cannot read the pattern `(a`: Parsing error at position 2: Opening parenthesis without closing parenthesis"#);
    insta::assert_snapshot!(error(json!({"extract": [{"regex": {"pattern": "a", "group": 1}}]})), @r#"the options do not fit: step `regex`: the pattern `a` has no group 1, its last is 0"#);
    insta::assert_snapshot!(error(json!({"extract": {"aftr": "A:"}})), @r#"the options do not fit: there is no step `aftr`, did you mean `after`?; steps are cut, after, regex, replace, first-number, last-number, first-line, last-line, boxed, option-letter, strip, trim, lowercase, uppercase, capitalize, any"#);
    insta::assert_snapshot!(error(json!({"tolerance": -1})), @r#"expected a `tolerance` of 0 or more, found -1"#);
    insta::assert_snapshot!(error(json!({"normalize": {"cases": true}})), @r#"the options do not fit: unknown field `cases`, expected one of `trailing_period`, `currency`, `percent`, `thousands`, `decimals`, `case`, `whitespace`"#);
}

/// The reference is the solutions' own authors' judgement: after `A: `, without commas, as strings.
#[needs(shared)]
#[test]
fn agrees_with_the_authors_of_the_recorded_solutions() {
    let rows = shared_lines("data/gsm8k/recorded_solutions.jsonl");
    let options = json!({
        "extract": {"after": "A: "},
        "normalize": {"trailing_period": false, "currency": false, "percent": false, "decimals": false},
        "compare": "string"
    });
    let scorer = open::<AnswerExtraction>(options).unwrap();
    let mut unanswered = 0;
    for row in &rows {
        let item = item(row["completion"].as_str().unwrap(), Gold::text(row["answer"].as_str().unwrap()), &[]);
        let verdict = scorer.score(&[item]).unwrap().remove(0);
        assert_eq!(verdict.metrics[METRIC] == 1.0, row["is_correct"].as_bool().unwrap(), "{row}");
        unanswered += u32::from(verdict.outcome == Outcome::Unanswered);
    }
    assert_eq!((rows.len(), unanswered), (2638, 5));
}
