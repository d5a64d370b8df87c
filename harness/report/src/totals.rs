//! Accumulates records, and computes rows of `summary.csv` from them.

use super::macro_average;
use super::names::Names;
use super::subset_groups;
use crate::statistics::{clustered_bootstrap, clustered_mean, range_with_missing};
use examiner_api::random::key_of;
use examiner_api::{Aggregation, MetricInfo, Outcome, ScorerInfo, SubsetGroup};
use examiner_store::aggregate::{Aggregate, Corpus, Examination};
use examiner_store::record::{Record, ScorerVerdict};
use examiner_store::summary::{MACRO, RowStatus, SummaryRow, WHOLE, one_line};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How often a corpus metric is resampled.
const RESAMPLES: usize = 1000;

/// Fewer are drawn of what is long, so that no more than about so many numbers are given to a scorer in all.
const RESAMPLED_NUMBERS: usize = 100_000_000;
/// But never fewer than these.
const FEWEST_RESAMPLES: usize = 100;
/// So many different error messages are distinguished.
const MESSAGES: usize = 1000;

/// The numbers of all samples of one model x dataset. Of each sample only numbers are kept, no text, in a few flat tables
/// (36 bytes a sample for one metric). Results do not depend on the order in which records are added.
#[derive(Debug, Clone)]
pub struct Totals {
    /// What all rows have in common.
    row: SummaryRow,
    seed: u64,
    macro_average: bool,
    groups: Vec<SubsetGroup>,
    scorers: Vec<(String, ScorerInfo)>,
    samples: Vec<SampleNumbers>,
    /// Sample by sample, one for each scorer.
    states: Vec<ScoreState>,
    /// Sample by sample, one for each metric of each scorer; NaN for a missing value.
    values: Vec<f64>,
    /// Laid out like `values`; empty if no scorer has a corpus metric.
    statistics: Vec<Vec<f64>>,
    subsets: Names,
    messages: Names,
}

#[derive(Debug, Clone)]
struct SampleNumbers {
    cluster: u64,
    /// `u32` is enough: more questions would not fit into memory.
    index: u32,
    tokens_in: u32,
    tokens_out: u32,
    is_truncated: bool,
    /// The index of its subset's name, or [`NONE`].
    subset: u32,
}

const NONE: u32 = u32::MAX;

/// Whether a sample was scored, for one scorer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ScoreState {
    Scored,
    Unanswered,
    /// The index of its message; there are at most [`MESSAGES`] and one.
    Error(u16),
}

/// A metric: the index of its scorer, and its own index among the metrics of all scorers.
#[derive(Clone, Copy)]
struct Column {
    scorer: usize,
    metric: usize,
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
            groups: of.groups,
            scorers: of.scorers,
            samples: Vec::new(),
            states: Vec::new(),
            values: Vec::new(),
            statistics: Vec::new(),
            subsets: Names::default(),
            messages: Names::default(),
        }
    }
}

impl Aggregate for Totals {
    /// Reserves memory for so many records, so that tables are not moved as they grow. Memory that is not written to costs
    /// nothing.
    fn reserve(&mut self, records: usize) {
        let metrics: usize = self.scorers.iter().map(|(_, info)| info.metrics.len()).sum();
        self.samples.reserve_exact(records);
        self.states.reserve_exact(records * self.scorers.len());
        self.values.reserve_exact(records * metrics);
    }

    /// Adds a record, which replaces an earlier one with the same index.
    fn add(&mut self, record: &Record) {
        let tokens = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.samples.push(SampleNumbers {
            index: u32::try_from(record.index).unwrap_or(u32::MAX),
            // Repetitions of one sample are as dependent as samples of one cluster.
            cluster: key_of(record.cluster.as_ref().unwrap_or(&record.id)),
            tokens_in: tokens(record.tokens_in),
            tokens_out: tokens(record.tokens_out),
            is_truncated: record.answers.iter().any(|answer| answer.truncated_tokens() > 0),
            subset: record.subset.as_ref().map_or(NONE, |name| self.subsets.index_of(name)),
        });
        for (label, info) in &self.scorers {
            let verdict = record.verdicts.iter().find(|verdict| verdict.scorer == *label);
            let state = match judged(verdict, info, &mut self.values) {
                Ok(state) => state,
                Err(message) => {
                    self.values.extend(info.metrics.iter().map(|_| f64::NAN));
                    let known = self.messages.list.len() < MESSAGES;
                    let index = self.messages.index_of(if known { &message } else { "other reasons" });
                    ScoreState::Error(u16::try_from(index).unwrap_or(u16::MAX))
                }
            };
            self.states.push(state);
        }
        if self.has_corpus() {
            for (label, info) in &self.scorers {
                let verdict = record.verdicts.iter().find(|verdict| verdict.scorer == *label);
                let of = |metric: &MetricInfo| verdict.and_then(|verdict| verdict.verdict.statistics.get(&metric.name));
                self.statistics.extend(info.metrics.iter().map(|metric| of(metric).cloned().unwrap_or_default()));
            }
        }
    }

    /// One row for each scorer, metric and subset: first the whole, then the mean over the subsets if it is wanted, then the
    /// subsets in the order of the dataset, then groups of them. A metric that may be missing has no row where all samples lack it.
    fn rows(&self, seconds: f64, corpus: Corpus<'_>) -> Vec<SummaryRow> {
        let groups = self.groups();
        let mut rows = Vec::new();
        let mut before = 0;
        for (scorer, (label, info)) in self.scorers.iter().enumerate() {
            let first = rows.len();
            for (subset, group) in &groups {
                for (at, metric) in info.metrics.iter().enumerate() {
                    let column = Column { scorer, metric: before + at };
                    let Some(group) = self.having(metric, column, group) else { continue };
                    let group = &*group;
                    let mut row = SummaryRow {
                        subset: subset
                            .map_or(WHOLE.to_owned(), |subset| part_name(&self.subsets.list[subset as usize])),
                        scorer: label.clone(),
                        metric: metric.name.clone(),
                        seconds: subset.is_none().then_some(seconds),
                        ..self.row.clone()
                    };
                    self.count(&mut row, scorer, group);
                    match metric.aggregation {
                        Aggregation::Mean => self.mean_of(&mut row, metric, column, group),
                        Aggregation::Corpus => self.corpus_of(&mut row, column, group, corpus),
                    }
                    rows.push(row);
                }
            }
            let parts = first + rows[first..].iter().take_while(|row| row.seconds.is_some()).count();
            let subsets = rows.len();
            rows.extend(subset_groups::rows(&self.groups, &rows[parts..]));
            if self.macro_average {
                let means = info.metrics.iter().filter(|metric| metric.aggregation == Aggregation::Mean);
                let averages: Vec<SummaryRow> =
                    means.filter_map(|metric| average(&rows[parts..subsets], metric)).collect();
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

    /// The positions of all samples in `samples`, and those of each subset, each in the order of the dataset.
    fn groups(&self) -> Vec<(Option<u32>, Vec<u32>)> {
        let mut order: Vec<u32> = (0..self.samples.len() as u32).collect();
        let index = |position: &u32| self.samples[*position as usize].index;
        // The sort is stable: of several records of one index the last one added is the last here, and replaces the others.
        order.sort_by_key(index);
        let mut whole: Vec<u32> = Vec::with_capacity(order.len());
        for position in order {
            if whole.last().is_some_and(|last| index(last) == index(&position)) {
                whole.pop();
            }
            whole.push(position);
        }
        let mut parts: Vec<(Option<u32>, Vec<u32>)> = Vec::new();
        let mut part_of: BTreeMap<u32, usize> = BTreeMap::new();
        for &position in &whole {
            let subset = self.samples[position as usize].subset;
            if subset != NONE {
                let part = *part_of.entry(subset).or_insert_with(|| {
                    parts.push((Some(subset), Vec::new()));
                    parts.len() - 1
                });
                parts[part].1.push(position);
            }
        }
        parts.insert(0, (None, whole));
        parts
    }

    /// Those samples of the group that count for the metric: all, or of a metric that may be missing those that have it, and errors of
    /// subsets that have it. None where there are samples, and none of them has it.
    fn having<'a>(&self, metric: &MetricInfo, column: Column, group: &'a [u32]) -> Option<Cow<'a, [u32]>> {
        if !metric.partial {
            return Some(Cow::Borrowed(group));
        }
        let is_error = |sample: u32| matches!(self.state(sample, column.scorer), ScoreState::Error(_));
        let has = |sample: u32| match metric.aggregation {
            Aggregation::Mean => !self.values[self.cell(sample, column)].is_nan(),
            Aggregation::Corpus => !self.statistics[self.cell(sample, column)].is_empty(),
        };
        let subset = |sample: u32| self.samples[sample as usize].subset;
        let (mut with, mut without) = (BTreeSet::new(), BTreeSet::new());
        for &sample in group.iter().filter(|sample| !is_error(**sample)) {
            if has(sample) {
                with.insert(subset(sample))
            } else {
                without.insert(subset(sample))
            };
        }
        // Of a subset of errors alone it is not known whether it has the metric.
        let counts = |sample: u32| match is_error(sample) {
            true => with.contains(&subset(sample)) || !without.contains(&subset(sample)),
            false => has(sample),
        };
        let counted: Vec<u32> = group.iter().copied().filter(|sample| counts(*sample)).collect();
        (group.is_empty() || !counted.is_empty()).then_some(Cow::Owned(counted))
    }

    fn state(&self, sample: u32, scorer: usize) -> ScoreState {
        self.states[sample as usize * self.scorers.len() + scorer]
    }

    /// The index of a sample's number in `values` and `statistics`.
    fn cell(&self, sample: u32, column: Column) -> usize {
        let columns: usize = self.scorers.iter().map(|(_, info)| info.metrics.len()).sum();
        sample as usize * columns + column.metric
    }

    /// Fills in the counts, and the status that follows from them.
    fn count(&self, row: &mut SummaryRow, scorer: usize, group: &[u32]) {
        let samples = || group.iter().map(|index| &self.samples[*index as usize]);
        row.n = group.len() as u64;
        row.tokens_in = samples().map(|sample| u64::from(sample.tokens_in)).sum();
        row.tokens_out = samples().map(|sample| u64::from(sample.tokens_out)).sum();
        row.n_truncated = samples().filter(|sample| sample.is_truncated).count() as u64;
        let mut errors: Vec<(u16, u64)> = Vec::new();
        for sample in group {
            match self.state(*sample, scorer) {
                ScoreState::Scored => row.n_scored += 1,
                ScoreState::Unanswered => row.n_unanswered += 1,
                ScoreState::Error(message) => {
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
            row.status = if row.n_error == row.n { RowStatus::Failed } else { RowStatus::Partial };
            // A stable sort: of equally frequent messages the first one stays first.
            errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let text = |message: u16| &self.messages.list[message as usize];
            let frequent = errors.iter().take(3).map(|(message, count)| format!("{count} x {}", text(*message)));
            let frequent: Vec<String> = frequent.collect();
            let more =
                if errors.len() > 3 { format!("; and {} other reasons", errors.len() - 3) } else { String::new() };
            row.message = format!("{} of {} samples are errors: {}{more}", row.n_error, row.n, frequent.join("; "));
        }
    }

    fn mean_of(&self, row: &mut SummaryRow, metric: &MetricInfo, column: Column, group: &[u32]) {
        let counted =
            group.iter().filter(|sample| !matches!(self.state(**sample, column.scorer), ScoreState::Error(_)));
        // Allocated at once: growing would need twice the memory.
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
            .filter(|sample| !matches!(self.state(*sample, column.scorer), ScoreState::Error(_)))
            .collect();
        if counted.is_empty() {
            return;
        }
        let value = |indices: &[usize]| {
            let drawn: Vec<Vec<f64>> = indices.iter().map(|index| of(counted[*index]).clone()).collect();
            corpus(&row.scorer, &row.metric, &drawn)
        };
        let all: Vec<usize> = (0..counted.len()).collect();
        let clusters: Vec<u64> = counted.iter().map(|sample| self.samples[*sample as usize].cluster).collect();
        let numbers: usize = counted.iter().map(|sample| of(*sample).len()).sum();
        let resamples = (RESAMPLED_NUMBERS / numbers.max(1)).clamp(FEWEST_RESAMPLES, RESAMPLES);
        let found = value(&all).and_then(|all| Ok((all, clustered_bootstrap(&clusters, resamples, self.seed, value)?)));
        match found {
            Ok((value, bootstrap)) => {
                row.value = Some(value);
                row.stderr = bootstrap.map(|bootstrap| bootstrap.stderr);
                (row.ci_low, row.ci_high) = bootstrap.map(|bootstrap| bootstrap.interval).unzip();
                // How missing samples could change a metric that is not a mean is not known.
                (row.value_low, row.value_high) = (row.n_error == 0).then_some((value, value)).unzip();
            }
            Err(error) => row.fail(&format!("the scorer cannot compute the metric: {error}")),
        }
    }
}

/// The mean of a metric over the rows of all parts.
fn average(parts: &[SummaryRow], metric: &MetricInfo) -> Option<SummaryRow> {
    macro_average::row(&parts.iter().filter(|row| row.metric == metric.name).collect::<Vec<_>>())
}

/// A subset's name in the rows. It must differ from the names of the whole and of the mean over the subsets, and from that of
/// every other subset: `all` becomes `all (subset)`, and `all (subset)` becomes `all (subset) (subset)`.
fn part_name(name: &str) -> String {
    const SUFFIX: &str = " (subset)";
    let mut base = name;
    while let Some(shorter) = base.strip_suffix(SUFFIX) {
        base = shorter;
    }
    match base {
        WHOLE | MACRO => format!("{name}{SUFFIX}"),
        _ => name.to_owned(),
    }
}

/// Appends the sample's values to `values`, and returns its state; or returns why the sample is an error, and appends nothing.
fn judged(verdict: Option<&ScorerVerdict>, info: &ScorerInfo, values: &mut Vec<f64>) -> Result<ScoreState, String> {
    let Some(ScorerVerdict { verdict, .. }) = verdict else { return Err("there is no verdict".to_owned()) };
    let state = match &verdict.outcome {
        Outcome::Scored => ScoreState::Scored,
        Outcome::Unanswered => ScoreState::Unanswered,
        Outcome::Error(reason) => return Err(one_line(&reason.to_string())),
    };
    // An unanswered sample is wrong: 0, unless the scorer reports another value.
    let missing = if state == ScoreState::Unanswered { 0.0 } else { f64::NAN };
    let value = |metric: &MetricInfo| {
        let missing = if metric.partial { f64::NAN } else { missing };
        verdict.metrics.get(&metric.name).copied().unwrap_or(missing)
    };
    for metric in info.metrics.iter().filter(|metric| !metric.partial) {
        let is_present = match metric.aggregation {
            Aggregation::Mean => value(metric).is_finite(),
            // Without them the sample would be left out silently.
            Aggregation::Corpus => verdict.statistics.get(&metric.name).is_some_and(|of| !of.is_empty()),
        };
        if !is_present {
            return Err(format!("the verdict has no number for the metric `{}`", metric.name));
        }
    }
    values.extend(info.metrics.iter().map(value));
    Ok(state)
}

#[cfg(test)]
#[path = "totals_tests.rs"]
mod tests;
