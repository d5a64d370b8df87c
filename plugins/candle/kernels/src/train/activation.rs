//! Activation functions that keep their input, and their gradients.

use crate::lanes::for_each_isa;
use crate::math::exp;
use crate::{Isa, activate as activate_in_place};
use examiner_lm::checkpoint::Activation;
use rayon::prelude::*;

const PIECE: usize = 1 << 14;

/// `y = activation(x)`.
pub fn activate(isa: Isa, activation: Activation, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "as many outputs as inputs");
    y.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(y, x)| {
        y.copy_from_slice(x);
        activate_in_place(activation, isa, y);
    });
}

/// Turns the gradient of the output, in place, into that of the input `x`.
pub fn activate_backward(isa: Isa, activation: Activation, x: &[f32], gradient: &mut [f32]) {
    assert_eq!(x.len(), gradient.len(), "as many gradients as inputs");
    gradient.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(gradient, x)| {
        backward(isa, activation, x, gradient);
    });
}

for_each_isa! {
    fn backward(activation: Activation, x: &[f32], gradient: &mut [f32]) = body
}

#[inline(always)]
fn body(activation: Activation, x: &[f32], gradient: &mut [f32]) {
    let each = gradient.iter_mut().zip(x);
    match activation {
        Activation::GeluTanh => each.for_each(|(gradient, x)| *gradient *= gelu_tanh(*x)),
        Activation::Gelu => each.for_each(|(gradient, x)| *gradient *= gelu(*x)),
        Activation::Relu => each.for_each(|(gradient, x)| *gradient *= if *x > 0.0 { 1.0 } else { 0.0 }),
        Activation::Silu => each.for_each(|(gradient, x)| *gradient *= silu(*x)),
    }
}

/// `x·s(v)` with `v = 2√(2/π)·(x + 0.044715·x³)` and the sigmoid `s` has the slope `s + x·s·(1 - s)·v'`.
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_ROOT: f32 = 1.595_769;
    let square = x * x;
    let v = TWICE_ROOT * square.mul_add(0.044_715 * x, x);
    let slope = TWICE_ROOT * square.mul_add(3.0 * 0.044_715, 1.0);
    let s = 1.0 / (1.0 + exp(-v));
    (x * s * (1.0 - s)).mul_add(slope, s)
}

/// `Φ(x) + x·φ(x)`.
fn gelu(x: f32) -> f32 {
    use std::f64::consts::{FRAC_1_SQRT_2, PI};
    let x = f64::from(x);
    let below = 0.5 * (1.0 + libm::erf(x * FRAC_1_SQRT_2));
    (below + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt()) as f32
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    let s = 1.0 / (1.0 + exp(-x));
    (x * s).mul_add(1.0 - s, s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_functions() {
        let x: Vec<f32> = (-60..60).map(|i| i as f32 * 0.1 + 0.03).collect();
        for activation in [Activation::GeluTanh, Activation::Gelu, Activation::Relu, Activation::Silu] {
            let at = |shift: f32| {
                let mut values: Vec<f32> = x.iter().map(|x| x + shift).collect();
                activate_in_place(activation, Isa::best(), &mut values);
                values
            };
            let mut slopes = vec![2.0; x.len()];
            activate_backward(Isa::best(), activation, &x, &mut slopes);
            for ((slope, above), below) in slopes.iter().zip(at(0.01)).zip(at(-0.01)) {
                assert!((slope - 2.0 * (above - below) / 0.02).abs() < 2e-3, "{activation:?}: {slope}");
            }
            let mut y = vec![0.0; x.len()];
            activate(Isa::best(), activation, &x, &mut y);
            assert_eq!(y, at(0.0));
        }
    }
}
