//! The choice of metrics that are compared and drawn.

use examiner_api::nearest;
use examiner_store::summary::{SummaryRow, WHOLE};

/// The name that means every metric.
pub const ALL: &str = "all";

/// A metric that no row has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no dataset of the run has a metric `{name}`; {help}")]
pub struct UnknownMetric {
    name: String,
    help: String,
}

/// A metric of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// The dataset's name.
    pub dataset: String,
    /// The scorer's label.
    pub scorer: String,
    /// The metric's name.
    pub name: String,
}

/// The metrics with the names in `wanted`, in the order of the rows. [`ALL`] means all metrics, an empty list the first metric of
/// each dataset and scorer.
///
/// # Errors
/// A name that no row has.
pub fn chosen(rows: &[SummaryRow], wanted: &[String]) -> Result<Vec<Metric>, UnknownMetric> {
    let mut known: Vec<Metric> = Vec::new();
    for row in rows.iter().filter(|row| row.subset == WHOLE && !row.metric.is_empty()) {
        let metric = Metric { dataset: row.dataset.clone(), scorer: row.scorer.clone(), name: row.metric.clone() };
        if !known.contains(&metric) {
            known.push(metric);
        }
    }
    for name in wanted.iter().filter(|name| *name != ALL) {
        if !known.iter().any(|metric| metric.name == *name) {
            return Err(unknown(name, &known));
        }
    }
    let first = |index: usize| {
        let (dataset, scorer) = (&known[index].dataset, &known[index].scorer);
        !known[..index].iter().any(|earlier| earlier.dataset == *dataset && earlier.scorer == *scorer)
    };
    let is_wanted = |index: usize| match wanted {
        [] => first(index),
        names => names.iter().any(|name| name == ALL || *name == known[index].name),
    };
    Ok((0..known.len()).filter(|&index| is_wanted(index)).map(|index| known[index].clone()).collect())
}

fn unknown(name: &str, known: &[Metric]) -> UnknownMetric {
    let mut names: Vec<&str> = Vec::new();
    for metric in known {
        if !names.contains(&metric.name.as_str()) {
            names.push(&metric.name);
        }
    }
    UnknownMetric { name: name.to_owned(), help: did_you_mean(name, &names) }
}

/// A help text for a name that is not among `names`.
pub(super) fn did_you_mean(name: &str, names: &[&str]) -> String {
    let near = nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names {
        [] => "there is none at all".to_owned(),
        _ => format!("{}there is {listed}", near.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(dataset: &str, scorer: &str, metric: &str) -> SummaryRow {
        SummaryRow {
            dataset: dataset.to_owned(),
            subset: WHOLE.to_owned(),
            scorer: scorer.to_owned(),
            metric: metric.to_owned(),
            ..SummaryRow::default()
        }
    }

    #[test]
    fn the_default_is_the_first_metric_of_each_scorer() {
        let rows = [row("d", "a", "acc"), row("d", "a", "acc_norm"), row("d", "b", "acc"), row("e", "a", "acc_norm")];
        let names = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            let chosen = chosen(&rows, &wanted)?;
            Ok(chosen.into_iter().map(|m| format!("{} {} {}", m.dataset, m.scorer, m.name)).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["d a acc", "d b acc", "e a acc_norm"]);
        assert_eq!(names(&["acc_norm"]).unwrap(), ["d a acc_norm", "e a acc_norm"]);
        assert_eq!(names(&["all"]).unwrap().len(), 4);
        let error: UnknownMetric = names(&["acc-nrom"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no dataset of the run has a metric `acc-nrom`; did you mean `acc_norm`? there is `acc`, `acc_norm`"
        );
    }
}
