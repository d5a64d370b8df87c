//! Metrics of pairs of a right and a chosen class, over all samples.

/// The value of `f1` or `matthews_corrcoef`.
///
/// # Errors
/// There is none, as a phrase.
pub(super) fn value(name: &str, pairs: &[(f64, f64)]) -> Result<f64, String> {
    let _ = pairs;
    Err(format!("the aggregation `{name}`"))
}
