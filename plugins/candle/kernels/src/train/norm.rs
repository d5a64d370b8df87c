//! Layer normalization and its gradient.

use super::sums::{ROWS, add_parts};
use crate::Isa;
use crate::lanes::for_each_isa;
use crate::math::sum_of;
use rayon::prelude::*;

/// `(x - mean) / √(variance + epsilon) · weight + bias` for each row. `moments` gets mean and `1 / √(variance + epsilon)`
/// of each row, for [`norm_backward`].
pub fn norm(isa: Isa, x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32], moments: &mut [[f32; 2]]) {
    let width = weight.len();
    assert!(x.len() == y.len() && x.len() == moments.len() * width && bias.len() == width, "rows of {width}");
    let rows = y.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width)).zip(moments.par_chunks_mut(ROWS));
    rows.for_each(|((y, x), moments)| {
        forward(isa, x, weight, bias, epsilon, y, moments);
    });
}

for_each_isa! {
    fn forward(
        x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32], moments: &mut [[f32; 2]]
    ) = forward_body
}

#[inline(always)]
fn forward_body(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32], moments: &mut [[f32; 2]]) {
    let width = weight.len();
    for ((x, y), moments) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(moments) {
        let mean = sum_of(x, |x| x) / width as f32;
        let variance = sum_of(x, |x| (x - mean) * (x - mean)) / width as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for (((y, x), w), b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = ((x - mean) * scale).mul_add(*w, *b);
        }
        *moments = [mean, scale];
    }
}

/// Takes the gradient of `y` back: adds to `x_gradient`, and to the gradients of weight and bias.
pub fn norm_backward(
    isa: Isa,
    y_gradient: &[f32],
    x: &[f32],
    weight: &[f32],
    moments: &[[f32; 2]],
    x_gradient: &mut [f32],
    parameters: (&mut [f32], &mut [f32]),
) {
    let width = weight.len();
    assert!(x.len() == x_gradient.len() && x.len() == y_gradient.len(), "as many gradients as values");
    assert_eq!(x.len(), moments.len() * width, "moments of each row");
    let rows = x_gradient.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width));
    let rows = rows.zip(y_gradient.par_chunks(ROWS * width)).zip(moments.par_chunks(ROWS));
    let parts = rows.map(|(((x_gradient, x), y_gradient), moments)| {
        let mut part = vec![0.0f32; 2 * width];
        let mut scratch = vec![0.0f32; 2 * width];
        backward(isa, y_gradient, x, weight, moments, x_gradient, &mut part, &mut scratch);
        part
    });
    let mut both = vec![0.0f32; 2 * width];
    add_parts(parts.collect(), &mut both);
    for (gradients, sums) in [parameters.0, parameters.1].into_iter().zip(both.chunks_exact(width)) {
        gradients.iter_mut().zip(sums).for_each(|(gradient, sum)| *gradient += sum);
    }
}

for_each_isa! {
    fn backward(
        y_gradient: &[f32], x: &[f32], weight: &[f32], moments: &[[f32; 2]], x_gradient: &mut [f32], sums: &mut [f32],
        scratch: &mut [f32]
    ) = backward_body
}

/// With `n = (x - mean) · scale` and `g = y' · weight`: `x' = scale · (g - mean(g) - n · mean(g · n))`.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "kernels take their shapes one by one")]
fn backward_body(
    y_gradient: &[f32],
    x: &[f32],
    weight: &[f32],
    moments: &[[f32; 2]],
    x_gradient: &mut [f32],
    sums: &mut [f32],
    scratch: &mut [f32],
) {
    let width = weight.len();
    let (weights, biases) = sums.split_at_mut(width);
    let (scaled, products) = scratch.split_at_mut(width);
    let rows = x.chunks_exact(width).zip(y_gradient.chunks_exact(width)).zip(x_gradient.chunks_exact_mut(width));
    for (((x, y_gradient), x_gradient), &[mean, scale]) in rows.zip(moments) {
        for i in 0..width {
            let normal = (x[i] - mean) * scale;
            weights[i] += y_gradient[i] * normal;
            biases[i] += y_gradient[i];
            scaled[i] = y_gradient[i] * weight[i];
            products[i] = scaled[i] * normal;
        }
        let mean_scaled = sum_of(scaled, |value| value) / width as f32;
        let mean_product = sum_of(products, |value| value) / width as f32;
        for i in 0..width {
            let normal = (x[i] - mean) * scale;
            x_gradient[i] += scale * (scaled[i] - mean_scaled - normal * mean_product);
        }
    }
}
