use super::*;
use examiner_api::testing::FakeHost;
use examiner_api::{Answer, GenerateResult, Gold, ScoreResult};
use serde_json::Value as Json;

fn scorer(task: Json) -> LmEvalScorer {
    let options = serde_json::from_value(json!({ "tasks": { "t": task } })).unwrap();
    LmEvalScorer::open(options, FakeHost::new().host()).unwrap()
}

fn metric(name: &str, aggregation: &str) -> Json {
    json!({ "name": name, "aggregation": { "named": aggregation }, "higher_is_better": true })
}

fn take_first() -> Json {
    json!([{ "name": "none", "steps": [{ "filter": { "named": "take_first" } }] }])
}

fn choice_task(metrics: Vec<Json>) -> Json {
    json!({ "output_type": "multiple_choice", "metrics": metrics, "filters": take_first(), "repeats": 1, "has_choices": true })
}

fn text_task(metrics: Vec<Json>, filters: Json) -> Json {
    json!({ "output_type": "generate_until", "metrics": metrics, "filters": filters, "repeats": 1 })
}

fn choice_question(choices: &[&str], target: Json) -> Question {
    let sample = Sample {
        id: "t/0".into(),
        prompt: "Q".into(),
        delimiter: " ".into(),
        choices: choices.iter().map(ToString::to_string).collect(),
        document: json!({ "doc": {}, "target": target }),
        ..Sample::default()
    };
    Question { context: "Q".into(), sample, ..Question::default() }
}

fn scores(sums: &[f64]) -> Vec<Answer> {
    let best = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let score = |sum: &f64| Answer::Score(ScoreResult { sum: *sum, is_greedy: *sum == best, ..ScoreResult::default() });
    sums.iter().map(score).collect()
}

fn judged(scorer: &LmEvalScorer, question: Question, answers: Vec<Answer>) -> Verdict {
    scorer.score(&[Answered { question, answers }]).unwrap().remove(0)
}

fn text_verdict(scorer: &LmEvalScorer, target: Json, text: &str) -> Verdict {
    let sample = Sample {
        id: "t/0".into(),
        gold: Gold::None,
        document: json!({ "doc": {}, "target": target }),
        ..Sample::default()
    };
    let question = Question { sample, ..Question::default() };
    judged(scorer, question, vec![Answer::Generate(GenerateResult { text: text.into(), ..GenerateResult::default() })])
}

fn error(verdict: &Verdict) -> String {
    match &verdict.outcome {
        Outcome::Error(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn choices_are_judged_by_sum_by_characters_and_by_bytes() {
    let names = ["acc", "acc_norm", "acc_bytes", "exact_match"];
    let scorer = scorer(choice_task(names.iter().map(|name| metric(name, "mean")).collect()));
    // By characters -1, -1.25, by bytes -1, -0.625.
    let verdict = judged(&scorer, choice_question(&["abc", "éééé"], json!(1)), scores(&[-3.0, -5.0]));
    assert_eq!(names.map(|name| verdict.metrics[name]), [0.0, 0.0, 1.0, 0.0]);
    let verdict = judged(&scorer, choice_question(&["abc", "éééé"], json!("abc")), scores(&[-3.0, -5.0]));
    assert_eq!(names.map(|name| verdict.metrics[name]), [1.0, 1.0, 0.0, 1.0]);
    // No choice: nothing is right.
    let verdict = judged(&scorer, choice_question(&["abc", "éééé"], json!(7)), scores(&[-3.0, -5.0]));
    assert_eq!(names.map(|name| verdict.metrics[name]), [0.0; 4]);
    let verdict = judged(&scorer, choice_question(&["a", "b"], json!(0.5)), scores(&[-3.0, -5.0]));
    assert!(error(&verdict).contains("`float`"), "{verdict:?}");
}

#[test]
fn mutual_information_asks_for_each_choice_alone() {
    let scorer = scorer(choice_task(vec![metric("acc_mutual_info", "mean"), metric("acc", "mean")]));
    let question = choice_question(&["a", "b"], json!(1));
    let asks = scorer.requests(std::slice::from_ref(&question)).unwrap().remove(0);
    let pairs: Vec<(String, String)> = asks
        .into_iter()
        .map(|ask| match ask {
            Ask::Score { context, continuation, .. } => (context, continuation),
            Ask::Generate { .. } => panic!(),
        })
        .collect();
    let expected = [("Q", " a"), ("Q", " b"), ("", " a"), ("", " b")];
    assert_eq!(pairs, expected.map(|(context, text)| (context.to_owned(), text.to_owned())));
    let verdict = judged(&scorer, question, scores(&[-1.0, -2.0, -1.0, -9.0]));
    assert_eq!((verdict.metrics["acc"], verdict.metrics["acc_mutual_info"]), (0.0, 1.0));
}

#[test]
fn several_right_choices_are_each_right() {
    let mut task = choice_task(vec![metric("acc", "mean")]);
    task["multiple_targets"] = json!(true);
    let scorer = scorer(task);
    let verdict = judged(&scorer, choice_question(&["a", "b", "c"], json!([0, 2])), scores(&[-3.0, -2.0, -1.0]));
    assert_eq!(verdict.metrics["acc"], 1.0);
}

/// scikit-learn: `f1_score([1, 0, 1, 1], [1, 1, 0, 1])` is 2/3, `matthews_corrcoef` of the same is -1/3.
#[test]
fn pairs_are_put_together_over_all_samples() {
    let scorer = scorer(choice_task(vec![metric("f1", "f1"), metric("mcc", "matthews_corrcoef")]));
    let pairs = [(1, 1), (0, 1), (1, 0), (1, 1)];
    let of = |name: &str| -> Vec<Vec<f64>> {
        let verdict = |(gold, chosen): &(i32, usize)| {
            let sums = if *chosen == 0 { [-1.0, -2.0] } else { [-2.0, -1.0] };
            judged(&scorer, choice_question(&["n", "y"], json!(gold)), scores(&sums)).statistics[name].clone()
        };
        pairs.iter().map(verdict).collect()
    };
    assert!((scorer.corpus("f1", &of("f1")).unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert!((scorer.corpus("mcc", &of("mcc")).unwrap() + 1.0 / 3.0).abs() < 1e-12);
    assert!(scorer.corpus("f1", &[vec![0.0, 1.0, 1.0], vec![1.0, 1.0, 1.0]]).is_err(), "of different tasks");
}

#[test]
fn the_perplexity_of_documents_is_weighted_by_their_length() {
    let metrics = vec![
        metric("word_perplexity", "weighted_perplexity"),
        metric("byte_perplexity", "weighted_perplexity"),
        metric("bits_per_byte", "bits_per_byte"),
    ];
    let scorer = scorer(
        json!({ "output_type": "loglikelihood_rolling", "metrics": metrics, "filters": take_first(), "repeats": 1 }),
    );
    let verdicts: Vec<Verdict> = [("one two", -6.0), ("three", -3.0)]
        .iter()
        .map(|(text, sum)| judged(&scorer, choice_question(&[text], json!(text)), scores(&[*sum])))
        .collect();
    let value = |name: &str| {
        let statistics: Vec<Vec<f64>> = verdicts.iter().map(|verdict| verdict.statistics[name].clone()).collect();
        scorer.corpus(name, &statistics).unwrap()
    };
    assert!((value("word_perplexity") - 3_f64.exp()).abs() < 1e-12);
    assert!((value("byte_perplexity") - (9.0_f64 / 12.0).exp()).abs() < 1e-12);
    assert!((value("bits_per_byte") - 9.0 / 12.0 / std::f64::consts::LN_2).abs() < 1e-12);
}

#[test]
fn each_filter_has_a_metric_of_its_own() {
    let regex = |pattern: &str, place: i32| {
        json!([
            { "filter": { "named": "regex" }, "options": { "regex_pattern": pattern, "group_select": place } },
            { "filter": { "named": "take_first" } },
        ])
    };
    let filters = json!([
        { "name": "strict-match", "steps": regex("#### (\\-?[0-9\\.\\,]+)", 0) },
        { "name": "flexible-extract", "steps": regex("(-?[$0-9.,]{2,})|(-?[0-9]+)", -1) },
    ]);
    let mut exact = metric("exact_match", "mean");
    exact["options"] = json!({ "ignore_case": true, "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"] });
    let scorer = scorer(text_task(vec![exact], filters));
    let names: Vec<String> = scorer.info().unwrap().metrics.into_iter().map(|metric| metric.name).collect();
    assert_eq!(names, ["exact_match,strict-match", "exact_match,flexible-extract"]);
    let verdict = text_verdict(&scorer, json!("9 + 9\n#### 1,018"), "So it is $1018 in all.");
    assert_eq!(verdict.metrics["exact_match,strict-match"], 0.0);
    assert_eq!(verdict.metrics["exact_match,flexible-extract"], 1.0);
    assert_eq!(verdict.extracted.as_deref(), Some("[invalid]"));
}

/// sacrebleu: `corpus_bleu(["the cat sat on the mat"], [["the cat sat on a mat"]]).score` is 53.7284965911771.
#[test]
fn texts_are_put_together_over_all_samples() {
    let scorer = scorer(text_task(vec![metric("bleu", "bleu")], take_first()));
    let verdict = text_verdict(&scorer, json!("the cat sat on a mat"), "the cat sat on the mat");
    let value = scorer.corpus("bleu", &[verdict.statistics["bleu"].clone()]).unwrap();
    assert!((value - 53.728_496_591_177_1).abs() < 1e-9, "{value}");
}

#[test]
fn a_target_that_is_no_text_is_compared_as_one() {
    let scorer = scorer(text_task(vec![metric("exact_match", "mean")], take_first()));
    assert_eq!(text_verdict(&scorer, json!(18), "18").metrics["exact_match"], 1.0);
    assert_eq!(text_verdict(&scorer, json!(1.0), "1.0").metrics["exact_match"], 1.0);
    assert_eq!(text_verdict(&scorer, json!(true), "True").metrics["exact_match"], 1.0);
}

#[test]
fn what_the_suite_says_of_answers_holds_for_every_task() {
    let mut task = text_task(vec![metric("exact_match", "mean")], take_first());
    task["sampling"] = json!({ "max_new_tokens": 64, "stop": ["Q:"] });
    let options = json!({ "tasks": { "t": task }, "sampling": { "max_new_tokens": 64, "stop": ["Q:"] } });
    let scorer = LmEvalScorer::open(serde_json::from_value(options).unwrap(), FakeHost::new().host()).unwrap();
    let asked = |max_new_tokens: u32, stop: &str| {
        let sampling = Sampling { max_new_tokens, stop: vec![stop.into()], seed: 7, ..Sampling::default() };
        match scorer.requests(&[Question { sampling, ..Question::default() }]).unwrap().remove(0).remove(0) {
            Ask::Generate { sampling, .. } => (sampling.max_new_tokens, sampling.stop.join(""), sampling.seed),
            Ask::Score { .. } => panic!(),
        }
    };
    assert_eq!(asked(64, "Q:"), (64, "Q:".to_owned(), 7));
    assert_eq!(asked(9, "Q:"), (9, "Q:".to_owned(), 7));
    assert_eq!(asked(64, "X"), (64, "X".to_owned(), 7));
}

#[test]
fn a_task_judges_by_a_function_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("utils.py");
    std::fs::write(
        &file,
        "def judge(doc, results):\n    return {'score': len(results[0]) / 4, 'seen': doc['q']}\n\ndef most(items):\n    return max(items)\n",
    )
    .unwrap();
    let function = |name: &str| json!({ "file": file, "name": name });
    let score = json!({ "name": "score", "aggregation": { "function": function("most") }, "higher_is_better": true });
    let mut task = text_task(vec![score], take_first());
    task["process_results"] = function("judge");
    let scorer = scorer(task);
    let sample =
        Sample { id: "t/0".into(), document: json!({ "doc": { "q": "Q" }, "target": "" }), ..Sample::default() };
    let statistics: Vec<Vec<f64>> = ["a", "abc"]
        .iter()
        .map(|text| {
            let question = Question { sample: sample.clone(), ..Question::default() };
            let answer = GenerateResult { text: (*text).into(), ..GenerateResult::default() };
            let verdict = judged(&scorer, question, vec![Answer::Generate(answer)]);
            assert_eq!(verdict.details["seen"], json!("Q"));
            verdict.statistics["score"].clone()
        })
        .collect();
    assert_eq!(scorer.corpus("score", &statistics).unwrap(), 0.75);
    assert!(scorer.info().unwrap().metrics[0].partial);
}

#[test]
fn the_scorer_is_for_its_dataset_alone() {
    let refused = LmEvalScorer::open(ScorerOptions::default(), FakeHost::new().host()).err().unwrap();
    assert!(refused.to_string().contains("leave `scorer` out"), "{refused}");
}
