use super::*;
use examiner_api::{Answer, GenerateResult, Gold, ScoreResult, Verdict};
use examiner_store::record::ScorerVerdict;
use serde_json::{Value, json};

fn record(document: u64, context: &str, choices: &[&str], answers: Vec<Answer>, metric: (&str, f64)) -> Record {
    let mut verdict = Verdict::default();
    verdict.metrics.insert(metric.0.to_owned(), metric.1);
    Record {
        index: document,
        id: format!("task/{document}"),
        repeat: 0,
        key: String::new(),
        subset: Some("task".to_owned()),
        cluster: None,
        context: context.to_owned(),
        rendered: Vec::new(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        gold: Gold::None,
        answers,
        failed: Default::default(),
        verdicts: vec![ScorerVerdict { scorer: "lm-eval".to_owned(), verdict }],
        tokens_in: 0,
        tokens_out: 0,
        reasoning_tokens: 0,
    }
}

fn score(sum: f64) -> Answer {
    Answer::Score(ScoreResult { sum, scored_tokens: 1, total_tokens: 5, ..ScoreResult::default() })
}

fn text(text: &str) -> Answer {
    Answer::Generate(GenerateResult { text: text.to_owned(), ..GenerateResult::default() })
}

/// A line of two choices ` a` and ` b`.
fn choice_line(document: u64, context: &str, scores: [f64; 2], acc: f64) -> Value {
    let pair = |score: f64| json!([[score.to_string(), "False"]]);
    json!({
        "doc_id": document, "filter": "none", "metrics": ["acc"], "acc": acc,
        "arguments": { "gen_args_0": { "arg_0": context, "arg_1": " a" }, "gen_args_1": { "arg_0": context, "arg_1": " b" } },
        "resps": [pair(scores[0]), pair(scores[1])]
    })
}

/// The run of these records beside the log of these lines.
fn explained(records: &[Record], lines: &[Value]) -> Explanation {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    std::fs::create_dir_all(run.join("samples/tiny")).unwrap();
    let write = |path: &Path, lines: Vec<String>| std::fs::write(path, lines.join("\n") + "\n").unwrap();
    let records = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    write(&run.join("samples/tiny/group.jsonl"), records);
    let log = directory.path().join("samples_task_2026-01-31T10-00-00.5.jsonl");
    write(&log, lines.iter().map(Value::to_string).collect());
    against(&run, &log, &Request { model: None, dataset: None, tolerance: 1e-3 }).unwrap()
}

#[test]
fn equal_samples_are_counted() {
    let records =
        [0, 1].map(|document| record(document, "Q", &["a", "b"], vec![score(-1.0), score(-2.0)], ("acc", 1.0)));
    let lines = [0, 1].map(|document| choice_line(document, "Q", [-1.0005, -2.0], 1.0));
    let explanation = explained(&records, &lines);
    assert!(explanation.is_equal());
    let expected = "`task` by `tiny` on `group`: 2 of 2 prompts equal, 0 of 4 log-likelihoods differ by more than 0.001 nats, the largest \
                    difference is 5.0e-4, 0 judgements";
    assert_eq!(explanation.summary(), expected);
}

#[test]
fn each_sample_is_named_with_where_it_first_differs() {
    let answers = || vec![score(-1.0), score(-2.0)];
    let records = [
        record(0, "Q ", &["a", "b"], answers(), ("acc", 0.0)),
        record(1, "Q", &["a", "c"], answers(), ("acc", 1.0)),
        record(2, "Q", &["a", "b"], answers(), ("acc", 0.0)),
        record(3, "Q", &["a", "b"], answers(), ("acc", 0.0)),
        record(9, "Q", &["a", "b"], answers(), ("acc", 0.0)),
    ];
    let lines = [
        choice_line(0, "Q", [-1.0, -2.0], 1.0),
        choice_line(1, "Q", [-1.0, -2.0], 1.0),
        choice_line(2, "Q", [-1.0, -2.5], 1.0),
        choice_line(3, "Q", [-1.0, -2.0], 1.0),
        choice_line(4, "Q", [-1.0, -2.0], 1.0),
    ];
    let explanation = explained(&records, &lines);
    let found: Vec<String> = explanation.differing.iter().map(|differing| differing.divergence.to_string()).collect();
    let expected = [
        "the prompt:\n    - Q\u{b7} (without a line feed)\n    + Q (without a line feed)",
        "what is scored, number 2: ours `c`, theirs ` b`",
        "the log-likelihood of request 2: ours -2.00000, theirs -2.50000, 5.0e-1 nats apart; 1 tokens of 5 scored, 0 cut off on the left",
        "the judgement `acc`: ours 0, theirs 1",
    ];
    assert_eq!(found, expected);
    let summary = explanation.summary();
    assert!(
        summary.contains("3 of 4 prompts equal, 1 of 8 log-likelihoods") && summary.contains("3 judgements"),
        "{summary}"
    );
    assert!(summary.ends_with("1 documents of the log are not in the run, 1 of the run not in the log"), "{summary}");
}

#[test]
fn answers_are_compared_once_and_extractions_for_each_filter() {
    let line = |filter: &str, found: &str, exact: f64| {
        json!({
            "doc_id": 0, "filter": filter, "metrics": ["exact_match"], "exact_match": exact,
            "arguments": { "gen_args_0": { "arg_0": "Q", "arg_1": { "until": ["\n"] } } },
            "resps": [["it is 5"]], "filtered_resps": [found]
        })
    };
    let of = |answer: &str, extracted: &str| {
        let mut record = record(0, "Q", &[], vec![text(answer)], ("exact_match,flexible", 1.0));
        let verdict = &mut record.verdicts[0].verdict;
        verdict.metrics.insert("exact_match,strict".to_owned(), 0.0);
        verdict.details.insert("filtered,strict".to_owned(), json!("[invalid]"));
        verdict.details.insert("filtered,flexible".to_owned(), json!(extracted));
        explained(&[record], &[line("strict", "[invalid]", 0.0), line("flexible", "5", 1.0)])
    };
    assert!(of("it is 5", "5").is_equal());
    let other = of("it is 6", "5");
    assert_eq!(other.differing.len(), 1, "the answer does not depend on the filter");
    assert!(matches!(other.differing[0].divergence, Divergence::Answer(_)));
    let other = of("it is 5", "6");
    assert_eq!(other.differing[0].divergence.to_string(), "what was extracted: ours `6`, theirs `5`");
    assert_eq!(other.differing[0].filter, "flexible");
}

#[test]
fn requests_that_are_the_same_share_an_answer() {
    let line = json!({
        "doc_id": 0, "filter": "none", "metrics": [], "resps": [[["-1", "False"]], [["-1", "False"]], [["-3", "False"]]],
        "arguments": [["Q", " a"], ["Q", " a"], ["Q", " b"]]
    });
    let record = record(0, "Q", &["a", "a", "b"], vec![score(-1.0), score(-3.0)], ("acc", 1.0));
    assert!(explained(&[record], &[line]).is_equal());
}

#[test]
fn a_whole_text_is_compared_as_a_prompt() {
    let line = json!({
        "doc_id": 0, "filter": "none", "metrics": ["word_perplexity"], "word_perplexity": [-7.0, 3], "resps": [["-7.0"]],
        "arguments": { "gen_args_0": { "arg_0": "a whole text" } }
    });
    let of =
        |text: &str| explained(&[record(0, "", &[text], vec![score(-7.0)], ("acc", 1.0))], std::slice::from_ref(&line));
    assert!(of("a whole text").is_equal());
    assert!(matches!(of("another").differing[0].divergence, Divergence::Prompt(_)));
}

#[test]
fn a_run_without_the_task_says_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("samples_other.jsonl");
    std::fs::write(&log, choice_line(0, "Q", [-1.0, -2.0], 1.0).to_string()).unwrap();
    for dataset in ["a", "b"] {
        let path = directory.path().join("samples/tiny").join(format!("{dataset}.jsonl"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let line = serde_json::to_string(&record(0, "Q", &["a", "b"], vec![], ("acc", 1.0))).unwrap();
        std::fs::write(path, line + "\n").unwrap();
    }
    let request = |dataset: Option<&str>| Request { model: None, dataset: dataset.map(str::to_owned), tolerance: 1e-3 };
    let error = against(directory.path(), &log, &request(None)).unwrap_err().to_string();
    assert!(error.contains("no samples of `other`") && error.contains("`tiny` on `b`"), "{error}");
    assert!(against(directory.path(), &log, &request(Some("b"))).is_ok());
}
