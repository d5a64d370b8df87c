//! The lines of a comparison: what is compared with what, and what stands in the way.

use super::judged::{Judged, read};
use super::{CompareError, Line, Outcome, Request, pair};
use crate::metrics::Metric;
use examiner_store::provenance::Provenance;
use examiner_store::summary::{MACRO, Status, SummaryRow, WHOLE};
use std::path::Path;

/// A run, as far as it is compared.
pub(super) struct RunOfModels<'a> {
    pub(super) directory: &'a Path,
    pub(super) rows: &'a [SummaryRow],
    pub(super) provenance: &'a Provenance,
    pub(super) request: &'a Request,
}

impl RunOfModels<'_> {
    /// All lines of a dataset: metric by metric, subset by subset, model by model.
    pub(super) fn dataset(
        &self,
        dataset: &str,
        metrics: &[Metric],
        models: &[&str],
    ) -> Result<Vec<Line>, CompareError> {
        let mut metrics: Vec<Metric> = metrics.iter().filter(|metric| metric.dataset == dataset).cloned().collect();
        if metrics.is_empty() && self.rows.iter().all(|row| row.dataset != dataset || row.metric.is_empty()) {
            // Every model failed on it: still a line for each.
            metrics = vec![Metric { dataset: dataset.to_owned(), scorer: String::new(), name: String::new() }];
        }
        let baseline = self.samples(&self.request.baseline, dataset, &metrics)?;
        let mut lines = Vec::new();
        for model in models {
            // One model's samples are in memory at a time, beside the baseline's.
            let judged = self.samples(model, dataset, &metrics)?;
            for (column, metric) in metrics.iter().enumerate() {
                for (place, subset) in self.subsets(metric).into_iter().enumerate() {
                    let outcome = match self.obstacle(metric, model) {
                        Some(obstacle) => obstacle,
                        None => pair::test(&baseline, &judged, column, subset, self.provenance.seed),
                    };
                    let line =
                        Line { metric: metric.clone(), subset: subset.to_owned(), model: (*model).to_owned(), outcome };
                    lines.push(((column, place), line));
                }
            }
        }
        // A stable sort: models stay in the order of the suite.
        lines.sort_by_key(|(place, _)| *place);
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }

    /// The parts to compare: the whole, the mean over the parts where the summary has it, and with `subsets` the parts.
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

    fn samples(&self, model: &str, dataset: &str, metrics: &[Metric]) -> Result<Judged, CompareError> {
        let path = self.directory.join("samples").join(model).join(format!("{dataset}.jsonl"));
        read(&path, metrics).map_err(|reason| CompareError::Samples { path: path.display().to_string(), reason })
    }

    /// Why the model cannot be compared with the baseline by the metric, as far as the run itself says.
    fn obstacle(&self, metric: &Metric, model: &str) -> Option<Outcome> {
        for name in [&*self.request.baseline, model] {
            let of_dataset = || self.rows.iter().filter(|row| row.model == name && row.dataset == metric.dataset);
            if of_dataset().next().is_none() {
                return Some(Outcome::NotRun(format!("`{name}` was not asked")));
            }
            let whole = of_dataset().find(|row| {
                row.metric.is_empty()
                    || (row.subset == WHOLE && row.scorer == metric.scorer && row.metric == metric.name)
            });
            match whole {
                Some(row) if row.status == Status::Failed => {
                    return Some(Outcome::Failed(format!("`{name}` failed: {}", row.message)));
                }
                Some(row) if row.metric.is_empty() => {
                    return Some(Outcome::NotRun(format!("`{name}`: {}", row.message)));
                }
                Some(_) => {}
                None => {
                    let what = format!("`{name}` was not judged by `{}` of `{}`", metric.name, metric.scorer);
                    return Some(Outcome::NotRun(what));
                }
            }
        }
        let judged_by = |name: &str| {
            let stage = self.provenance.stages.get(&format!("evaluate/{name}/{}", metric.dataset));
            stage.and_then(|stage| stage.inputs.get(&format!("scorer {}", metric.scorer)))
        };
        let differ = judged_by(&self.request.baseline) != judged_by(model);
        differ
            .then(|| Outcome::Refused(format!("`{}` judged the two with different options or versions", metric.scorer)))
    }
}
