//! Adds up records, and makes rows of `summary.csv` of them.

use super::record::{Record, ScorerVerdict};
use super::summary::{Status, SummaryRow, WHOLE, one_line};
use crate::statistics::{clustered_bootstrap, clustered_mean, key_of, range_with_missing};
use examiner_api::{Aggregation, MetricInfo, Outcome, Result, ScorerInfo};
use std::collections::BTreeMap;

/// Value of a corpus metric: (scorer, metric, statistics of the samples).
pub type Corpus<'a> = &'a dyn Fn(&str, &str, &[Vec<f64>]) -> Result<f64>;

/// How often a corpus metric is resampled.
const RESAMPLES: usize = 1000;
/// So many different messages of errors are told apart.
const MESSAGES: usize = 1000;

/// The numbers of all samples of one model x dataset. Of each sample only numbers are kept, no text; the order in which
/// records are added does not matter, not even to the last digit.
#[derive(Debug, Clone)]
pub struct Tally {
    /// What all rows have in common.
    row: SummaryRow,
    seed: u64,
    scorers: Vec<(String, ScorerInfo)>,
    entries: BTreeMap<u64, Entry>,
    subsets: Names,
    messages: Names,
}

#[derive(Debug, Clone)]
struct Entry {
    subset: Option<usize>,
    cluster: u64,
    tokens_in: u64,
    tokens_out: u64,
    /// One for each scorer.
    judged: Vec<Judged>,
}

#[derive(Debug, Clone)]
struct Judged {
    fate: Fate,
    /// One for each metric, not a number where there is none.
    values: Vec<f64>,
    /// One for each metric, empty where there are none.
    statistics: Vec<Vec<f64>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Scored,
    Unanswered,
    /// The place of its message.
    Error(usize),
}

/// Texts that are kept once, and known by their places.
#[derive(Debug, Clone, Default)]
struct Names {
    list: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Names {
    fn place(&mut self, name: String) -> usize {
        *self.places.entry(name).or_insert_with_key(|name| {
            self.list.push(name.clone());
            self.list.len() - 1
        })
    }
}

impl Tally {
    /// An empty tally. `scorers` are the scorers' labels with what they report.
    pub fn new(
        suite: &str,
        run: &str,
        model: &str,
        dataset: &str,
        scorers: Vec<(String, ScorerInfo)>,
        seed: u64,
        version: String,
    ) -> Self {
        let row = SummaryRow {
            suite: suite.to_owned(),
            run: run.to_owned(),
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            version,
            ..SummaryRow::default()
        };
        let (subsets, messages) = (Names::default(), Names::default());
        Tally { row, seed, scorers, entries: BTreeMap::new(), subsets, messages }
    }

    /// Adds a record, in place of an earlier one with the same index.
    pub fn add(&mut self, record: &Record) {
        let messages = &mut self.messages;
        let judged = self
            .scorers
            .iter()
            .map(|(label, info)| judged(record.verdicts.iter().find(|v| v.scorer == *label), info, messages))
            .collect();
        let entry = Entry {
            subset: record.subset.as_ref().map(|name| self.subsets.place(name.clone())),
            // Repetitions of one sample are no more independent than samples of one cluster.
            cluster: key_of(record.cluster.as_ref().unwrap_or(&record.id)),
            tokens_in: record.tokens_in,
            tokens_out: record.tokens_out,
            judged,
        };
        self.entries.insert(record.index, entry);
    }

    /// One row for each scorer, metric and subset: first the whole, then its parts in the order of the dataset.
    pub fn rows(&self, seconds: f64, corpus: Corpus<'_>) -> Vec<SummaryRow> {
        let mut groups: Vec<(Option<usize>, Vec<&Entry>)> = vec![(None, self.entries.values().collect())];
        for entry in self.entries.values() {
            if let Some(subset) = entry.subset {
                match groups.iter_mut().find(|(name, _)| *name == Some(subset)) {
                    Some((_, group)) => group.push(entry),
                    None => groups.push((Some(subset), vec![entry])),
                }
            }
        }
        let mut rows = Vec::new();
        for (place, (label, info)) in self.scorers.iter().enumerate() {
            for (subset, group) in &groups {
                for (at, metric) in info.metrics.iter().enumerate() {
                    let mut row = SummaryRow {
                        subset: subset.map_or(WHOLE.to_owned(), |subset| self.subsets.list[subset].clone()),
                        scorer: label.clone(),
                        metric: metric.name.clone(),
                        seconds: subset.is_none().then_some(seconds),
                        ..self.row.clone()
                    };
                    self.count(&mut row, place, group);
                    match metric.aggregation {
                        Aggregation::Mean => mean_of(&mut row, metric, place, at, group),
                        Aggregation::Corpus => self.corpus_of(&mut row, place, at, group, corpus),
                    }
                    rows.push(row);
                }
            }
        }
        rows
    }

    /// Fills in the counts, and what they say of the row's status.
    fn count(&self, row: &mut SummaryRow, scorer: usize, group: &[&Entry]) {
        row.n = group.len() as u64;
        row.tokens_in = group.iter().map(|entry| entry.tokens_in).sum();
        row.tokens_out = group.iter().map(|entry| entry.tokens_out).sum();
        let mut errors: Vec<(usize, u64)> = Vec::new();
        for entry in group {
            match entry.judged[scorer].fate {
                Fate::Scored => row.n_scored += 1,
                Fate::Unanswered => row.n_unanswered += 1,
                Fate::Error(message) => {
                    row.n_error += 1;
                    match errors.iter_mut().find(|(known, _)| *known == message) {
                        Some((_, count)) => *count += 1,
                        None => errors.push((message, 1)),
                    }
                }
            }
        }
        if row.n == 0 {
            row.message = "there were no samples".to_owned();
        }
        if row.n_error > 0 {
            row.status = if row.n_error == row.n { Status::Failed } else { Status::Partial };
            // A stable sort: of equally frequent messages the one that came first stands first.
            errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let told =
                errors.iter().take(3).map(|(message, count)| format!("{count} x {}", self.messages.list[*message]));
            let told: Vec<String> = told.collect();
            let more =
                if errors.len() > 3 { format!("; and {} other reasons", errors.len() - 3) } else { String::new() };
            row.message = format!("{} of {} samples are errors: {}{more}", row.n_error, row.n, told.join("; "));
        }
    }

    fn corpus_of(&self, row: &mut SummaryRow, scorer: usize, metric: usize, group: &[&Entry], corpus: Corpus<'_>) {
        let counted: Vec<&&Entry> =
            group.iter().filter(|entry| !entry.judged[scorer].statistics[metric].is_empty()).collect();
        if counted.is_empty() {
            return;
        }
        let of = |entry: &Entry| entry.judged[scorer].statistics[metric].clone();
        let value = |places: &[usize]| {
            let drawn: Vec<Vec<f64>> = places.iter().map(|place| of(counted[*place])).collect();
            corpus(&row.scorer, &row.metric, &drawn)
        };
        let all: Vec<usize> = (0..counted.len()).collect();
        let clusters: Vec<u64> = counted.iter().map(|entry| entry.cluster).collect();
        let found = value(&all).and_then(|all| Ok((all, clustered_bootstrap(&clusters, RESAMPLES, self.seed, value)?)));
        match found {
            Ok((value, bootstrap)) => {
                row.value = Some(value);
                row.stderr = bootstrap.map(|bootstrap| bootstrap.stderr);
                (row.ci_low, row.ci_high) = bootstrap.map(|bootstrap| bootstrap.interval).unzip();
                // What missing samples could make of a metric that is no mean is not known.
                (row.value_low, row.value_high) = (row.n_error == 0).then_some((value, value)).unzip();
            }
            Err(error) => row.fail(&format!("the scorer cannot tell the metric: {error}")),
        }
    }
}

fn judged(verdict: Option<&ScorerVerdict>, info: &ScorerInfo, messages: &mut Names) -> Judged {
    let mut error = |message: &str| {
        let message = if messages.list.len() < MESSAGES { one_line(message) } else { "other reasons".to_owned() };
        let fate = Fate::Error(messages.place(message));
        Judged { fate, values: vec![f64::NAN; info.metrics.len()], statistics: vec![Vec::new(); info.metrics.len()] }
    };
    let Some(ScorerVerdict { verdict, .. }) = verdict else { return error("there is no verdict") };
    let fate = match &verdict.outcome {
        Outcome::Scored => Fate::Scored,
        Outcome::Unanswered => Fate::Unanswered,
        Outcome::Error(reason) => return error(&reason.to_string()),
    };
    let mut values = Vec::with_capacity(info.metrics.len());
    for metric in &info.metrics {
        // What is not answered is wrong: 0, unless the scorer says otherwise.
        let missing = if fate == Fate::Unanswered { 0.0 } else { f64::NAN };
        let value = verdict.metrics.get(&metric.name).copied().unwrap_or(missing);
        if metric.aggregation == Aggregation::Mean && !value.is_finite() {
            return error(&format!("the verdict has no number for the metric `{}`", metric.name));
        }
        values.push(value);
    }
    let statistics = info.metrics.iter().map(|m| verdict.statistics.get(&m.name).cloned().unwrap_or_default());
    Judged { fate, values, statistics: statistics.collect() }
}

fn mean_of(row: &mut SummaryRow, metric: &MetricInfo, scorer: usize, at: usize, group: &[&Entry]) {
    let counted = group.iter().filter(|entry| !matches!(entry.judged[scorer].fate, Fate::Error(_)));
    let (values, clusters): (Vec<f64>, Vec<u64>) =
        counted.map(|entry| (entry.judged[scorer].values[at], entry.cluster)).unzip();
    if let Some(estimate) = clustered_mean(&values, &clusters) {
        row.value = Some(estimate.value);
        row.stderr = estimate.stderr;
        (row.ci_low, row.ci_high) = estimate.interval.unzip();
    }
    let range = range_with_missing(values.iter().sum(), values.len() as u64, row.n_error, metric.bounds);
    (row.value_low, row.value_high) = range.unzip();
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
