//! Rows of groups of subsets, from the rows of their subsets.

use crate::macro_average;
use examiner_api::SubsetGroup;
use examiner_store::summary::SummaryRow;

/// The rows of the groups, of which each metric is the mean of its values in the group's subsets. `parts` are the rows of subsets,
/// of one scorer.
pub(crate) fn rows(groups: &[SubsetGroup], parts: &[SummaryRow]) -> Vec<SummaryRow> {
    let of_group = |group: &SubsetGroup| -> Vec<SummaryRow> {
        let members: Vec<&SummaryRow> = parts.iter().filter(|part| group.subsets.contains(&part.subset)).collect();
        let of_metric = |metric: &examiner_api::GroupMetric| {
            let members: Vec<&SummaryRow> =
                members.iter().copied().filter(|part| part.metric == metric.metric).collect();
            let weight = |part: &SummaryRow| if metric.weight_by_size { part.n as f64 } else { 1.0 };
            macro_average::weighted(&members, weight, &group.name)
        };
        group.metrics.iter().filter_map(of_metric).collect()
    };
    groups.iter().flat_map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::GroupMetric;

    #[test]
    fn a_group_has_a_row_for_each_metric_that_its_subsets_have() {
        let part = |subset: &str, metric: &str, value, n| SummaryRow {
            subset: subset.to_owned(),
            metric: metric.to_owned(),
            value: Some(value),
            n,
            ..SummaryRow::default()
        };
        let parts = [
            part("a", "acc", 1.0, 30),
            part("b", "acc", 0.0, 10),
            part("b", "f1", 0.5, 10),
            part("elsewhere", "acc", 0.25, 10),
        ];
        let metric = |metric: &str, weight_by_size| GroupMetric { metric: metric.to_owned(), weight_by_size };
        let group = SubsetGroup {
            name: "both".to_owned(),
            subsets: vec!["a".to_owned(), "b".to_owned()],
            metrics: vec![metric("acc", true), metric("f1", false), metric("bleu", true)],
        };
        let even = SubsetGroup { name: "even".to_owned(), metrics: vec![metric("acc", false)], ..group.clone() };
        let rows = rows(&[group, even], &parts);
        let found: Vec<_> = rows.iter().map(|row| (&*row.subset, &*row.metric, row.value.unwrap(), row.n)).collect();
        assert_eq!(found, [("both", "acc", 0.75, 40), ("both", "f1", 0.5, 10), ("even", "acc", 0.5, 40)]);
    }
}
