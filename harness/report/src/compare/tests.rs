use super::*;
use crate::statistics::Method;
use examiner_api::{Gold, Outcome as SampleOutcome, PluginError, Verdict};
use examiner_store::provenance::StageRecord;
use examiner_store::summary::{MACRO, WHOLE};

/// A run in a temporary directory, built from records.
struct Run {
    folder: tempfile::TempDir,
    rows: Vec<SummaryRow>,
}

fn row(model: &str, dataset: &str, metric: &str) -> SummaryRow {
    SummaryRow {
        model: model.to_owned(),
        dataset: dataset.to_owned(),
        subset: WHOLE.to_owned(),
        scorer: "exact".to_owned(),
        metric: metric.to_owned(),
        ..SummaryRow::default()
    }
}

/// A line of a file of samples: a value, or an error.
fn sample(id: usize, value: Option<f64>) -> examiner_store::record::Record {
    let outcome = match value {
        Some(_) => SampleOutcome::Scored,
        None => SampleOutcome::Error(PluginError::bad_input("too hard")),
    };
    let metrics = value.map(|value| ("accuracy".to_owned(), value)).into_iter().collect();
    let verdict = Verdict { outcome, metrics, ..Verdict::default() };
    examiner_store::record::Record {
        rendered: Vec::new(),
        index: id as u64,
        id: id.to_string(),
        repeat: 0,
        key: String::new(),
        subset: Some(if id.is_multiple_of(2) { "even" } else { "odd" }.to_owned()),
        cluster: None,
        context: format!("question {id}"),
        choices: Vec::new(),
        gold: Gold::text(id.to_string()),
        answers: Vec::new(),
        failed: Default::default(),
        verdicts: vec![examiner_store::record::ScorerVerdict { scorer: "exact".to_owned(), verdict }],
        tokens_in: 0,
        tokens_out: 0,
        reasoning_tokens: 0,
    }
}

fn values(values: &[f64]) -> Vec<examiner_store::record::Record> {
    values.iter().enumerate().map(|(id, value)| sample(id, Some(*value))).collect()
}

impl Run {
    fn new() -> Self {
        Run { folder: tempfile::tempdir().unwrap(), rows: Vec::new() }
    }

    fn with(mut self, model: &str, records: &[examiner_store::record::Record]) -> Self {
        self.rows.push(row(model, "sums", "accuracy"));
        let directory = self.folder.path().join("samples").join(model);
        std::fs::create_dir_all(&directory).unwrap();
        let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        std::fs::write(directory.join("sums.jsonl"), lines.join("\n") + "\n").unwrap();
        self
    }

    fn compare(&self, baseline: &str) -> Result<Comparison, CompareError> {
        let request = CompareRequest { baseline: Some(baseline.to_owned()), ..CompareRequest::default() };
        compare(&[(self.folder.path(), &self.rows)], &request)
    }

    fn tests(&self) -> Vec<Test> {
        let lines = self.compare("old").unwrap().lines.into_iter();
        lines
            .map(|line| match line.result {
                ComparisonResult::Tested(test) => test,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn result(&self) -> ComparisonResult {
        self.compare("old").unwrap().lines.remove(0).result
    }
}

/// 20 samples: 8 that only `new` has right, 2 that only `old` has, 6 that both have.
fn old_and_new() -> (Vec<f64>, Vec<f64>) {
    let old = (0..20).map(|i| f64::from(i < 8)).collect();
    let new = (0..20).map(|i| f64::from((2..16).contains(&i))).collect();
    (old, new)
}

#[test]
fn pairs_are_counted_and_tested() {
    let (old, new) = old_and_new();
    let run = Run::new().with("old", &values(&old)).with("new", &values(&new));
    let test = run.tests().remove(0);
    assert_eq!((test.wins, test.losses, test.ties, test.n, test.clusters), (8, 2, 10, 20, 20));
    assert_eq!((test.baseline, test.value), (0.4, 0.7));
    assert_eq!(test.method, Method::McNemarExact);
    assert!((test.p_value - 112.0 / 1024.0).abs() < 1e-12 && (test.difference - 0.3).abs() < 1e-12);
}

#[test]
fn p_values_are_adjusted_over_the_whole_table() {
    let (old, new) = old_and_new();
    let same = values(&old);
    let mut run = Run::new().with("old", &same).with("new", &values(&new)).with("same", &same);
    let tests = run.tests();
    assert_eq!(tests[1].p_value, 1.0);
    assert!((tests[0].p_holm - 2.0 * 112.0 / 1024.0).abs() < 1e-12, "{tests:?}");
    let request = CompareRequest { baseline: Some("old".to_owned()), subsets: true, ..CompareRequest::default() };
    let mut rows = run.rows.clone();
    for subset in [MACRO, "even", "odd"] {
        rows.push(SummaryRow { subset: subset.to_owned(), ..row("old", "sums", "accuracy") });
    }
    let comparison = compare(&[(run.folder.path(), &rows)], &request).unwrap();
    let names: Vec<_> = comparison.lines.iter().map(|line| (line.subset.as_str(), line.model.as_str())).collect();
    let expected = ["all", "macro", "even", "odd"].map(|subset| [(subset, "new"), (subset, "same")]).concat();
    assert_eq!(names, expected);
    // Even if the subsets are not asked for, the mean over them is compared, too.
    run.rows = rows;
    let lines = run.compare("old").unwrap().lines;
    assert_eq!(lines.len(), 4);
    let ComparisonResult::Tested(test) = &lines[2].result else { panic!("{lines:?}") };
    // Of ten even numbers seven are below 16 and not below 2, and as many odd ones.
    assert!((test.value - 0.7).abs() < 1e-12 && (test.difference - 0.3).abs() < 1e-12, "{test:?}");
}

#[test]
fn errors_and_samples_of_one_alone_are_left_out_and_counted() {
    let mut old = values(&[1.0, 1.0, 0.0, 0.0, 1.0]);
    old[0] = sample(0, None);
    let mut new = values(&[1.0, 1.0, 1.0, 1.0]);
    new[3].context = "another preamble, question 3".to_owned();
    new.push(sample(9, Some(1.0)));
    let run = Run::new().with("old", &old).with("new", &new);
    let test = run.tests().remove(0);
    assert_eq!(test.n, 3);
    assert_eq!(test.mismatches, Mismatches { errors: 1, only_baseline: 1, only_model: 1, other_prompt: 1 });
    let text = run.compare("old").unwrap().markdown();
    assert!(text.contains("1 left out: an error in one of the two; 1 left out: only `old` has them"), "{text}");
}

#[test]
fn an_unanswered_sample_is_wrong_as_in_the_summary() {
    let mut silent = sample(0, None);
    silent.verdicts[0].verdict.outcome = SampleOutcome::Unanswered;
    let run = Run::new().with("old", &values(&[1.0])).with("new", &[silent]);
    assert_eq!((run.tests()[0].losses, run.tests()[0].value), (1, 0.0));
}

#[test]
fn repetitions_of_one_question_are_not_independent_samples() {
    let repeated = |values: &[f64]| {
        let records = (0..12).map(|i| {
            let mut record = sample(i / 6, Some(values[i]));
            record.repeat = i as u32 % 6;
            record
        });
        records.collect::<Vec<_>>()
    };
    let run = Run::new().with("old", &repeated(&[0.0; 12])).with("new", &repeated(&[1.0; 12]));
    let test = run.tests().remove(0);
    assert_eq!((test.n, test.clusters, test.method), (12, 2, Method::PermutationExact));
    assert!((test.p_value - 0.5).abs() < 1e-12);
}

#[test]
fn different_questions_are_not_compared() {
    let mut other = values(&[1.0, 1.0]);
    other[1].gold = Gold::text("another answer");
    let run = Run::new().with("old", &values(&[1.0, 0.0])).with("new", &other);
    let ComparisonResult::Refused(reason) = run.result() else { panic!("{:?}", run.result()) };
    assert!(reason.contains("differ on 1 samples, the first `1`"), "{reason}");
    assert_eq!(run.compare("old").unwrap().refusals().len(), 1);
}

#[test]
fn different_scorer_options_are_not_compared() {
    let run = Run::new().with("old", &values(&[1.0])).with("new", &values(&[0.0]));
    let stage = |fingerprint: &str| {
        let inputs = [("scorer exact".to_owned(), fingerprint.to_owned())].into();
        StageRecord { inputs, ..StageRecord::default() }
    };
    let stages = [("evaluate/old/sums".to_owned(), stage("strict")), ("evaluate/new/sums".to_owned(), stage("loose"))];
    Provenance { stages: stages.into(), ..Provenance::default() }.write(run.folder.path()).unwrap();
    assert!(matches!(run.result(), ComparisonResult::Refused(reason) if reason.contains("different options")));
}

#[test]
fn failures_and_models_that_were_not_asked_have_a_line_with_the_reason() {
    let mut run = Run::new().with("old", &values(&[1.0, 0.0])).with("new", &values(&[1.0, 1.0]));
    run.rows.push(SummaryRow::failed("s", "r", "broken", "sums", "the worker died of signal 11"));
    run.rows.push(row("old", "chess", "accuracy"));
    run.rows.push(SummaryRow { metric: "elo".to_owned(), ..row("new", "chess", "") });
    let comparison = run.compare("old").unwrap();
    insta::assert_snapshot!(comparison.markdown(), @r##"
    | dataset | metric   | model  |           n | baseline |  value | difference |      95 % interval |      p | p (Holm) | wins/losses/ties |
    | ------- | -------- | ------ | ----------: | -------: | -----: | ---------: | -----------------: | -----: | -------: | ---------------: |
    | sums    | accuracy | new    |           2 |   0.5000 | 1.0000 |    +0.5000 | -0.5626 to +1.0000 | 1.0000 |   1.0000 |            1/0/1 |
    | sums    | accuracy | broken |  failed [1] |        - |      - |          - |                  - |      - |        - |                - |
    | chess   | accuracy | new    | not run [2] |        - |      - |          - |                  - |      - |        - |                - |
    | chess   | accuracy | broken | not run [3] |        - |      - |          - |                  - |      - |        - |                - |

    Each model against `old` on the same samples; a win is a higher value. p: McNemar's exact test; Holm: adjusted for the number of comparisons in this table, 1.

    [1] `sums`: `broken` failed: the worker died of signal 11
    [2] `chess`: `new` was not judged by `accuracy` of `exact`
    [3] `chess`: `broken` was not asked
    "##);
    let mut csv = Vec::new();
    comparison.csv(&mut csv).unwrap();
    insta::assert_snapshot!(String::from_utf8(csv).unwrap(), @r##"
    dataset,subset,scorer,metric,baseline,model,n,clusters,baseline_value,value,difference,ci_low,ci_high,p_value,p_holm,wins,losses,ties,n_error,n_only_baseline,n_only_model,n_other_prompt,method,status,message
    sums,all,exact,accuracy,old,new,2,2,0.5,1.0,0.5,-0.5625581424161613,1.0,1.0,1.0,1,0,1,0,0,0,0,mcnemar-exact,ok,
    sums,all,exact,accuracy,old,broken,,,,,,,,,,,,,,,,,,failed,`broken` failed: the worker died of signal 11
    chess,all,exact,accuracy,old,new,,,,,,,,,,,,,,,,,,not-run,`new` was not judged by `accuracy` of `exact`
    chess,all,exact,accuracy,old,broken,,,,,,,,,,,,,,,,,,not-run,`broken` was not asked
    "##);
    assert!(comparison.refusals().is_empty());
}

#[test]
fn unknown_names_are_reported_with_the_known_ones() {
    let run = Run::new().with("original", &values(&[1.0])).with("student", &values(&[1.0]));
    let error = run.compare("orignal").unwrap_err().to_string();
    assert_eq!(
        error,
        "the run has no model or dataset `orignal` to compare with; did you mean `original`? there is `original`, `student`, `sums`"
    );
    let alone = Run::new().with("old", &values(&[1.0]));
    assert!(matches!(alone.compare("old"), Err(CompareError::Alone(_))));
    let damaged = run.folder.path().join("samples/student/sums.jsonl");
    std::fs::write(&damaged, "{\"id\": 7\n").unwrap();
    let error = run.compare("original").unwrap_err().to_string();
    assert!(error.contains("student/sums.jsonl") && error.contains("line 1"), "{error}");
}

#[test]
fn two_runs_are_compared_model_by_model() {
    let (old, new) = old_and_new();
    let first = Run::new().with("m", &values(&old)).with("gone", &values(&old));
    let second = Run::new().with("m", &values(&new)).with("other", &values(&new));
    let of = |runs: &[&Run], baseline: Option<&str>| {
        let runs: Vec<_> = runs.iter().map(|run| (run.folder.path(), run.rows.as_slice())).collect();
        compare(&runs, &CompareRequest { baseline: baseline.map(str::to_owned), ..CompareRequest::default() })
    };
    let comparison = of(&[&first, &second], None).unwrap();
    assert_eq!((comparison.of, comparison.lines.len()), (Compared::Runs, 1));
    let line = &comparison.lines[0];
    assert_eq!((&*line.model, &line.other), ("m", &second.folder.path().display().to_string()));
    let ComparisonResult::Tested(test) = &line.result else { panic!("{line:?}") };
    assert!((test.p_value - 112.0 / 1024.0).abs() < 1e-12);
    // The same once more: nothing differs.
    let same = of(&[&first, &first], None).unwrap();
    let tested = |line: &ComparisonLine| matches!(&line.result, ComparisonResult::Tested(test) if test.p_value == 1.0 && test.ties == 20);
    assert!(same.lines.len() == 2 && same.lines.iter().all(tested), "{same:?}");
    let alien = Run::new().with("x", &values(&old));
    assert!(of(&[&first, &alien], None).unwrap_err().to_string().contains("no model and dataset of the same names"));
    assert!(of(&[&first, &second], Some("m")).unwrap_err().to_string().contains("each is compared with the first"));
    assert!(of(&[&first], None).unwrap_err().to_string().contains("--baseline MODEL"));
}

#[test]
fn two_prompts_are_compared_on_the_same_samples() {
    let (old, new) = old_and_new();
    let mut run = Run::new().with("m", &values(&old));
    let other: Vec<_> = values(&new)
        .into_iter()
        .map(|record| examiner_store::record::Record { context: format!("Q: {}", record.context), ..record })
        .collect();
    let lines: Vec<String> = other.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    std::fs::write(run.folder.path().join("samples/m/sums-2.jsonl"), lines.join("\n")).unwrap();
    run.rows.push(row("m", "sums-2", "accuracy"));
    let comparison = run.compare("sums").unwrap();
    assert_eq!((comparison.of, &*comparison.lines[0].metric.dataset), (Compared::Datasets, "sums-2"));
    let ComparisonResult::Tested(test) = &comparison.lines[0].result else { panic!("{comparison:?}") };
    assert_eq!((test.wins, test.losses, test.mismatches.other_prompt), (8, 2, 20));
}
