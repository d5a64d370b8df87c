use super::*;
use crate::scorers::test_support::open;
use examiner_api::{Answer, Gold, Outcome};
use serde_json::{Value, json};

fn item(sums: &[f64], choices: &[&str], gold: Gold) -> Answered {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    let sample = Sample { id: "s1".to_owned(), gold, choices, delimiter: " ".to_owned(), ..Sample::default() };
    let answer = |sum: &f64| {
        let result = json!({"sum": sum, "is_greedy": *sum > -1.0, "scored_tokens": 1, "total_tokens": 2});
        Answer::Score(serde_json::from_value(result).unwrap())
    };
    let answers = sums.iter().map(answer).collect();
    Answered { question: Question { context: "Q".to_owned(), sample, ..Question::default() }, answers }
}

fn verdict(options: Value, item: Answered) -> Verdict {
    open::<ChoiceMetrics>(options).unwrap().score(&[item]).unwrap().remove(0)
}

#[test]
fn the_choice_depends_on_what_the_likelihood_is_divided_by() {
    let options = json!({"metrics": ["acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "brier_score"]});
    // Sums of three choices with the question and without it. By character the second is best, by byte the third.
    let sums = [-2.0, -2.4, -3.0, -1.0, -4.0, -2.0];
    let found = verdict(options, item(&sums, &["a", "bcd", "éé"], Gold::Choice(1)));
    let value = |name: &str| found.metrics[name];
    assert_eq!((value("acc"), value("acc_norm"), value("acc_mutual_info")), (0.0, 1.0, 1.0));
    assert_eq!((value("acc_bytes"), value("exact_match")), (0.0, 0.0));
    let powers = [-2.0_f64, -2.4, -3.0].map(f64::exp);
    let sum: f64 = powers.iter().sum();
    let [a, b, c] = powers.map(|power| power / sum);
    assert!((value("brier_score") - (a * a + (b - 1.0) * (b - 1.0) + c * c)).abs() < 1e-12);
}

#[test]
fn classes_are_measured_over_the_corpus() {
    let scorer =
        open::<ChoiceMetrics>(json!({"metrics": ["f1", "mcc", {"name": "f1", "average": "macro", "as": "f1_macro"}]}));
    let scorer = scorer.unwrap();
    let items: Vec<Answered> = [(0, -2.0), (1, -0.5), (1, -2.0), (0, -2.0)]
        .into_iter()
        .map(|(gold, sum)| item(&[-1.5, sum], &["no", "yes"], Gold::Choice(gold)))
        .collect();
    let verdicts = scorer.score(&items).unwrap();
    let value = |metric: &str| {
        let statistics: Vec<Vec<f64>> = verdicts.iter().map(|verdict| verdict.statistics[metric].clone()).collect();
        scorer.corpus(metric, &statistics).unwrap()
    };
    // One of two found, none wrongly; scikit-learn says the same.
    assert!((value("f1") - 2.0 / 3.0).abs() < 1e-12);
    assert!((value("f1_macro") - (2.0 / 3.0 + 0.8) / 2.0).abs() < 1e-12);
    assert!((value("mcc") - 1.0 / 3.0_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn asks_without_the_question_only_for_mutual_information() {
    let question = item(&[], &["a", "b"], Gold::Choice(0)).question;
    let asks =
        |options| open::<ChoiceMetrics>(options).unwrap().requests(std::slice::from_ref(&question)).unwrap().remove(0);
    assert_eq!(asks(json!({"metrics": ["acc"]})).len(), 2);
    let both = asks(json!({"metrics": ["acc_mutual_info"], "unconditional_context": "A:"}));
    assert_eq!(both.len(), 4);
    assert!(matches!(&both[3], Ask::Score { context, continuation, .. } if context == "A:" && continuation == " b"));
}

#[test]
fn several_right_choices_are_refused_where_a_metric_knows_one() {
    let gold = || Gold::Text(vec!["a".to_owned(), "b".to_owned()]);
    let found = verdict(json!({"metrics": ["acc"]}), item(&[-1.0, -2.0, -3.0], &["a", "b", "c"], gold()));
    assert_eq!(found.metrics["acc"], 1.0);
    let found = verdict(json!({"metrics": ["mcc"]}), item(&[-1.0, -2.0, -3.0], &["a", "b", "c"], gold()));
    assert!(matches!(found.outcome, Outcome::Error(error) if error.message.contains("one right choice")));
    assert!(open::<ChoiceMetrics>(json!({"metrics": [{"name": "f1", "average": "samples"}]})).is_err());
    assert!(open::<ChoiceMetrics>(json!({"metrics": [{"name": "acc", "average": "macro"}]})).is_err());
}
