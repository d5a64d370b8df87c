//! Rows of `summary.csv` with the models side by side.

use examiner_store::summary::{SummaryRow, WHOLE};

/// A table with one column for each model.
pub(super) struct Pivot<'a> {
    /// The models, in the order of the rows.
    pub(super) models: Vec<&'a str>,
    /// The lines, dataset by dataset in the order of the rows.
    pub(super) lines: Vec<PivotLine<'a>>,
}

/// The values of one metric, for all models.
pub(super) struct PivotLine<'a> {
    /// The dataset's name, followed by a hyphen and the subset's.
    pub(super) dataset: String,
    /// The subset, [`WHOLE`] for all of the dataset, empty if all models failed on it.
    pub(super) subset: &'a str,
    /// The metric's name, preceded by the scorer's if the dataset has several; `-` if the metric is unknown.
    pub(super) metric: String,
    /// One cell for each model, empty if the model was not asked.
    pub(super) cells: Vec<Option<&'a SummaryRow>>,
}

/// Puts the models side by side. The failure of a model on a whole dataset appears in each of the dataset's lines.
pub(super) fn pivot(rows: &[SummaryRow]) -> Pivot<'_> {
    let models = distinct(rows.iter().map(|row| row.model.as_str()));
    let mut lines = Vec::new();
    for dataset in distinct(rows.iter().map(|row| row.dataset.as_str())) {
        let rows: Vec<&SummaryRow> = rows.iter().filter(|row| row.dataset == dataset).collect();
        let known = distinct(rows.iter().filter(|row| !row.metric.is_empty()).map(|row| key(row)));
        let scorers = distinct(known.iter().map(|(_, scorer, _)| *scorer)).len();
        let keys = if known.is_empty() { vec![("", "", "")] } else { known };
        for (subset, scorer, metric) in keys {
            let cell = |model: &&str| {
                let of_model = || rows.iter().copied().filter(|row| row.model == **model);
                of_model()
                    .find(|row| key(row) == (subset, scorer, metric))
                    .or_else(|| of_model().find(|row| row.metric.is_empty()))
            };
            lines.push(PivotLine {
                dataset: match subset {
                    "" | WHOLE => dataset.to_owned(),
                    subset => format!("{dataset}-{subset}"),
                },
                metric: match (metric, scorers) {
                    ("", _) => "-".to_owned(),
                    (metric, 0 | 1) => metric.to_owned(),
                    (metric, _) => format!("{scorer}: {metric}"),
                },
                subset,
                cells: models.iter().map(cell).collect(),
            });
        }
    }
    Pivot { models, lines }
}

fn key(row: &SummaryRow) -> (&str, &str, &str) {
    (&row.subset, &row.scorer, &row.metric)
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}
