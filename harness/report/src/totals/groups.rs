//! The samples of a dataset as a whole and of each of its subsets, counted and added up in passes over all rows.
//!
//! Of a sample nothing is kept between one row and the next, but for corpus metrics: what is drawn again and again must be in memory.
//! Every sum has the order of the dataset, so that results do not depend on the order in which records were added.

use super::numbers::{Layout, NO_SUBSET, Numbers, ScoreState};
use crate::statistics::{Between, Estimate, Sum, squared_deviation};
use examiner_api::{Aggregation, MetricInfo, Result, ScorerInfo};
use examiner_store::sorted_rows::SortedRows;
use std::collections::{BTreeMap, HashMap, HashSet};

/// All samples, or those of a subset.
pub(super) struct Group {
    /// The number of the subset's name; none for all samples.
    pub(super) subset: Option<u32>,
    /// One for each metric of each scorer.
    pub(super) columns: Vec<GroupColumn>,
    /// Its samples, whether a metric counts them or not.
    samples: u64,
}

/// The samples of a group that count for a metric: all, or of a metric that may be missing those that have it, and errors of subsets
/// that have it.
#[derive(Default)]
pub(super) struct GroupColumn {
    pub(super) n: u64,
    pub(super) n_scored: u64,
    pub(super) n_unanswered: u64,
    pub(super) n_error: u64,
    pub(super) n_truncated: u64,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
    /// Numbers of messages, in the order of their first errors, and how often each occurs.
    pub(super) errors: Vec<(u32, u64)>,
    /// The values of those that are no errors.
    pub(super) sum: Sum,
    /// Of a corpus metric, the indices and clusters of those that are no errors.
    pub(super) drawn: Vec<(u64, u64)>,
    squares: f64,
    between: Between,
    /// Whether several of its samples are of one cluster.
    has_clusters: bool,
}

impl GroupColumn {
    /// The mean of its values.
    pub(super) fn estimate(&self) -> Option<Estimate> {
        if self.has_clusters { self.sum.clustered_estimate(self.between) } else { self.sum.estimate(self.squares) }
    }

    fn count(&mut self, sample: Numbers<'_>, column: &Column<'_>) {
        self.n += 1;
        self.n_truncated += u64::from(sample.is_truncated());
        self.tokens_in += sample.tokens_in();
        self.tokens_out += sample.tokens_out();
        match sample.state(column.scorer) {
            ScoreState::Scored => self.n_scored += 1,
            ScoreState::Unanswered => self.n_unanswered += 1,
            ScoreState::Error(message) => {
                self.n_error += 1;
                match self.errors.iter_mut().find(|(known, _)| *known == message) {
                    Some((_, count)) => *count += 1,
                    None => self.errors.push((message, 1)),
                }
                return;
            }
        }
        match column.metric.aggregation {
            Aggregation::Mean => self.sum.add(sample.value(column.place)),
            Aggregation::Corpus => self.drawn.push((sample.index(), sample.cluster())),
        }
    }
}

/// A metric of a scorer.
struct Column<'a> {
    scorer: usize,
    metric: &'a MetricInfo,
    /// Its place among the metrics of all scorers.
    place: usize,
}

/// The rows of all samples.
pub(super) struct Samples<'a> {
    pub(super) layout: Layout,
    /// By index.
    pub(super) rows: &'a SortedRows,
    /// The cluster of every row.
    pub(super) clusters: &'a SortedRows,
}

impl Samples<'_> {
    /// Calls `take` with each sample in the order of the dataset: of several rows of one index with the last that was added, which
    /// replaces the others.
    fn each(&self, mut take: impl FnMut(Numbers<'_>) -> Result<()>) -> Result<()> {
        let mut sorted = self.rows.sorted()?;
        let mut last: Vec<u64> = Vec::new();
        while let Some(row) = sorted.next_row()? {
            if !last.is_empty() && last[0] != row[0] {
                take(Numbers::new(&last, self.layout))?;
            }
            last.clear();
            last.extend_from_slice(row);
        }
        if last.is_empty() { Ok(()) } else { take(Numbers::new(&last, self.layout)) }
    }

    /// Whether several rows are of one cluster. Rows that were replaced are among them.
    fn may_have_clusters(&self) -> Result<bool> {
        let mut sorted = self.clusters.sorted()?;
        let mut last = None;
        while let Some(row) = sorted.next_row()? {
            if last.replace(row[0]) == Some(row[0]) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// First all samples, then those of each subset, in the order of the dataset.
    pub(super) fn groups(&self, scorers: &[(String, ScorerInfo)]) -> Result<Vec<Group>> {
        let metrics = scorers
            .iter()
            .enumerate()
            .flat_map(|(scorer, (_, info))| info.metrics.iter().map(move |metric| (scorer, metric)));
        let columns: Vec<Column<'_>> =
            metrics.enumerate().map(|(place, (scorer, metric))| Column { scorer, metric, place }).collect();
        let counted = Counted::of(self, &columns)?;
        let mut groups = Groups { list: vec![Group::new(None, columns.len())], of_subset: HashMap::new() };
        self.each(|sample| {
            groups.add_subset(sample.subset(), columns.len());
            for number in groups.of(sample) {
                let group = &mut groups.list[number];
                group.samples += 1;
                for column in columns.iter().filter(|column| counted.has(sample, column)) {
                    group.columns[column.place].count(sample, column);
                }
            }
            Ok(())
        })?;
        let mut means: Vec<Column<'_>> = columns;
        means.retain(|column| column.metric.aggregation == Aggregation::Mean);
        self.add_deviations(&mut groups, &means, &counted)?;
        Ok(groups.list)
    }

    /// Adds up how far values are from their averages.
    fn add_deviations(&self, groups: &mut Groups, means: &[Column<'_>], counted: &Counted) -> Result<()> {
        let mut by_cluster = if self.may_have_clusters()? { Some(ByCluster::new(self.layout)) } else { None };
        self.each(|sample| {
            for number in groups.of(sample) {
                for column in means.iter().filter(|column| counted.has_value(sample, column)) {
                    let of = &mut groups.list[number].columns[column.place];
                    let average = of.sum.average().unwrap_or(f64::NAN);
                    of.squares += squared_deviation(sample.value(column.place), average);
                }
            }
            by_cluster.as_mut().map_or(Ok(()), |by_cluster| by_cluster.add(sample))
        })?;
        by_cluster.map_or(Ok(()), |by_cluster| by_cluster.add_up(groups, means, counted))
    }
}

impl Group {
    fn new(subset: Option<u32>, columns: usize) -> Self {
        let new = |_| GroupColumn { squares: -0.0, ..GroupColumn::default() };
        Group { subset, columns: (0..columns).map(new).collect(), samples: 0 }
    }

    /// Whether a metric has a row: a metric that may be missing has none where all samples lack it.
    pub(super) fn has(&self, metric: &MetricInfo, place: usize) -> bool {
        !metric.partial || self.samples == 0 || self.columns[place].n > 0
    }
}

/// All groups, found by subset.
struct Groups {
    list: Vec<Group>,
    of_subset: HashMap<u32, usize>,
}

impl Groups {
    fn add_subset(&mut self, subset: u32, columns: usize) {
        if subset != NO_SUBSET && !self.of_subset.contains_key(&subset) {
            self.of_subset.insert(subset, self.list.len());
            self.list.push(Group::new(Some(subset), columns));
        }
    }

    /// The numbers of the groups that a sample belongs to.
    fn of(&self, sample: Numbers<'_>) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(0).chain(self.of_subset.get(&sample.subset()).copied())
    }
}

/// Which samples count for metrics that may be missing.
struct Counted {
    /// Metrics and the subsets of which samples have them, and of which samples lack them.
    with: HashSet<(usize, u32)>,
    without: HashSet<(usize, u32)>,
}

impl Counted {
    fn of(samples: &Samples<'_>, columns: &[Column<'_>]) -> Result<Self> {
        let mut counted = Counted { with: HashSet::new(), without: HashSet::new() };
        let partial: Vec<&Column<'_>> = columns.iter().filter(|column| column.metric.partial).collect();
        if partial.is_empty() {
            return Ok(counted);
        }
        samples.each(|sample| {
            for column in partial.iter().filter(|column| !sample.is_error(column.scorer)) {
                let is_there = !sample.value(column.place).is_nan();
                let of = if is_there { &mut counted.with } else { &mut counted.without };
                of.insert((column.place, sample.subset()));
            }
            Ok(())
        })?;
        Ok(counted)
    }

    /// Whether a sample counts for a metric. Of a subset of errors alone it is not known whether it has the metric.
    fn has(&self, sample: Numbers<'_>, column: &Column<'_>) -> bool {
        let subset = (column.place, sample.subset());
        match (column.metric.partial, sample.is_error(column.scorer)) {
            (false, _) => true,
            (true, true) => self.with.contains(&subset) || !self.without.contains(&subset),
            (true, false) => !sample.value(column.place).is_nan(),
        }
    }

    fn has_value(&self, sample: Numbers<'_>, column: &Column<'_>) -> bool {
        self.has(sample, column) && !sample.is_error(column.scorer)
    }
}

/// Samples once more, by cluster.
struct ByCluster {
    layout: Layout,
    /// Cluster, then the row.
    rows: SortedRows,
}

impl ByCluster {
    fn new(layout: Layout) -> Self {
        ByCluster { layout, rows: SortedRows::new(1 + layout.width(), 1) }
    }

    fn add(&mut self, sample: Numbers<'_>) -> Result<()> {
        let row: Vec<u64> = std::iter::once(sample.cluster()).chain(sample.row().iter().copied()).collect();
        self.rows.push(&row)
    }

    fn add_up(self, groups: &mut Groups, means: &[Column<'_>], counted: &Counted) -> Result<()> {
        let mut sorted = self.rows.sorted()?;
        let mut cluster = Cluster::default();
        let mut last = None;
        while let Some(row) = sorted.next_row()? {
            if last.replace(row[0]).is_some_and(|last| last != row[0]) {
                cluster.close(groups);
            }
            let sample = Numbers::new(&row[1..], self.layout);
            for number in groups.of(sample) {
                for column in means.iter().filter(|column| counted.has_value(sample, column)) {
                    let average = groups.list[number].columns[column.place].sum.average().unwrap_or(f64::NAN);
                    let (deviations, count) = cluster.parts.entry((number, column.place)).or_default();
                    *deviations += sample.value(column.place) - average;
                    *count += 1;
                }
            }
        }
        cluster.close(groups);
        Ok(())
    }
}

/// The samples of one cluster.
#[derive(Default)]
struct Cluster {
    /// By group and metric, the sum of deviations and the number of samples.
    parts: BTreeMap<(usize, usize), (f64, u64)>,
}

impl Cluster {
    fn close(&mut self, groups: &mut Groups) {
        for ((group, place), (deviations, count)) in std::mem::take(&mut self.parts) {
            let column = &mut groups.list[group].columns[place];
            column.between.add(deviations);
            column.has_clusters |= count > 1;
        }
    }
}
