//! The range of scores that missing samples leave possible.

/// The lowest and highest mean that is possible if each of `missing` further samples has a value within `bounds`.
///
/// `sum` is that of the `present` values. None if there are no samples, or if samples are missing and the metric has no valid
/// bounds.
pub fn range_with_missing(sum: f64, present: u64, missing: u64, bounds: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let n = (present + missing) as f64;
    if n == 0.0 {
        return None;
    }
    if missing == 0 {
        return Some((sum / n, sum / n));
    }
    let (low, high) = bounds.filter(|(low, high)| low.is_finite() && high.is_finite() && low <= high)?;
    let missing = missing as f64;
    Some(((sum + missing * low) / n, (sum + missing * high) / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_samples_are_put_at_the_bounds() {
        assert_eq!(range_with_missing(6.0, 8, 2, Some((0.0, 1.0))), Some((0.6, 0.8)));
        assert_eq!(range_with_missing(0.0, 0, 4, Some((-1.0, 1.0))), Some((-1.0, 1.0)));
        assert_eq!(range_with_missing(6.0, 8, 0, None), Some((0.75, 0.75)));
        assert_eq!(range_with_missing(6.0, 8, 2, None), None);
        assert_eq!(range_with_missing(0.0, 0, 0, Some((0.0, 1.0))), None);
        for no_range in [(0.0, f64::INFINITY), (1.0, 0.0), (f64::NAN, 1.0)] {
            assert_eq!(range_with_missing(6.0, 8, 2, Some(no_range)), None);
            assert_eq!(range_with_missing(6.0, 8, 0, Some(no_range)), Some((0.75, 0.75)));
        }
    }
}
