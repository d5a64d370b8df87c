use super::*;
use crate::statistics::clustered_mean;
use examiner_api::ScorerInfo;
use examiner_api::random::key_of;
use examiner_api::{Answer, ErrorCode, Gold, Outcome, PluginError, ScoreResult, Verdict};
use examiner_store::record::ScorerVerdict;
use examiner_store::sorted_rows::BUFFERED;

fn metric(name: &str, aggregation: Aggregation) -> MetricInfo {
    let bounds = (aggregation == Aggregation::Mean).then_some((0.0, 1.0));
    MetricInfo { name: name.to_owned(), aggregation, higher_is_better: true, bounds, partial: false }
}

fn examination(metrics: Vec<MetricInfo>) -> Examination {
    let info = ScorerInfo { metrics, ..ScorerInfo::default() };
    Examination {
        suite: "s".to_owned(),
        run: "s-1".to_owned(),
        model: "m".to_owned(),
        dataset: "d".to_owned(),
        scorers: vec![("judge".to_owned(), info)],
        seed: 7,
        version: "v1".to_owned(),
        macro_average: false,
        groups: Vec::new(),
    }
}

fn totals(metrics: Vec<MetricInfo>) -> Totals {
    Totals::new(examination(metrics))
}

fn totals_with_macro(metrics: Vec<MetricInfo>) -> Totals {
    Totals::new(Examination { macro_average: true, ..examination(metrics) })
}

fn record(index: u64, subset: &str, outcome: Outcome, value: f64) -> Record {
    let mut verdict = Verdict { outcome, ..Verdict::default() };
    verdict.metrics.insert("accuracy".to_owned(), value);
    verdict.statistics.insert("ratio".to_owned(), vec![value, 2.0]);
    Record {
        rendered: Vec::new(),
        index,
        id: format!("q{index}"),
        repeat: 0,
        key: String::new(),
        subset: (!subset.is_empty()).then(|| subset.to_owned()),
        cluster: None,
        context: String::new(),
        choices: Vec::new(),
        gold: Gold::None,
        answers: Vec::new(),
        failed: Default::default(),
        verdicts: vec![ScorerVerdict { scorer: "judge".to_owned(), verdict }],
        tokens_in: 10,
        tokens_out: 1,
        reasoning_tokens: 0,
    }
}

fn timeout() -> Outcome {
    Outcome::Error(PluginError::new(ErrorCode::Timeout, "no answer\nin 60 s"))
}

fn rows(totals: &Totals) -> Vec<SummaryRow> {
    let ratio = |_: &str, _: &str, statistics: &[Vec<f64>]| {
        let sum = |at: usize| statistics.iter().map(|of| of[at]).sum::<f64>();
        Ok(sum(0) / sum(1))
    };
    totals.rows(1.5, &ratio).unwrap()
}

#[test]
fn counts_and_values_by_hand() {
    let mut totals = totals(vec![metric("accuracy", Aggregation::Mean)]);
    for (index, subset, outcome, value) in [
        (0, "b", Outcome::Scored, 1.0),
        (1, "a", Outcome::Scored, 0.0),
        (2, "b", Outcome::Unanswered, 0.0),
        (3, "b", Outcome::Scored, 1.0),
        (4, "a", timeout(), 0.0),
    ] {
        totals.add(&record(index, subset, outcome, value)).unwrap();
    }
    let rows = rows(&totals);
    let subsets: Vec<&str> = rows.iter().map(|row| row.subset.as_str()).collect();
    assert_eq!(subsets, ["all", "b", "a"]);
    let whole = &rows[0];
    assert_eq!((whole.n, whole.n_scored, whole.n_unanswered, whole.n_error), (5, 3, 1, 1));
    // Two of four are right; the missing one could make it two or three of five.
    assert_eq!((whole.value, whole.value_low, whole.value_high), (Some(0.5), Some(0.4), Some(0.6)));
    // Deviations of 1/2 each: sqrt(4 * 1/4 / 3 / 4).
    assert!((whole.stderr.unwrap() - (1.0_f64 / 12.0).sqrt()).abs() < 1e-12);
    assert_eq!((whole.status, whole.tokens_in, whole.tokens_out), (RowStatus::Partial, 50, 5));
    insta::assert_snapshot!(whole.message, @r#"1 of 5 samples are errors: 1 x no answer in 60 s"#);
    assert_eq!((rows[1].status, rows[1].value, rows[1].seconds), (RowStatus::Ok, Some(2.0 / 3.0), None));
    assert_eq!((rows[1].message.as_str(), rows[0].seconds), ("", Some(1.5)));
    assert_eq!((rows[2].value, rows[2].value_low, rows[2].value_high), (Some(0.0), Some(0.0), Some(0.5)));
}

#[test]
fn samples_that_do_not_fit_are_counted_in_every_part() {
    let mut totals = totals_with_macro(vec![metric("accuracy", Aggregation::Mean)]);
    for (index, subset, truncated_tokens) in [(0, "a", 0), (1, "a", 3), (2, "b", 1), (3, "b", 2)] {
        let score = |truncated_tokens| Answer::Score(ScoreResult { truncated_tokens, ..ScoreResult::default() });
        let answers = vec![score(0), score(truncated_tokens)];
        totals.add(&Record { answers, ..record(index, subset, Outcome::Scored, 1.0) }).unwrap();
    }
    let found: Vec<(String, u64)> = rows(&totals).into_iter().map(|row| (row.subset, row.n_truncated)).collect();
    let expected = [("all", 3), ("macro", 3), ("a", 1), ("b", 2)];
    assert_eq!(found, expected.map(|(subset, n)| (subset.to_owned(), n)));
}

#[test]
fn a_partial_metric_counts_the_samples_that_have_it() {
    let partial = |name: &str, aggregation| MetricInfo { partial: true, ..metric(name, aggregation) };
    let mut totals = totals(vec![partial("accuracy", Aggregation::Mean), partial("ratio", Aggregation::Corpus)]);
    for (index, subset, is_counted) in [(0, "a", true), (1, "a", true), (2, "b", false), (3, "b", false)] {
        let mut record = record(index, subset, Outcome::Scored, 1.0);
        let verdict = &mut record.verdicts[0].verdict;
        if is_counted {
            verdict.statistics.clear()
        } else {
            verdict.metrics.clear()
        }
        totals.add(&record).unwrap();
    }
    // Errors count where their subset has the metric, or where nothing is known of their subset.
    totals.add(&record(4, "a", timeout(), 0.0)).unwrap();
    totals.add(&record(5, "c", timeout(), 0.0)).unwrap();
    let found: Vec<(String, String, u64, u64)> =
        rows(&totals).into_iter().map(|row| (row.subset, row.metric, row.n, row.n_error)).collect();
    let expected = [
        ("all", "accuracy", 4, 2),
        ("all", "ratio", 3, 1),
        ("a", "accuracy", 3, 1),
        ("b", "ratio", 2, 0),
        ("c", "accuracy", 1, 1),
        ("c", "ratio", 1, 1),
    ];
    assert_eq!(found, expected.map(|(subset, metric, n, errors)| (subset.to_owned(), metric.to_owned(), n, errors)));
}

#[test]
fn every_part_counts_the_same_in_the_mean_over_parts() {
    let metrics = vec![metric("ratio", Aggregation::Corpus), metric("accuracy", Aggregation::Mean)];
    let mut totals = totals_with_macro(metrics);
    // Three quarters of eight, none of two: 6 of 10 samples, but 0.375 over the parts.
    for index in 0..10 {
        let subset = if index < 8 { "large" } else { "small" };
        totals.add(&record(index, subset, Outcome::Scored, f64::from(u8::from(index < 6)))).unwrap();
    }
    let rows = rows(&totals);
    let found: Vec<(&str, &str)> = rows.iter().map(|row| (&*row.subset, &*row.metric)).collect();
    let parts = ["large", "small"].into_iter().flat_map(|part| [(part, "ratio"), (part, "accuracy")]);
    let expected = [("all", "ratio"), ("all", "accuracy"), ("macro", "accuracy")].into_iter().chain(parts);
    assert_eq!(found, expected.collect::<Vec<_>>());
    let (whole, mean) = (&rows[1], &rows[2]);
    assert_eq!((whole.value, mean.value, mean.n), (Some(0.6), Some(0.375), 10));
    // Half the standard error of three quarters of eight, sqrt(3/16 * 8/7 / 8); that of none of two is 0.
    assert!((mean.stderr.unwrap() - (3.0_f64 / 16.0 / 7.0).sqrt() / 2.0).abs() < 1e-12);
    assert!(mean.ci_low.unwrap() > 0.0 && mean.ci_high.unwrap() > 0.375 + 0.2, "none of two may be some of many");
}

#[test]
fn a_subset_cannot_have_the_name_of_the_whole_or_the_mean() {
    let mut totals = totals_with_macro(vec![metric("accuracy", Aggregation::Mean)]);
    for (index, subset, value) in [(0, "macro", 1.0), (1, "macro", 1.0), (2, "all", 0.0), (3, "all (subset)", 1.0)] {
        totals.add(&record(index, subset, Outcome::Scored, value)).unwrap();
    }
    let rows = rows(&totals);
    let found: Vec<(&str, Option<f64>)> = rows.iter().map(|row| (&*row.subset, row.value)).collect();
    let whole = [("all", Some(0.75)), ("macro", Some(2.0 / 3.0))];
    let parts = [("macro (subset)", Some(1.0)), ("all (subset)", Some(0.0)), ("all (subset) (subset)", Some(1.0))];
    assert_eq!(found, [&whole[..], &parts[..]].concat());
}

#[test]
fn without_parts_there_is_no_mean_over_them() {
    let mut totals = totals_with_macro(vec![metric("accuracy", Aggregation::Mean)]);
    totals.add(&record(0, "", Outcome::Scored, 1.0)).unwrap();
    assert_eq!(rows(&totals).len(), 1);
}

#[test]
fn the_order_of_adding_does_not_matter() {
    let records: Vec<Record> = (0..40)
        .map(|index| {
            let outcome = if index % 9 == 0 { timeout() } else { Outcome::Scored };
            record(index, ["a", "b", ""][index as usize % 3], outcome, 1.0 / (index as f64 + 1.0))
        })
        .collect();
    let metrics = || vec![metric("accuracy", Aggregation::Mean), metric("ratio", Aggregation::Corpus)];
    let (mut forward, mut backward) = (totals(metrics()), totals(metrics()));
    records.iter().for_each(|record| forward.add(record).unwrap());
    records.iter().rev().for_each(|record| backward.add(record).unwrap());
    assert_eq!(rows(&forward), rows(&backward));
    // The record that is added last counts, and once.
    let mut again = totals(metrics());
    again.add(&record(0, "a", Outcome::Scored, 1.0)).unwrap();
    records.iter().for_each(|record| again.add(record).unwrap());
    assert_eq!(rows(&again), rows(&forward));
}

#[test]
fn corpus_metrics_are_resampled() {
    let mut totals = totals(vec![metric("ratio", Aggregation::Corpus)]);
    (0..100).for_each(|index| totals.add(&record(index, "", Outcome::Scored, (index % 2) as f64)).unwrap());
    let row = &rows(&totals)[0];
    assert_eq!((row.value, row.value_low), (Some(0.25), Some(0.25)));
    // The ratio is half of a mean with the standard error 0.05.
    assert!((row.stderr.unwrap() - 0.025).abs() < 0.003, "{row:?}");
    assert!(row.ci_low.unwrap() < 0.21 && row.ci_high.unwrap() > 0.29, "{row:?}");
    totals.add(&record(100, "", timeout(), 0.0)).unwrap();
    let row = &rows(&totals)[0];
    assert_eq!((row.value, row.value_low, row.status), (Some(0.25), None, RowStatus::Partial));
    let row = &totals.rows(0.0, &|_, _, _| Err(PluginError::unsupported("no such metric"))).unwrap()[0];
    assert_eq!((row.status, row.value), (RowStatus::Failed, None));
}

#[test]
fn repetitions_and_clusters_widen_the_standard_error() {
    let of = |label: &dyn Fn(u64) -> String, cluster: bool| {
        let mut totals = totals(vec![metric("accuracy", Aggregation::Mean)]);
        for index in 0..20 {
            let mut record = record(index, "", Outcome::Scored, ((index / 2) % 2) as f64);
            if cluster {
                record.cluster = Some(label(index))
            } else {
                record.id = label(index)
            }
            totals.add(&record).unwrap();
        }
        rows(&totals)[0].stderr.unwrap()
    };
    let alone = of(&|index| index.to_string(), false);
    let pairs = of(&|index| (index / 2).to_string(), false);
    assert_eq!(of(&|index| (index / 2).to_string(), true), pairs);
    // Ten independent values instead of twenty: sqrt(1/4 / 9) against sqrt(1/4 / 19).
    assert!((pairs - (0.25_f64 / 9.0).sqrt()).abs() < 1e-12 && (alone - (0.25_f64 / 19.0).sqrt()).abs() < 1e-12);
}

/// More samples than are in memory, in no order, some of them twice.
#[test]
fn many_samples_have_the_mean_of_values_in_memory() {
    let count = 2 * BUFFERED as u64 + 11;
    let of = |index: u64| {
        let value = 1.0 / (index % 977 + 1) as f64;
        let mut record = record(index, ["a", "b"][(index / 3 % 2) as usize], Outcome::Scored, value);
        record.cluster = Some(format!("cluster {}", index / 3));
        (record, value)
    };
    let mut totals = totals(vec![metric("accuracy", Aggregation::Mean)]);
    for place in 0..count {
        let index = place * 7919 % count;
        if place % 5 == 0 {
            totals.add(&record(index, "c", Outcome::Unanswered, 0.0)).unwrap();
        }
        totals.add(&of(index).0).unwrap();
    }
    let found = rows(&totals);
    assert_eq!(found.iter().map(|row| &*row.subset).collect::<Vec<_>>(), ["all", "a", "b"]);
    for (row, subset) in found.iter().zip([None, Some("a"), Some("b")]) {
        let samples = (0..count).map(of).filter(|(record, _)| subset.is_none() || record.subset.as_deref() == subset);
        let (values, clusters): (Vec<f64>, Vec<u64>) =
            samples.map(|(record, value)| (value, key_of(&record.cluster.unwrap()))).unzip();
        let expected = clustered_mean(&values, &clusters).unwrap();
        assert_eq!((row.n, row.value, row.stderr), (values.len() as u64, Some(expected.value), expected.stderr));
        assert_eq!(row.ci_low.zip(row.ci_high), expected.interval);
    }
}

#[test]
fn only_errors_are_a_failure_and_no_samples_have_a_message() {
    let mut all_errors = totals(vec![metric("accuracy", Aggregation::Mean)]);
    assert_eq!(rows(&all_errors)[0].message, "there were no samples");
    all_errors.add(&record(0, "", timeout(), 0.0)).unwrap();
    let row = &rows(&all_errors)[0];
    assert_eq!((row.status, row.value, row.value_low, row.value_high), (RowStatus::Failed, None, Some(0.0), Some(1.0)));
}

#[test]
fn a_verdict_without_a_number_is_an_error() {
    for fault in ["missing", "nan", "none"] {
        let mut totals = totals(vec![metric("accuracy", Aggregation::Mean)]);
        let mut record = record(0, "", Outcome::Scored, f64::NAN);
        match fault {
            "missing" => record.verdicts[0].verdict.metrics.clear(),
            "none" => record.verdicts.clear(),
            _ => {}
        }
        totals.add(&record).unwrap();
        assert_eq!((rows(&totals)[0].n_error, rows(&totals)[0].n_scored), (1, 0), "{fault}");
    }
}

/// Mean and range of the whole, of the mean over the parts `a` and `b`, and of each of them: `a` has 1 and an error, `b` has
/// `b_values`.
fn ranges(bounds: Option<(f64, f64)>, b_values: &[Option<f64>]) -> Vec<[Option<f64>; 3]> {
    let metric = MetricInfo { bounds, ..metric("accuracy", Aggregation::Mean) };
    let mut totals = totals_with_macro(vec![metric]);
    let of_a = [("a", Some(1.0)), ("a", None)];
    let of_b = b_values.iter().map(|value| ("b", *value));
    for (index, (part, value)) in (0..).zip(of_a.into_iter().chain(of_b)) {
        let outcome = if value.is_some() { Outcome::Scored } else { timeout() };
        totals.add(&record(index, part, outcome, value.unwrap_or(0.0))).unwrap();
    }
    rows(&totals).iter().map(|row| [row.value, row.value_low, row.value_high]).collect()
}

#[test]
fn the_range_of_a_mean_is_that_of_its_errors_at_the_bounds() {
    let number = |value: f64| Some(value);
    let expected = [
        [number(2.0 / 3.0), number(0.5), number(0.75)],
        [number(0.75), number(0.5), number(0.75)],
        [number(1.0), number(0.5), number(1.0)],
        [number(0.5), number(0.5), number(0.5)],
    ];
    assert_eq!(ranges(Some((0.0, 1.0)), &[Some(1.0), Some(0.0)]), expected);
    // Bounds need not be those of right and wrong.
    assert_eq!(ranges(Some((-3.0, 5.0)), &[Some(1.0), Some(0.0)])[0], [number(2.0 / 3.0), number(-0.25), number(1.75)]);
    // A part of errors alone has no value, and neither has the mean over the parts; the ranges hold.
    let alone = ranges(Some((0.0, 1.0)), &[None]);
    assert_eq!(alone[0], [number(1.0), number(1.0 / 3.0), number(1.0)]);
    assert_eq!(alone[1], [None, number(0.25), number(1.0)]);
    assert_eq!(alone[3], [None, number(0.0), number(1.0)]);
}

#[test]
fn where_there_are_no_bounds_an_error_leaves_no_range() {
    for bounds in [None, Some((0.0, f64::INFINITY)), Some((1.0, 0.0))] {
        let found = ranges(bounds, &[Some(4.0), Some(2.0)]);
        // The part without errors has its own value as range, and the means that hold the other part have none.
        let expected =
            [[Some(7.0 / 3.0), None, None], [Some(2.0), None, None], [Some(1.0), None, None], [Some(3.0); 3]];
        assert_eq!(found, expected, "{bounds:?}");
    }
}

#[test]
fn a_verdict_without_statistics_is_an_error() {
    let mut totals = totals(vec![metric("ratio", Aggregation::Corpus)]);
    totals.add(&record(0, "", Outcome::Scored, 1.0)).unwrap();
    let mut bare = record(1, "", Outcome::Unanswered, 0.0);
    bare.verdicts[0].verdict.statistics.clear();
    totals.add(&bare).unwrap();
    let row = &rows(&totals)[0];
    assert_eq!((row.n, row.n_error, row.value, row.value_low, row.value_high), (2, 1, Some(0.5), None, None));
    assert!(row.status == RowStatus::Partial && row.message.contains("no number for the metric `ratio`"), "{row:?}");
}
