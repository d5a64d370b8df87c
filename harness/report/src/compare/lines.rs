//! The lines of a comparison: what is compared with what, and what prevents a comparison.

use super::judged::{JudgedSamples, read};
use super::{CompareError, CompareRequest, ComparisonLine, ComparisonResult, pair};
use crate::metrics::Metric;
use examiner_store::provenance::Provenance;
use examiner_store::summary::{MACRO, RowStatus, SummaryRow, WHOLE};
use std::path::Path;

/// The run whose models are compared.
pub(super) struct ComparedRun<'a> {
    pub(super) directory: &'a Path,
    pub(super) rows: &'a [SummaryRow],
    pub(super) provenance: &'a Provenance,
    pub(super) request: &'a CompareRequest,
}

impl ComparedRun<'_> {
    /// All lines of a dataset: metric by metric, subset by subset, model by model.
    pub(super) fn dataset(
        &self,
        dataset: &str,
        metrics: &[Metric],
        models: &[&str],
    ) -> Result<Vec<ComparisonLine>, CompareError> {
        let mut metrics: Vec<Metric> = metrics.iter().filter(|metric| metric.dataset == dataset).cloned().collect();
        if metrics.is_empty() && self.rows.iter().all(|row| row.dataset != dataset || row.metric.is_empty()) {
            // Every model failed on the dataset: there is still a line for each.
            metrics = vec![Metric { dataset: dataset.to_owned(), scorer: String::new(), name: String::new() }];
        }
        let baseline = self.samples(&self.request.baseline, dataset, &metrics)?;
        let mut lines = Vec::new();
        for model in models {
            // Only the samples of the baseline and of one model are in memory at a time.
            let judged = self.samples(model, dataset, &metrics)?;
            for (column, metric) in metrics.iter().enumerate() {
                for (index, subset) in self.subsets(metric).into_iter().enumerate() {
                    let result = match self.obstacle(metric, model) {
                        Some(obstacle) => obstacle,
                        None => pair::test(&baseline, &judged, column, subset, self.provenance.seed),
                    };
                    let line = ComparisonLine {
                        metric: metric.clone(),
                        subset: subset.to_owned(),
                        model: (*model).to_owned(),
                        result,
                    };
                    lines.push(((column, index), line));
                }
            }
        }
        // A stable sort: models stay in the order of the suite.
        lines.sort_by_key(|(index, _)| *index);
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }

    /// The subsets to compare: the whole, the mean over the subsets if the summary has it, and the subsets if they are asked for.
    fn subsets(&self, metric: &Metric) -> Vec<&str> {
        let mut subsets = vec![WHOLE];
        let of_metric = self
            .rows
            .iter()
            .filter(|row| (&row.dataset, &row.scorer, &row.metric) == (&metric.dataset, &metric.scorer, &metric.name));
        for row in of_metric.filter(|row| self.request.subsets || row.subset == MACRO) {
            if !subsets.contains(&row.subset.as_str()) {
                subsets.push(&row.subset);
            }
        }
        subsets
    }

    fn samples(&self, model: &str, dataset: &str, metrics: &[Metric]) -> Result<JudgedSamples, CompareError> {
        let path = self.directory.join("samples").join(model).join(format!("{dataset}.jsonl"));
        read(&path, metrics).map_err(|reason| CompareError::Samples { path: path.display().to_string(), reason })
    }

    /// Why the model cannot be compared with the baseline by the metric, if the summary or `run.json` shows a reason.
    fn obstacle(&self, metric: &Metric, model: &str) -> Option<ComparisonResult> {
        for name in [&*self.request.baseline, model] {
            let of_dataset = || self.rows.iter().filter(|row| row.model == name && row.dataset == metric.dataset);
            if of_dataset().next().is_none() {
                return Some(ComparisonResult::NotRun(format!("`{name}` was not asked")));
            }
            let whole = of_dataset().find(|row| {
                row.metric.is_empty()
                    || (row.subset == WHOLE && row.scorer == metric.scorer && row.metric == metric.name)
            });
            match whole {
                Some(row) if row.status == RowStatus::Failed => {
                    return Some(ComparisonResult::Failed(format!("`{name}` failed: {}", row.message)));
                }
                Some(row) if row.metric.is_empty() => {
                    return Some(ComparisonResult::NotRun(format!("`{name}`: {}", row.message)));
                }
                Some(_) => {}
                None => {
                    let what = format!("`{name}` was not judged by `{}` of `{}`", metric.name, metric.scorer);
                    return Some(ComparisonResult::NotRun(what));
                }
            }
        }
        let judged_by = |name: &str| {
            let stage = self.provenance.stages.get(&format!("evaluate/{name}/{}", metric.dataset));
            stage.and_then(|stage| stage.inputs.get(&format!("scorer {}", metric.scorer)))
        };
        let differ = judged_by(&self.request.baseline) != judged_by(model);
        differ.then(|| {
            ComparisonResult::Refused(format!("`{}` judged the two with different options or versions", metric.scorer))
        })
    }
}
