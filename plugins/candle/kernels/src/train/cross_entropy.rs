//! Softmax, loss and the gradient of the logits in one pass over each row.

use crate::Isa;
use crate::lanes::for_each_isa;
use crate::math::{exp, highest_of, sum_of};
use rayon::prelude::*;

/// Whether logits become their gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gradient {
    /// They become the gradient of the summed loss times this number.
    Scaled(f32),
    /// It is not needed; the logits are of no use afterwards.
    None,
}

/// The sum of `-ln softmax(logits)[target]` over rows of `vocabulary` logits, in nats.
pub fn cross_entropy(isa: Isa, logits: &mut [f32], vocabulary: usize, targets: &[u32], gradient: Gradient) -> f64 {
    assert_eq!(logits.len(), targets.len() * vocabulary, "a row of logits for each target");
    let rows = logits.par_chunks_mut(vocabulary).zip(targets);
    let losses = rows.map(|(logits, &target)| row(isa, logits, target as usize, gradient));
    // The sum is made of the rows in their order.
    losses.collect::<Vec<f64>>().into_iter().sum()
}

for_each_isa! {
    fn row(logits: &mut [f32], target: usize, gradient: Gradient) -> f64 = body
}

#[inline(always)]
fn body(logits: &mut [f32], target: usize, gradient: Gradient) -> f64 {
    let highest = highest_of(logits);
    let of_target = logits[target];
    let total = match gradient {
        Gradient::None => sum_of(logits, |logit| exp(logit - highest)),
        Gradient::Scaled(_) => {
            for logit in logits.iter_mut() {
                *logit = exp(*logit - highest);
            }
            sum_of(logits, |share| share)
        }
    };
    let loss = f64::from(total.ln()) + f64::from(highest) - f64::from(of_target);
    if let Gradient::Scaled(scale) = gradient {
        let each = scale / total;
        for share in logits.iter_mut() {
            *share *= each;
        }
        logits[target] -= scale;
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_f64() {
        let logits: Vec<f32> = (0..40).map(|i| ((i * 37) % 19) as f32 * 0.7 - 5.0).collect();
        let targets = [3, 0, 9, 9];
        let run = |gradient| {
            let mut logits = logits.clone();
            (cross_entropy(Isa::best(), &mut logits, 10, &targets, gradient), logits)
        };
        let (loss, gradient) = run(Gradient::Scaled(0.5));
        assert_eq!(run(Gradient::None).0, loss);
        let mut expected = 0.0;
        for ((row, gradient), target) in logits.chunks(10).zip(gradient.chunks(10)).zip(targets) {
            let total: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
            expected -= (f64::from(row[target as usize]).exp() / total).ln();
            for (i, (logit, gradient)) in row.iter().zip(gradient).enumerate() {
                let hit = if i == target as usize { 1.0 } else { 0.0 };
                let slope = 0.5 * (f64::from(*logit).exp() / total - hit);
                assert!((slope - f64::from(*gradient)).abs() < 1e-6, "{gradient}, not {slope}");
            }
        }
        assert!((loss - expected).abs() < 1e-5, "{loss}, not {expected}");
    }

    #[test]
    fn numbers_that_are_none_are_not_hidden() {
        for wrong in [f32::NAN, f32::INFINITY] {
            let loss = cross_entropy(Isa::best(), &mut [0.0, wrong, 1.0], 3, &[0], Gradient::None);
            assert!(!loss.is_finite(), "{loss}");
        }
    }
}
