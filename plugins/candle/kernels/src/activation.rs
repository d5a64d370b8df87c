//! Activation functions, element by element.

use super::isa::Isa;
use super::lanes::for_each_isa;
use super::math::{exp, tanh};
use examiner_lm::checkpoint::Activation;
use rayon::prelude::*;

/// Replaces every value by its activation, on this thread alone.
pub fn activate(activation: Activation, isa: Isa, values: &mut [f32]) {
    on_lanes(isa, activation, values);
}

/// For rows of `[gate, up]`, the activation of `gate` times `up`: rows of half the width.
pub fn gate(activation: Activation, isa: Isa, rows: &[f32], width: usize, output: &mut [f32]) {
    const ROWS: usize = 8;
    assert_eq!(rows.len(), 2 * output.len(), "rows of {width} and {width}");
    output.par_chunks_mut(ROWS * width).zip(rows.par_chunks(2 * ROWS * width)).for_each(|(output, rows)| {
        for (output, row) in output.chunks_exact_mut(width).zip(rows.chunks_exact(2 * width)) {
            let (gate, up) = row.split_at(width);
            output.copy_from_slice(gate);
            activate(activation, isa, output);
            output.iter_mut().zip(up).for_each(|(value, up)| *value *= up);
        }
    });
}

/// `cap · tanh(x / cap)` in place of every value.
pub fn softcap(isa: Isa, cap: f32, values: &mut [f32]) {
    values.par_chunks_mut(1 << 14).for_each(|chunk| cap_lanes(isa, cap, chunk));
}

for_each_isa! {
    fn cap_lanes(cap: f32, values: &mut [f32]) = cap_body
}

#[inline(always)]
fn cap_body(cap: f32, values: &mut [f32]) {
    values.iter_mut().for_each(|x| *x = cap * tanh(*x / cap));
}

for_each_isa! {
    fn on_lanes(activation: Activation, values: &mut [f32]) = activate_body
}

#[inline(always)]
pub(super) fn activate_body(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::GeluTanh => values.iter_mut().for_each(|x| *x = gelu_tanh(*x)),
        Activation::Gelu => values.iter_mut().for_each(|x| *x = gelu(*x)),
        Activation::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        Activation::Silu => values.iter_mut().for_each(|x| *x /= 1.0 + exp(-*x)),
    }
}

/// `x/2·(1 + tanh u)` with `u = √(2/π)·(x + 0.044715·x³)`, written as `x·sigmoid(2u)`, which is the same.
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_ROOT: f32 = 1.595_769;
    let u = (x * x).mul_add(0.044_715 * x, x);
    x / (1.0 + exp(-TWICE_ROOT * u))
}

fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definitions() {
        let tanh = |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
        // Φ(1) and Φ(-2), from a table.
        let values = [(1.0f32, 0.841_344_746_f64), (-2.0, -2.0 * 0.022_750_132), (0.0, 0.0)];
        for (x, expected) in values {
            let mut got = [x];
            activate(Activation::Gelu, Isa::best(), &mut got);
            assert!((f64::from(got[0]) - expected).abs() < 1e-7, "gelu({x}) = {}", got[0]);
        }
        let inputs: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.003).collect();
        let mut found = inputs.clone();
        activate(Activation::GeluTanh, Isa::best(), &mut found);
        for (x, y) in inputs.iter().zip(&found) {
            assert!((f64::from(*y) - tanh(f64::from(*x))).abs() < 1e-6, "gelu_new({x}) = {y}");
        }
        let mut relu = [-1.0, 2.0];
        activate(Activation::Relu, Isa::best(), &mut relu);
        assert_eq!(relu, [0.0, 2.0]);
        let mut silu = [0.0, 1.0];
        activate(Activation::Silu, Isa::best(), &mut silu);
        assert!((silu[1] - 0.731_058_6).abs() < 1e-6);
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let inputs: Vec<f32> = (-999..1000).map(|i| i as f32 * 0.0123).collect();
        for activation in [Activation::GeluTanh, Activation::Gelu, Activation::Relu, Activation::Silu] {
            let mut expected = inputs.clone();
            activate(activation, Isa::best(), &mut expected);
            for isa in Isa::available() {
                let mut found = inputs.clone();
                activate(activation, isa, &mut found);
                assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{activation:?} {isa:?}");
            }
        }
    }

    #[test]
    fn gates_and_caps_are_what_they_say() {
        let rows: Vec<f32> = (0..2 * 2 * 19).map(|i| (i * 37 % 101) as f32 / 25.0 - 2.0).collect();
        let mut found = vec![0.0; 2 * 19];
        gate(Activation::Silu, Isa::best(), &rows, 19, &mut found);
        for (index, value) in found.iter().enumerate() {
            let (row, column) = (index / 19, index % 19);
            let (gate, up) = (f64::from(rows[row * 38 + column]), f64::from(rows[row * 38 + 19 + column]));
            let expected = gate / (1.0 + (-gate).exp()) * up;
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{value}, expected {expected}");
        }
        let capped = |isa| {
            let mut values = rows.clone();
            softcap(isa, 1.5, &mut values);
            values
        };
        let found = capped(Isa::best());
        for (x, y) in rows.iter().zip(&found) {
            assert!((f64::from(*y) - 1.5 * (f64::from(*x) / 1.5).tanh()).abs() < 1e-6, "cap of {x} is {y}");
        }
        for isa in Isa::available() {
            assert!(capped(isa).iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}");
        }
    }
}
