//! Adds up records, and makes rows of `summary.csv` of them.

use super::macro_average;
use crate::statistics::{clustered_bootstrap, clustered_mean, range_with_missing};
use examiner_api::random::key_of;
use examiner_api::{Aggregation, MetricInfo, Outcome, ScorerInfo};
use examiner_store::aggregate::{Aggregate, Corpus, Examination};
use examiner_store::record::{Record, ScorerVerdict};
use examiner_store::summary::{MACRO, Status, SummaryRow, WHOLE, one_line};
use std::collections::BTreeMap;

/// How often a corpus metric is resampled.
const RESAMPLES: usize = 1000;
/// So many different messages of errors are told apart.
const MESSAGES: usize = 1000;

/// The numbers of all samples of one model x dataset. Of each sample only numbers are kept, no text, in a few flat
/// tables (36 bytes a sample for one metric); the order in which records are added does not matter, not even to the last
/// digit.
#[derive(Debug, Clone)]
pub struct Totals {
    /// What all rows have in common.
    row: SummaryRow,
    seed: u64,
    macro_average: bool,
    scorers: Vec<(String, ScorerInfo)>,
    samples: Vec<Sample>,
    /// Sample by sample, one for each scorer.
    fates: Vec<Fate>,
    /// Sample by sample, one for each metric of each scorer; not a number where there is none.
    values: Vec<f64>,
    /// Laid out like `values`; empty if no scorer has a corpus metric.
    statistics: Vec<Vec<f64>>,
    subsets: Names,
    messages: Names,
}

#[derive(Debug, Clone)]
struct Sample {
    cluster: u64,
    /// Less than so many questions fit into memory, whatever they are.
    index: u32,
    tokens_in: u32,
    tokens_out: u32,
    /// The place of its subset's name, [`NONE`] without one.
    subset: u32,
}

const NONE: u32 = u32::MAX;

/// What became of a sample, for one scorer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Scored,
    Unanswered,
    /// The place of its message, of which there are no more than [`MESSAGES`] and one.
    Error(u16),
}

/// A metric's place: that of its scorer, and that among the metrics of all scorers.
#[derive(Clone, Copy)]
struct Column {
    scorer: usize,
    metric: usize,
}

/// Texts that are kept once, and known by their places.
#[derive(Debug, Clone, Default)]
struct Names {
    list: Vec<String>,
    places: BTreeMap<String, u32>,
}

impl Names {
    fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.list.len() as u32;
        self.list.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }
}

impl Totals {
    /// Totals without records.
    pub fn new(of: Examination) -> Self {
        let row = SummaryRow {
            suite: of.suite,
            run: of.run,
            model: of.model,
            dataset: of.dataset,
            version: of.version,
            ..SummaryRow::default()
        };
        Totals {
            row,
            seed: of.seed,
            macro_average: of.macro_average,
            scorers: of.scorers,
            samples: Vec::new(),
            fates: Vec::new(),
            values: Vec::new(),
            statistics: Vec::new(),
            subsets: Names::default(),
            messages: Names::default(),
        }
    }
}

impl Aggregate for Totals {
    /// Makes room for so many records, so that nothing is moved as they come in. Memory that is not written to costs nothing.
    fn reserve(&mut self, records: usize) {
        let metrics: usize = self.scorers.iter().map(|(_, info)| info.metrics.len()).sum();
        self.samples.reserve_exact(records);
        self.fates.reserve_exact(records * self.scorers.len());
        self.values.reserve_exact(records * metrics);
    }

    /// Adds a record, in place of an earlier one with the same index.
    fn add(&mut self, record: &Record) {
        let tokens = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.samples.push(Sample {
            index: u32::try_from(record.index).unwrap_or(u32::MAX),
            // Repetitions of one sample are no more independent than samples of one cluster.
            cluster: key_of(record.cluster.as_ref().unwrap_or(&record.id)),
            tokens_in: tokens(record.tokens_in),
            tokens_out: tokens(record.tokens_out),
            subset: record.subset.as_ref().map_or(NONE, |name| self.subsets.place(name)),
        });
        for (label, info) in &self.scorers {
            let verdict = record.verdicts.iter().find(|verdict| verdict.scorer == *label);
            let fate = match judged(verdict, info, &mut self.values) {
                Ok(fate) => fate,
                Err(message) => {
                    self.values.extend(info.metrics.iter().map(|_| f64::NAN));
                    let known = self.messages.list.len() < MESSAGES;
                    let place = self.messages.place(if known { &message } else { "other reasons" });
                    Fate::Error(u16::try_from(place).unwrap_or(u16::MAX))
                }
            };
            self.fates.push(fate);
        }
        if self.has_corpus() {
            for (label, info) in &self.scorers {
                let verdict = record.verdicts.iter().find(|verdict| verdict.scorer == *label);
                let of = |metric: &MetricInfo| verdict.and_then(|verdict| verdict.verdict.statistics.get(&metric.name));
                self.statistics.extend(info.metrics.iter().map(|metric| of(metric).cloned().unwrap_or_default()));
            }
        }
    }

    /// One row for each scorer, metric and subset: first the whole, then the mean over its parts where it is wanted, then
    /// the parts in the order of the dataset.
    fn rows(&self, seconds: f64, corpus: Corpus<'_>) -> Vec<SummaryRow> {
        let groups = self.groups();
        let mut rows = Vec::new();
        let mut before = 0;
        for (scorer, (label, info)) in self.scorers.iter().enumerate() {
            let parts = rows.len() + info.metrics.len();
            for (subset, group) in &groups {
                for (at, metric) in info.metrics.iter().enumerate() {
                    let mut row = SummaryRow {
                        subset: subset
                            .map_or(WHOLE.to_owned(), |subset| part_name(&self.subsets.list[subset as usize])),
                        scorer: label.clone(),
                        metric: metric.name.clone(),
                        seconds: subset.is_none().then_some(seconds),
                        ..self.row.clone()
                    };
                    let column = Column { scorer, metric: before + at };
                    self.count(&mut row, scorer, group);
                    match metric.aggregation {
                        Aggregation::Mean => self.mean_of(&mut row, metric, column, group),
                        Aggregation::Corpus => self.corpus_of(&mut row, column, group, corpus),
                    }
                    rows.push(row);
                }
            }
            if self.macro_average {
                let means = info.metrics.iter().filter(|metric| metric.aggregation == Aggregation::Mean);
                let averages: Vec<SummaryRow> = means.filter_map(|metric| average(&rows[parts..], metric)).collect();
                rows.splice(parts..parts, averages);
            }
            before += info.metrics.len();
        }
        rows
    }
}

impl Totals {
    fn has_corpus(&self) -> bool {
        let mut metrics = self.scorers.iter().flat_map(|(_, info)| &info.metrics);
        metrics.any(|metric| metric.aggregation == Aggregation::Corpus)
    }

    /// The places of all samples, and those of each subset, each in the order of the dataset.
    fn groups(&self) -> Vec<(Option<u32>, Vec<u32>)> {
        let mut order: Vec<u32> = (0..self.samples.len() as u32).collect();
        let index = |place: &u32| self.samples[*place as usize].index;
        // The sort is stable: of several records of one index the last one added stands last, and counts.
        order.sort_by_key(index);
        let mut whole: Vec<u32> = Vec::with_capacity(order.len());
        for place in order {
            if whole.last().is_some_and(|last| index(last) == index(&place)) {
                whole.pop();
            }
            whole.push(place);
        }
        let mut parts: Vec<(Option<u32>, Vec<u32>)> = Vec::new();
        let mut part_of: BTreeMap<u32, usize> = BTreeMap::new();
        for &place in &whole {
            let subset = self.samples[place as usize].subset;
            if subset != NONE {
                let part = *part_of.entry(subset).or_insert_with(|| {
                    parts.push((Some(subset), Vec::new()));
                    parts.len() - 1
                });
                parts[part].1.push(place);
            }
        }
        parts.insert(0, (None, whole));
        parts
    }

    fn fate(&self, sample: u32, scorer: usize) -> Fate {
        self.fates[sample as usize * self.scorers.len() + scorer]
    }

    /// The place of a sample's number in `values` and `statistics`.
    fn cell(&self, sample: u32, column: Column) -> usize {
        let columns: usize = self.scorers.iter().map(|(_, info)| info.metrics.len()).sum();
        sample as usize * columns + column.metric
    }

    /// Fills in the counts, and what they say of the row's status.
    fn count(&self, row: &mut SummaryRow, scorer: usize, group: &[u32]) {
        let samples = || group.iter().map(|place| &self.samples[*place as usize]);
        row.n = group.len() as u64;
        row.tokens_in = samples().map(|sample| u64::from(sample.tokens_in)).sum();
        row.tokens_out = samples().map(|sample| u64::from(sample.tokens_out)).sum();
        let mut errors: Vec<(u16, u64)> = Vec::new();
        for sample in group {
            match self.fate(*sample, scorer) {
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
            let text = |message: u16| &self.messages.list[message as usize];
            let told = errors.iter().take(3).map(|(message, count)| format!("{count} x {}", text(*message)));
            let told: Vec<String> = told.collect();
            let more =
                if errors.len() > 3 { format!("; and {} other reasons", errors.len() - 3) } else { String::new() };
            row.message = format!("{} of {} samples are errors: {}{more}", row.n_error, row.n, told.join("; "));
        }
    }

    fn mean_of(&self, row: &mut SummaryRow, metric: &MetricInfo, column: Column, group: &[u32]) {
        let counted = group.iter().filter(|sample| !matches!(self.fate(**sample, column.scorer), Fate::Error(_)));
        // Room for all at once: growing would need as much again.
        let (mut values, mut clusters) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for sample in counted {
            values.push(self.values[self.cell(*sample, column)]);
            clusters.push(self.samples[*sample as usize].cluster);
        }
        if let Some(estimate) = clustered_mean(&values, &clusters) {
            row.value = Some(estimate.value);
            row.stderr = estimate.stderr;
            (row.ci_low, row.ci_high) = estimate.interval.unzip();
        }
        let range = range_with_missing(values.iter().sum(), values.len() as u64, row.n_error, metric.bounds);
        (row.value_low, row.value_high) = range.unzip();
    }

    fn corpus_of(&self, row: &mut SummaryRow, column: Column, group: &[u32], corpus: Corpus<'_>) {
        let of = |sample: u32| &self.statistics[self.cell(sample, column)];
        let counted: Vec<u32> = group
            .iter()
            .copied()
            .filter(|sample| !matches!(self.fate(*sample, column.scorer), Fate::Error(_)))
            .collect();
        if counted.is_empty() {
            return;
        }
        let value = |places: &[usize]| {
            let drawn: Vec<Vec<f64>> = places.iter().map(|place| of(counted[*place]).clone()).collect();
            corpus(&row.scorer, &row.metric, &drawn)
        };
        let all: Vec<usize> = (0..counted.len()).collect();
        let clusters: Vec<u64> = counted.iter().map(|sample| self.samples[*sample as usize].cluster).collect();
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

/// The mean of a metric over the rows of all parts.
fn average(parts: &[SummaryRow], metric: &MetricInfo) -> Option<SummaryRow> {
    macro_average::row(&parts.iter().filter(|row| row.metric == metric.name).collect::<Vec<_>>())
}

/// A part's name in the rows. Those of the whole and of the mean over the parts are not to be had, so that no row is
/// taken for another.
fn part_name(name: &str) -> String {
    match name {
        WHOLE | MACRO => format!("{name} (subset)"),
        _ => name.to_owned(),
    }
}

/// What became of a sample, its values appended to `values`; or why it is an error, and nothing appended.
fn judged(verdict: Option<&ScorerVerdict>, info: &ScorerInfo, values: &mut Vec<f64>) -> Result<Fate, String> {
    let Some(ScorerVerdict { verdict, .. }) = verdict else { return Err("there is no verdict".to_owned()) };
    let fate = match &verdict.outcome {
        Outcome::Scored => Fate::Scored,
        Outcome::Unanswered => Fate::Unanswered,
        Outcome::Error(reason) => return Err(one_line(&reason.to_string())),
    };
    // What is not answered is wrong: 0, unless the scorer says otherwise.
    let missing = if fate == Fate::Unanswered { 0.0 } else { f64::NAN };
    let value = |metric: &MetricInfo| verdict.metrics.get(&metric.name).copied().unwrap_or(missing);
    for metric in &info.metrics {
        let there = match metric.aggregation {
            Aggregation::Mean => value(metric).is_finite(),
            // Without them the sample would be left out in silence.
            Aggregation::Corpus => verdict.statistics.get(&metric.name).is_some_and(|of| !of.is_empty()),
        };
        if !there {
            return Err(format!("the verdict has no number for the metric `{}`", metric.name));
        }
    }
    values.extend(info.metrics.iter().map(value));
    Ok(fate)
}

#[cfg(test)]
#[path = "totals_tests.rs"]
mod tests;
