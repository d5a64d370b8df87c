//! The lines of a comparison: what is compared with what, and what prevents a comparison.

use super::judged::{JudgedSamples, read};
use super::{CompareError, ComparisonLine, ComparisonResult, pair};
use crate::metrics::Metric;
use examiner_store::directory::samples_path;
use examiner_store::provenance::Provenance;
use examiner_store::summary::{MACRO, RowStatus, SummaryRow, WHOLE};
use std::path::Path;

/// A run, as far as comparisons look at it.
#[derive(Debug)]
pub(super) struct ComparedRun<'a> {
    pub(super) directory: &'a Path,
    pub(super) rows: &'a [SummaryRow],
    pub(super) provenance: Provenance,
}

/// The answers of one model to one dataset in one run: what stands on either side of a comparison.
#[derive(Debug, Clone)]
pub(super) struct Side<'a> {
    pub(super) run: &'a ComparedRun<'a>,
    pub(super) model: &'a str,
    pub(super) dataset: &'a str,
    /// What it is called in notes: the model, the dataset or the run, whichever differs.
    pub(super) name: &'a str,
}

/// All lines of a baseline and what is compared with it: metric by metric, subset by subset, one after the other. `metrics` are those of
/// the baseline's dataset; `subsets` says whether its parts are compared, too. A line has the other's model and dataset.
pub(super) fn lines(
    baseline: &Side<'_>,
    others: &[Side<'_>],
    metrics: &[Metric],
    subsets: bool,
) -> Result<Vec<ComparisonLine>, CompareError> {
    let mut metrics: Vec<Metric> =
        metrics.iter().filter(|metric| metric.dataset == baseline.dataset).cloned().collect();
    if metrics.is_empty()
        && baseline.run.rows.iter().all(|row| row.dataset != baseline.dataset || row.metric.is_empty())
    {
        // Every model failed on the dataset: there is still a line for each.
        let dataset = baseline.dataset.to_owned();
        metrics = vec![Metric { dataset, scorer: String::new(), name: String::new() }];
    }
    let theirs = baseline.samples(&metrics)?;
    let mut lines = Vec::new();
    for other in others {
        // Only the samples of the baseline and of one other are in memory at a time.
        let judged = other.samples(&metrics)?;
        for (column, metric) in metrics.iter().enumerate() {
            for (index, subset) in baseline.subsets(metric, subsets).into_iter().enumerate() {
                let result = match obstacle(metric, baseline, other) {
                    Some(obstacle) => obstacle,
                    None => pair::test(&theirs, &judged, column, subset, baseline.run.provenance.seed),
                };
                let line = ComparisonLine {
                    metric: Metric { dataset: other.dataset.to_owned(), ..metric.clone() },
                    subset: subset.to_owned(),
                    model: other.model.to_owned(),
                    other: other.name.to_owned(),
                    result,
                };
                lines.push(((column, index), line));
            }
        }
    }
    // A stable sort: the others stay in their order.
    lines.sort_by_key(|(index, _)| *index);
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

impl<'a> Side<'a> {
    fn rows(&self) -> impl Iterator<Item = &'a SummaryRow> {
        let (model, dataset) = (self.model, self.dataset);
        self.run.rows.iter().filter(move |row| row.model == model && row.dataset == dataset)
    }

    /// The subsets to compare: the whole, the mean over the subsets if the summary has it, and the subsets if they are asked for.
    fn subsets(&self, metric: &Metric, all: bool) -> Vec<&'a str> {
        let mut subsets = vec![WHOLE];
        let of_dataset = self.run.rows.iter().filter(|row| row.dataset == self.dataset);
        let of_metric = of_dataset.filter(|row| (&row.scorer, &row.metric) == (&metric.scorer, &metric.name));
        for row in of_metric.filter(|row| all || row.subset == MACRO) {
            if !subsets.contains(&row.subset.as_str()) {
                subsets.push(&row.subset);
            }
        }
        subsets
    }

    fn samples(&self, metrics: &[Metric]) -> Result<JudgedSamples, CompareError> {
        let path = samples_path(self.run.directory, self.model, self.dataset);
        read(&path, metrics).map_err(|reason| CompareError::Samples { path: path.display().to_string(), reason })
    }

    /// Why it has no value of the metric, if the summary shows a reason.
    fn lacks(&self, metric: &Metric) -> Option<ComparisonResult> {
        let name = self.name;
        if self.rows().next().is_none() {
            return Some(ComparisonResult::NotRun(format!("`{name}` was not asked")));
        }
        let whole = self.rows().find(|row| {
            row.metric.is_empty() || (row.subset == WHOLE && row.scorer == metric.scorer && row.metric == metric.name)
        });
        match whole {
            Some(row) if row.status == RowStatus::Failed => {
                Some(ComparisonResult::Failed(format!("`{name}` failed: {}", row.message)))
            }
            Some(row) if row.metric.is_empty() => Some(ComparisonResult::NotRun(format!("`{name}`: {}", row.message))),
            Some(_) => None,
            None => {
                let what = format!("`{name}` was not judged by `{}` of `{}`", metric.name, metric.scorer);
                Some(ComparisonResult::NotRun(what))
            }
        }
    }

    /// What its scorer depends on.
    fn judged_by(&self, metric: &Metric) -> Option<&'a String> {
        let stage = self.run.provenance.stages.get(&format!("evaluate/{}/{}", self.model, self.dataset));
        stage.and_then(|stage| stage.inputs.get(&format!("scorer {}", metric.scorer)))
    }
}

/// Why the two cannot be compared by the metric, if the summary or `run.json` shows a reason.
fn obstacle(metric: &Metric, baseline: &Side<'_>, other: &Side<'_>) -> Option<ComparisonResult> {
    if let Some(lacks) = baseline.lacks(metric).or_else(|| other.lacks(metric)) {
        return Some(lacks);
    }
    let differ = baseline.judged_by(metric) != other.judged_by(metric);
    differ.then(|| {
        ComparisonResult::Refused(format!("`{}` judged the two with different options or versions", metric.scorer))
    })
}
