use super::*;
use crate::scorers::test_support::open;
use examiner_api::{GenerateResult, Gold, Sample};
use serde_json::{Value, json};

fn item(answer: &str, references: &[&str]) -> Answered {
    let gold = Gold::Text(references.iter().map(|text| (*text).to_owned()).collect());
    let sample = Sample { id: "s1".to_owned(), gold, ..Sample::default() };
    let answer = Answer::Generate(GenerateResult { text: answer.to_owned(), ..GenerateResult::default() });
    Answered { question: Question { context: "Q".to_owned(), sample, ..Question::default() }, answers: vec![answer] }
}

fn verdict(options: Value, item: Answered) -> Verdict {
    open::<Metrics>(options).unwrap().score(&[item]).unwrap().remove(0)
}

#[test]
fn a_corpus_is_measured_from_the_statistics_of_its_samples() {
    let scorer = open::<Metrics>(json!({"metrics": ["bleu", "ter", "chrf"]})).unwrap();
    let items = [item("the cat sat on the mat", &["the cat sat on a mat"]), item("it is", &["it was", "it is so"])];
    let verdicts = scorer.score(&items).unwrap();
    let value = |metric: &str| {
        let statistics: Vec<Vec<f64>> = verdicts.iter().map(|verdict| verdict.statistics[metric].clone()).collect();
        scorer.corpus(metric, &statistics).unwrap()
    };
    // sacreBLEU 2.6.0 for the second sample's references in two streams, of which the first sample has the first alone.
    assert!((value("bleu") - 55.839_482_647_241_84).abs() < 1e-9, "{}", value("bleu"));
    assert!((value("ter") - 100.0 * 2.0 / 8.5).abs() < 1e-9, "{}", value("ter"));
    assert!(verdicts.iter().all(|verdict| verdict.metrics.is_empty()));
    let info = scorer.info().unwrap();
    assert_eq!(info.metrics.iter().map(|metric| metric.higher_is_better).collect::<Vec<_>>(), [true, false, true]);
    assert!(scorer.corpus("rougeL", &[]).is_err());
}

#[test]
fn the_best_of_several_references_counts() {
    let options =
        json!({"metrics": ["exact_match", {"name": "exact_match", "as": "em_lower", "ignore_case": true}, "rouge1"]});
    let found = verdict(options, item("The cat", &["a dog", "the cat"]));
    let expected = [("em_lower", 1.0), ("exact_match", 0.0), ("rouge1", 1.0)];
    assert_eq!(found.metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>(), expected);
    assert_eq!(found.extracted.as_deref(), Some("The cat"));
}

#[test]
fn an_answer_that_is_not_found_is_not_right() {
    let options = json!({"metrics": ["exact_match", "bleu"], "extract": {"after": "answer is "}});
    let missing = verdict(options.clone(), item("no", &[""]));
    assert_eq!((missing.outcome, missing.metrics["exact_match"]), (Outcome::Unanswered, 0.0));
    assert_eq!(missing.statistics["bleu"].len(), 10);
    let found = verdict(options.clone(), item("the answer is 7", &["7"]));
    assert_eq!((found.outcome, found.metrics["exact_match"]), (Outcome::Scored, 1.0));
    let without_gold = verdict(options, item("the answer is 7", &[]));
    assert!(matches!(without_gold.outcome, Outcome::Error(error) if error.code == ErrorCode::BadInput));
}

#[test]
fn what_is_not_a_metric_is_refused_by_name() {
    for (options, message) in [
        (json!({"metrics": ["blue"]}), "found `blue`"),
        (json!({"metrics": ["bleu", "bleu"]}), "are called `bleu`"),
        (json!({"metrics": [{"name": "bleu", "tokenize": "intl"}]}), "found `intl`"),
        (json!({"metrics": [{"name": "ter", "asian_support": true}]}), "found `asian_support`"),
        (json!({"metrics": [{"name": "exact_match", "regexes_to_ignore": ["("]}]}), "cannot read the pattern `(`"),
    ] {
        let error = open::<Metrics>(options.clone()).err().unwrap();
        assert!(error.message.contains(message), "{options}: {error}");
    }
}
