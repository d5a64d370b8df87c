//! AdamW in one pass over all parameters.

use crate::Isa;
use crate::lanes::for_each_isa;
use rayon::prelude::*;

const PIECE: usize = 1 << 15;

/// A step of AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019), as PyTorch computes it.
#[derive(Debug, Clone, Copy)]
pub struct AdamW {
    /// The gradient is multiplied by it first: what clipping leaves.
    pub gradient_scale: f32,
    /// Of this step.
    pub learning_rate: f64,
    /// Of the two averages.
    pub betas: [f64; 2],
    /// Added to the root of the second average.
    pub epsilon: f64,
    /// Already 0 for parameters that do not decay.
    pub weight_decay: f64,
    /// From 1.
    pub step: u64,
}

/// The numbers of a step that are the same for every parameter.
#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    decay: f32,
    beta: [f32; 2],
    rest: [f32; 2],
    rate: f32,
    root: f32,
    epsilon: f32,
}

/// Updates weights and moments, and sets the gradients to zero.
pub fn adamw(isa: Isa, step: AdamW, weights: &mut [f32], gradients: &mut [f32], first: &mut [f32], second: &mut [f32]) {
    let [a, b] = step.betas;
    let times = step.step.min(i32::MAX as u64) as i32;
    let factors = Factors {
        scale: step.gradient_scale,
        decay: (1.0 - step.learning_rate * step.weight_decay) as f32,
        beta: [a as f32, b as f32],
        rest: [(1.0 - a) as f32, (1.0 - b) as f32],
        rate: (step.learning_rate / (1.0 - a.powi(times))) as f32,
        root: (1.0 / (1.0 - b.powi(times)).sqrt()) as f32,
        epsilon: step.epsilon as f32,
    };
    let moments = first.par_chunks_mut(PIECE).zip(second.par_chunks_mut(PIECE));
    let pieces = weights.par_chunks_mut(PIECE).zip(gradients.par_chunks_mut(PIECE)).zip(moments);
    pieces.for_each(|((weights, gradients), (first, second))| {
        piece(isa, factors, weights, gradients, first, second);
    });
}

for_each_isa! {
    fn piece(
        factors: Factors, weights: &mut [f32], gradients: &mut [f32], first: &mut [f32], second: &mut [f32]
    ) = body
}

#[inline(always)]
fn body(f: Factors, weights: &mut [f32], gradients: &mut [f32], first: &mut [f32], second: &mut [f32]) {
    let moments = first.iter_mut().zip(second);
    for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradients).zip(moments) {
        let g = *gradient * f.scale;
        *gradient = 0.0;
        *first = (g - *first).mul_add(f.rest[0], *first);
        *second = (g * g).mul_add(f.rest[1], *second * f.beta[1]);
        let length = second.sqrt().mul_add(f.root, f.epsilon);
        *weight = *weight * f.decay - f.rate * (*first / length);
    }
}

/// `Σ x²`, each piece in eight sums of `f64`.
pub fn sum_of_squares(isa: Isa, values: &[f32]) -> f64 {
    let parts = values.par_chunks(PIECE).map(|values| squares(isa, values));
    parts.collect::<Vec<f64>>().into_iter().sum()
}

for_each_isa! {
    fn squares(values: &[f32]) -> f64 = squares_body
}

#[inline(always)]
fn squares_body(values: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let value = f64::from(chunk[lane]);
            sums[lane] += value * value;
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_steps_agree_with_the_definition() {
        let (mut weights, mut first, mut second) = (vec![0.5f32, -1.0, 2.0], vec![0.0f32; 3], vec![0.0f32; 3]);
        let (mut w, mut m, mut v) = ([0.5f64, -1.0, 2.0], [0.0f64; 3], [0.0f64; 3]);
        for step in 1..=3u64 {
            let mut gradients = [0.3f32, -20.0, 1e-4].map(|gradient| gradient * step as f32);
            let update = AdamW {
                gradient_scale: 0.5,
                learning_rate: 0.01,
                betas: [0.9, 0.95],
                epsilon: 1e-8,
                weight_decay: 0.1,
                step,
            };
            for i in 0..3 {
                let g = f64::from(gradients[i]) * 0.5;
                w[i] *= 1.0 - 0.01 * 0.1;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.95 * v[i] + 0.05 * g * g;
                let length = (v[i] / (1.0 - 0.95f64.powi(step as i32))).sqrt() + 1e-8;
                w[i] -= 0.01 * m[i] / (1.0 - 0.9f64.powi(step as i32)) / length;
            }
            adamw(Isa::best(), update, &mut weights, &mut gradients, &mut first, &mut second);
            assert_eq!(gradients, [0.0; 3]);
        }
        for (found, expected) in weights.iter().zip(w) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        assert_eq!(sum_of_squares(Isa::best(), &[3.0; 21]), 189.0);
    }
}
