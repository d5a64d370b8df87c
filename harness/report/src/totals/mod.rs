//! Accumulates records, and computes rows of `summary.csv` from them.

mod groups;
mod numbers;
#[cfg(test)]
mod tests;

use super::macro_average;
use super::names::Names;
use super::subset_groups;
use crate::statistics::{clustered_bootstrap, range_with_missing};
use examiner_api::{Aggregation, MetricInfo, Result, ScorerInfo, SubsetGroup};
use examiner_store::aggregate::{Aggregate, Corpus, Examination};
use examiner_store::record::Record;
use examiner_store::sorted_rows::SortedRows;
use examiner_store::summary::{MACRO, RowStatus, SummaryRow, WHOLE};
use groups::{GroupColumn, Samples};
use numbers::{Layout, row_of};
use std::collections::HashMap;

/// How often a corpus metric is resampled.
const RESAMPLES: usize = 1000;

/// Fewer are drawn of what is long, so that no more than about so many numbers are given to a scorer in all.
const RESAMPLED_NUMBERS: usize = 100_000_000;
/// But never fewer than these.
const FEWEST_RESAMPLES: usize = 100;
/// So many different error messages are distinguished.
const MESSAGES: usize = 1000;

/// The numbers of all samples of one model x dataset. Of each sample only numbers are kept, no text, and of many samples in a temporary
/// file: memory does not grow with them, but for the statistics of corpus metrics, which a scorer gets all at once. Results do not
/// depend on the order in which records are added.
#[derive(Debug)]
pub struct Totals {
    /// What all rows have in common.
    row: SummaryRow,
    seed: u64,
    macro_average: bool,
    groups: Vec<SubsetGroup>,
    scorers: Vec<(String, ScorerInfo)>,
    /// By index.
    samples: SortedRows,
    /// The cluster of each record.
    clusters: SortedRows,
    /// By the sample's index, one for each metric of each scorer; empty if no scorer has a corpus metric.
    statistics: HashMap<u64, Vec<Vec<f64>>>,
    subsets: Names,
    messages: Names,
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
            samples: SortedRows::new(Layout::of(&of.scorers).width(), 1),
            clusters: SortedRows::new(1, 1),
            scorers: of.scorers,
            statistics: HashMap::new(),
            subsets: Names::default(),
            messages: Names::default(),
        }
    }
}

impl Aggregate for Totals {
    /// Adds a record, which replaces an earlier one with the same index.
    fn add(&mut self, record: &Record) -> Result<()> {
        let subset = record.subset.as_ref().map(|name| self.subsets.index_of(name));
        let messages = &mut self.messages;
        let row = row_of(record, subset, &self.scorers, |message| {
            let known = messages.list.len() < MESSAGES;
            messages.index_of(if known { message } else { "other reasons" })
        });
        self.samples.push(&row)?;
        self.clusters.push(&[numbers::cluster_of(record)])?;
        if self.has_corpus() {
            let mut statistics = Vec::new();
            for (label, info) in &self.scorers {
                let verdict = record.verdicts.iter().find(|verdict| verdict.scorer == *label);
                let of = |metric: &MetricInfo| verdict.and_then(|verdict| verdict.verdict.statistics.get(&metric.name));
                statistics.extend(info.metrics.iter().map(|metric| of(metric).cloned().unwrap_or_default()));
            }
            self.statistics.insert(record.index, statistics);
        }
        Ok(())
    }

    /// One row for each scorer, metric and subset: first the whole, then the mean over the subsets if it is wanted, then the
    /// subsets in the order of the dataset, then groups of them. A metric that may be missing has no row where all samples lack it.
    fn rows(&self, seconds: f64, corpus: Corpus<'_>) -> Result<Vec<SummaryRow>> {
        let layout = Layout::of(&self.scorers);
        let groups = Samples { layout, rows: &self.samples, clusters: &self.clusters }.groups(&self.scorers)?;
        let mut rows = Vec::new();
        let mut before = 0;
        for (label, info) in &self.scorers {
            let first = rows.len();
            for group in &groups {
                let places = (before..).zip(&info.metrics).filter(|(place, metric)| group.has(metric, *place));
                for (place, metric) in places {
                    let column = &group.columns[place];
                    let mut row = SummaryRow {
                        subset: group
                            .subset
                            .map_or(WHOLE.to_owned(), |subset| part_name(&self.subsets.list[subset as usize])),
                        scorer: label.clone(),
                        metric: metric.name.clone(),
                        seconds: group.subset.is_none().then_some(seconds),
                        ..self.row.clone()
                    };
                    self.count(&mut row, column);
                    match metric.aggregation {
                        Aggregation::Mean => mean_of(&mut row, metric, column),
                        Aggregation::Corpus => self.corpus_of(&mut row, place, column, corpus),
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
        Ok(rows)
    }
}

impl Totals {
    fn has_corpus(&self) -> bool {
        let mut metrics = self.scorers.iter().flat_map(|(_, info)| &info.metrics);
        metrics.any(|metric| metric.aggregation == Aggregation::Corpus)
    }

    /// Fills in the counts, and the status that follows from them.
    fn count(&self, row: &mut SummaryRow, column: &GroupColumn) {
        row.n = column.n;
        row.n_scored = column.n_scored;
        row.n_unanswered = column.n_unanswered;
        row.n_error = column.n_error;
        row.n_truncated = column.n_truncated;
        row.tokens_in = column.tokens_in;
        row.tokens_out = column.tokens_out;
        if row.n == 0 {
            row.message = "there were no samples".to_owned();
        }
        if row.n_error > 0 {
            row.status = if row.n_error == row.n { RowStatus::Failed } else { RowStatus::Partial };
            let mut errors = column.errors.clone();
            // A stable sort: of equally frequent messages the first one stays first.
            errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let text = |message: u32| &self.messages.list[message as usize];
            let frequent = errors.iter().take(3).map(|(message, count)| format!("{count} x {}", text(*message)));
            let frequent: Vec<String> = frequent.collect();
            let more =
                if errors.len() > 3 { format!("; and {} other reasons", errors.len() - 3) } else { String::new() };
            row.message = format!("{} of {} samples are errors: {}{more}", row.n_error, row.n, frequent.join("; "));
        }
    }

    fn corpus_of(&self, row: &mut SummaryRow, place: usize, column: &GroupColumn, corpus: Corpus<'_>) {
        if column.drawn.is_empty() {
            return;
        }
        let (of, clusters): (Vec<&Vec<f64>>, Vec<u64>) =
            column.drawn.iter().map(|(index, cluster)| (&self.statistics[index][place], *cluster)).unzip();
        let value = |indices: &[usize]| {
            let drawn: Vec<Vec<f64>> = indices.iter().map(|index| of[*index].clone()).collect();
            corpus(&row.scorer, &row.metric, &drawn)
        };
        let all: Vec<usize> = (0..of.len()).collect();
        let numbers: usize = of.iter().map(|statistics| statistics.len()).sum();
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

fn mean_of(row: &mut SummaryRow, metric: &MetricInfo, column: &GroupColumn) {
    if let Some(estimate) = column.estimate() {
        row.value = Some(estimate.value);
        row.stderr = estimate.stderr;
        (row.ci_low, row.ci_high) = estimate.interval.unzip();
    }
    let range = range_with_missing(column.sum.sum, column.sum.n, row.n_error, metric.bounds);
    (row.value_low, row.value_high) = range.unzip();
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
