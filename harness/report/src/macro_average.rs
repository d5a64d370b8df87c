//! Means over subsets of a dataset.
//!
//! The unweighted one is the macro average. Benchmarks of many tasks report it, BIG-Bench-Hard for example: the largest tasks
//! dominate the mean over all samples.

use examiner_store::summary::{MACRO, RowStatus, SummaryRow};

/// The row of the macro average of `parts`, which are rows of one scorer and metric; none without parts.
pub(super) fn row(parts: &[&SummaryRow]) -> Option<SummaryRow> {
    weighted(parts, |_| 1.0, MACRO)
}

/// The row of the mean over `parts`, each of a relative weight, under the name `subset`; none without parts.
///
/// The parts are independent of each other, hence the standard error: the root of the sum of squared standard errors, each times
/// its weight. The interval is computed from the parts' own (Zou and Donner, "Construction of confidence limits about effect
/// measures", 2008): the squared distances from value to end are added up in the same way, so that it keeps a width where every
/// part is all right or all wrong. If a part has no value there is no mean: over the remaining parts it would be the mean of another
/// benchmark.
pub(super) fn weighted(parts: &[&SummaryRow], weight: impl Fn(&SummaryRow) -> f64, subset: &str) -> Option<SummaryRow> {
    let first = parts.first()?;
    let sum: f64 = parts.iter().map(|part| weight(part)).sum();
    let mean = |of: &dyn Fn(&SummaryRow) -> Option<f64>| {
        let values: Option<f64> = parts.iter().map(|part| of(part).map(|value| value * weight(part))).sum();
        values.map(|values| values / sum)
    };
    let length = |of: &dyn Fn(&SummaryRow) -> Option<f64>| {
        let squares: Option<f64> = parts.iter().map(|part| of(part).map(|value| (value * weight(part)).powi(2))).sum();
        squares.map(|squares| squares.sqrt() / sum)
    };
    let total = |of: &dyn Fn(&SummaryRow) -> u64| parts.iter().map(|part| of(part)).sum();
    let value = mean(&|part| part.value);
    let below = length(&|part| Some(part.value? - part.ci_low?));
    let above = length(&|part| Some(part.ci_high? - part.value?));
    let mut row = SummaryRow {
        subset: subset.to_owned(),
        value,
        stderr: length(&|part| part.stderr),
        ci_low: value.zip(below).map(|(value, below)| value - below),
        ci_high: value.zip(above).map(|(value, above)| value + above),
        n: total(&|part| part.n),
        n_scored: total(&|part| part.n_scored),
        n_unanswered: total(&|part| part.n_unanswered),
        n_error: total(&|part| part.n_error),
        n_truncated: total(&|part| part.n_truncated),
        value_low: mean(&|part| part.value_low),
        value_high: mean(&|part| part.value_high),
        status: RowStatus::Ok,
        message: String::new(),
        tokens_in: total(&|part| part.tokens_in),
        tokens_out: total(&|part| part.tokens_out),
        seconds: None,
        ..(*first).clone()
    };
    if value.is_none() {
        let missing: Vec<&SummaryRow> = parts.iter().copied().filter(|part| part.value.is_none()).collect();
        row.status = RowStatus::Failed;
        row.message = format!("{} of {} parts have no value: {}", missing.len(), parts.len(), named(&missing));
    } else if row.n_error > 0 {
        let partial: Vec<&SummaryRow> = parts.iter().copied().filter(|part| part.n_error > 0).collect();
        row.status = RowStatus::Partial;
        row.message = format!("{} of {} samples are errors, in {}", row.n_error, row.n, named(&partial));
    }
    Some(row)
}

/// The first few by name.
fn named(parts: &[&SummaryRow]) -> String {
    let names: Vec<String> = parts.iter().take(3).map(|part| format!("`{}`", part.subset)).collect();
    let more = if parts.len() > 3 { format!(" and {} more", parts.len() - 3) } else { String::new() };
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(subset: &str, value: Option<f64>, stderr: f64, interval: (f64, f64)) -> SummaryRow {
        SummaryRow {
            dataset: "bbh".to_owned(),
            subset: subset.to_owned(),
            metric: "accuracy".to_owned(),
            value,
            stderr: value.map(|_| stderr),
            ci_low: value.map(|_| interval.0),
            ci_high: value.map(|_| interval.1),
            n: 10,
            n_scored: 10,
            value_low: Some(value.unwrap_or(0.0)),
            value_high: Some(value.unwrap_or(1.0)),
            tokens_in: 5,
            seconds: Some(1.0),
            ..SummaryRow::default()
        }
    }

    fn near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
    }

    #[test]
    fn by_hand() {
        let (small, large) =
            (part("small", Some(0.9), 0.03, (0.6, 0.98)), part("large", Some(0.2), 0.04, (0.16, 0.26)));
        let row = row(&[&small, &large]).unwrap();
        assert_eq!((&*row.subset, &*row.dataset, &*row.metric), ("macro", "bbh", "accuracy"));
        near(row.value, 0.55);
        near(row.stderr, 0.05 / 2.0);
        near(row.ci_low, 0.55 - (0.3_f64.powi(2) + 0.04_f64.powi(2)).sqrt() / 2.0);
        near(row.ci_high, 0.55 + (0.08_f64.powi(2) + 0.06_f64.powi(2)).sqrt() / 2.0);
        assert_eq!((row.n, row.n_scored, row.tokens_in, row.seconds), (20, 20, 10, None));
        assert_eq!((row.status, &*row.message), (RowStatus::Ok, ""));
    }

    #[test]
    fn a_part_without_a_value_is_not_ignored() {
        let (there, missing) = (part("there", Some(0.5), 0.1, (0.3, 0.7)), part("missing", None, 0.0, (0.0, 0.0)));
        let row = row(&[&there, &missing]).unwrap();
        assert_eq!((row.value, row.stderr, row.ci_low, row.status), (None, None, None, RowStatus::Failed));
        // All that can be said: the missing part has between none and all right.
        assert_eq!((row.value_low, row.value_high), (Some(0.25), Some(0.75)));
        assert_eq!(row.message, "1 of 2 parts have no value: `missing`");
    }

    #[test]
    fn missing_samples_are_reported_with_their_subset() {
        let (there, mut partial) = (part("a", Some(0.5), 0.1, (0.3, 0.7)), part("b", Some(0.5), 0.1, (0.3, 0.7)));
        (partial.n_error, partial.n_scored, partial.value_low) = (2, 8, Some(0.4));
        let row = row(&[&there, &partial]).unwrap();
        assert_eq!((row.status, row.n_error, row.value), (RowStatus::Partial, 2, Some(0.5)));
        near(row.value_low, 0.45);
        assert_eq!(row.message, "2 of 20 samples are errors, in `b`");
    }

    #[test]
    fn a_large_part_counts_more_where_parts_are_weighted() {
        let (small, mut large) =
            (part("small", Some(0.9), 0.03, (0.6, 0.98)), part("large", Some(0.2), 0.04, (0.16, 0.26)));
        large.n = 30;
        let row = weighted(&[&small, &large], |part| part.n as f64, "both").unwrap();
        assert_eq!((&*row.subset, row.n), ("both", 40));
        near(row.value, 0.25 * 0.9 + 0.75 * 0.2);
        near(row.stderr, ((0.25_f64 * 0.03).powi(2) + (0.75_f64 * 0.04).powi(2)).sqrt());
        near(row.ci_high, 0.375 + ((0.25_f64 * 0.08).powi(2) + (0.75_f64 * 0.06).powi(2)).sqrt());
    }

    #[test]
    fn no_parts_no_row() {
        assert!(row(&[]).is_none());
    }
}
