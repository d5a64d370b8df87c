//! Metrics of texts that are put together over all samples: BLEU, chrF, TER.

use examiner_metrics::corpus::{CorpusMetric, sums};
use examiner_metrics::text::TextMetric;
use serde_json::Map;

/// The metric of this name. The options that a task gives it have no effect in lm-evaluation-harness.
fn metric(name: &str) -> Result<Box<dyn CorpusMetric>, String> {
    match TextMetric::new(name, &Map::new()) {
        Ok(TextMetric::Corpus(metric)) => Ok(metric),
        Ok(TextMetric::Mean(_)) => Err(format!("the aggregation `{name}`")),
        Err(error) => Err(error.to_string()),
    }
}

/// What a sample has of a metric.
///
/// # Errors
/// There is none, as a phrase.
pub(super) fn statistics(name: &str, references: &[String], prediction: &str) -> Result<Vec<f64>, String> {
    metric(name)?.statistics(prediction, references).map_err(|error| error.to_string())
}

/// The value of all samples.
///
/// # Errors
/// There is none, as a phrase.
pub(super) fn value(name: &str, statistics: &[&[f64]]) -> Result<f64, String> {
    let samples: Vec<Vec<f64>> = statistics.iter().map(|numbers| numbers.to_vec()).collect();
    Ok(metric(name)?.value(&sums(&samples)))
}
