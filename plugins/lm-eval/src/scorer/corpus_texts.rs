//! Metrics of texts that are put together over all samples: BLEU, chrF, TER.

/// What a sample has of a metric.
///
/// # Errors
/// There is none, as a phrase.
pub(super) fn statistics(name: &str, references: &[String], prediction: &str) -> Result<Vec<f64>, String> {
    let _ = (references, prediction);
    Err(format!("the metric `{name}`"))
}

/// The value of all samples.
///
/// # Errors
/// There is none, as a phrase.
pub(super) fn value(name: &str, statistics: &[&[f64]]) -> Result<f64, String> {
    let _ = statistics;
    Err(format!("the aggregation `{name}`"))
}
