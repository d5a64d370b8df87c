//! Metrics of pairs of a right and a chosen class, over all samples.

use examiner_metrics::classification::{Average, matthews_correlation, precision_recall};

/// The value of `f1` or `matthews_corrcoef`.
///
/// # Errors
/// There is none, as a phrase.
pub(super) fn value(name: &str, pairs: &[(f64, f64)]) -> Result<f64, String> {
    let whole = |number: f64| {
        if number.fract() == 0.0 && number.abs() < 1e15 {
            Ok(number as i64)
        } else {
            Err(format!("the class {number}"))
        }
    };
    let pairs = pairs.iter().map(|(gold, chosen)| Ok((whole(*gold)?, whole(*chosen)?)));
    let pairs = pairs.collect::<Result<Vec<(i64, i64)>, String>>()?;
    let value = match name {
        "f1" => precision_recall(&pairs, Average::Binary { positive: &1 }, 0.0).map(|found| found.f1),
        _ => matthews_correlation(&pairs),
    };
    value.map_err(|error| error.to_string())
}
