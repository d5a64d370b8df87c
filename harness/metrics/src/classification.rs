//! Metrics of classes: precision, recall, F1 and Matthews' correlation, as scikit-learn computes them.

use crate::aggregate::pairwise_sum;
use crate::error::{Result, invalid};
use std::collections::BTreeMap;

/// How the values of classes become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Average<'a, L> {
    /// The value of the class `positive` alone; there may be one other class.
    Binary {
        /// The class that counts.
        positive: &'a L,
    },
    /// Of all decisions together.
    Micro,
    /// The mean over classes.
    Macro,
    /// The mean over classes, weighted by how often each is right.
    Weighted,
}

/// Precision, recall and F1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PrecisionRecall {
    /// Right ones among the predicted.
    pub precision: f64,
    /// Predicted ones among the right.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    both: f64,
    predicted: f64,
    right: f64,
}

impl Counts {
    fn values(self, zero_division: f64) -> PrecisionRecall {
        let divide = |a: f64, b: f64| if b == 0.0 { zero_division } else { a / b };
        PrecisionRecall {
            precision: divide(self.both, self.predicted),
            recall: divide(self.both, self.right),
            f1: divide(2.0 * self.both, self.right + self.predicted),
        }
    }
}

/// The classes in their order, with their counts.
fn count<L: Ord>(pairs: &[(L, L)]) -> BTreeMap<&L, Counts> {
    let mut classes: BTreeMap<&L, Counts> = BTreeMap::new();
    for (gold, prediction) in pairs {
        classes.entry(gold).or_default().right += 1.0;
        classes.entry(prediction).or_default().predicted += 1.0;
        if gold == prediction {
            classes.entry(gold).or_default().both += 1.0;
        }
    }
    classes
}

/// Precision, recall and F1 of pairs of the right class and the predicted one. `zero_division` is what nothing by nothing is; 0 by
/// default in scikit-learn.
///
/// # Errors
/// scikit-learn raises one, too: there are no pairs, or more than two classes for [`Average::Binary`], or two without the positive one.
pub fn precision_recall<L: Ord>(
    pairs: &[(L, L)],
    average: Average<'_, L>,
    zero_division: f64,
) -> Result<PrecisionRecall> {
    if pairs.is_empty() {
        return invalid("expected pairs of classes, found none");
    }
    let classes = count(pairs);
    let (each, weights): (Vec<PrecisionRecall>, Vec<f64>) = match average {
        Average::Binary { positive } => {
            if classes.len() > 2 {
                return invalid(format!("expected two classes for a binary average, found {}", classes.len()));
            }
            return match classes.get(positive) {
                Some(counts) => Ok(counts.values(zero_division)),
                None if classes.len() == 2 => invalid("expected the positive class among the two, found two others"),
                None => Ok(Counts::default().values(zero_division)),
            };
        }
        Average::Micro => {
            let all = classes.values().fold(Counts::default(), |all, one| Counts {
                both: all.both + one.both,
                predicted: all.predicted + one.predicted,
                right: all.right + one.right,
            });
            return Ok(all.values(zero_division));
        }
        Average::Macro => classes.values().map(|counts| (counts.values(zero_division), 1.0)).unzip(),
        Average::Weighted => classes.values().map(|counts| (counts.values(zero_division), counts.right)).unzip(),
    };
    let is_weighted = matches!(average, Average::Weighted);
    let mean = |value: fn(&PrecisionRecall) -> f64| {
        let values = each.iter().zip(&weights).map(|(one, weight)| (value(one), *weight));
        let (values, weights): (Vec<f64>, Vec<f64>) = values.filter(|(value, _)| !value.is_nan()).unzip();
        if values.is_empty() {
            return f64::NAN;
        }
        let scaled: Vec<f64> = values.iter().zip(&weights).map(|(value, weight)| value * weight).collect();
        match is_weighted {
            true => pairwise_sum(&scaled) / pairwise_sum(&weights),
            false => pairwise_sum(&scaled) / values.len() as f64,
        }
    };
    Ok(PrecisionRecall { precision: mean(|one| one.precision), recall: mean(|one| one.recall), f1: mean(|one| one.f1) })
}

/// The share of pairs that are equal.
pub fn accuracy<L: PartialEq>(pairs: &[(L, L)]) -> f64 {
    pairs.iter().filter(|(gold, prediction)| gold == prediction).count() as f64 / pairs.len() as f64
}

/// Matthews' correlation of pairs of the right class and the predicted one; 0 where one of them never changes.
///
/// # Errors
/// There are no pairs.
pub fn matthews_correlation<L: Ord>(pairs: &[(L, L)]) -> Result<f64> {
    if pairs.is_empty() {
        return invalid("expected pairs of classes, found none");
    }
    let classes = count(pairs);
    let samples = pairs.len() as f64;
    let sum = |value: fn(&Counts) -> f64| classes.values().map(value).fold(0.0, |sum, value| sum + value);
    let covariance = sum(|one| one.both) * samples - sum(|one| one.right * one.predicted);
    let of_predictions = samples * samples - sum(|one| one.predicted * one.predicted);
    let of_golds = samples * samples - sum(|one| one.right * one.right);
    let product = of_predictions * of_golds;
    Ok(if product == 0.0 { 0.0 } else { covariance / product.sqrt() })
}
