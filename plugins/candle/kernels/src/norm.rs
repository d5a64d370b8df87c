//! Normalization, row by row.

use super::isa::Isa;
use super::lanes::for_each_isa;
use super::math::sum_of;
use rayon::prelude::*;
use std::ops::Range;

/// `(x - mean) / √(variance + epsilon) · weight + bias` for each row of `input`, `[rows, weight.len()]`.
pub fn layer_norm(isa: Isa, input: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, output: &mut [f32]) {
    const ROWS: usize = 16;
    let width = weight.len();
    assert!(input.len() == output.len() && bias.len() == width, "rows of {width}");
    output.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * width)).for_each(|(output, input)| {
        norm_rows(isa, input, weight, bias, epsilon, output);
    });
}

for_each_isa! {
    fn norm_rows(input: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, output: &mut [f32]) = body
}

#[inline(always)]
fn body(input: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, output: &mut [f32]) {
    let width = weight.len();
    for (x, y) in input.chunks_exact(width).zip(output.chunks_exact_mut(width)) {
        let mean = sum_of(x, |x| x) / width as f32;
        let variance = sum_of(x, |x| (x - mean) * (x - mean)) / width as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for (((y, x), w), b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = ((x - mean) * scale).mul_add(*w, *b);
        }
    }
}

/// `x / √(mean(x²) + epsilon) · weight`, in place, for each stretch of `weight.len()` values in the given columns of each
/// row: a whole row, or its heads one by one.
pub fn rms_norm(isa: Isa, values: &mut [f32], row: usize, columns: Range<usize>, weight: &[f32], epsilon: f32) {
    const ROWS: usize = 16;
    assert!(columns.end <= row && columns.len().is_multiple_of(weight.len()), "stretches of {}", weight.len());
    assert!(values.len().is_multiple_of(row), "rows of {row}");
    values.par_chunks_mut(ROWS * row).for_each(|rows| {
        for row in rows.chunks_exact_mut(row) {
            scale_stretches(isa, &mut row[columns.clone()], weight, epsilon);
        }
    });
}

for_each_isa! {
    fn scale_stretches(values: &mut [f32], weight: &[f32], epsilon: f32) = rms_body
}

#[inline(always)]
fn rms_body(values: &mut [f32], weight: &[f32], epsilon: f32) {
    for stretch in values.chunks_exact_mut(weight.len()) {
        let mean = sum_of(stretch, |x| x * x) / weight.len() as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        for (x, w) in stretch.iter_mut().zip(weight) {
            *x = *x * scale * w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_f64_and_between_instruction_sets() {
        let width = 37;
        let input: Vec<f32> = (0..5 * width).map(|i| ((i * 7919) % 1000) as f32 / 300.0 - 1.0).collect();
        let weight: Vec<f32> = (0..width).map(|i| 1.0 + i as f32 / 50.0).collect();
        let bias: Vec<f32> = (0..width).map(|i| i as f32 / 90.0).collect();
        let run = |isa| {
            let mut output = vec![0.0; input.len()];
            layer_norm(isa, &input, &weight, &bias, 1e-5, &mut output);
            output
        };
        let found = run(Isa::best());
        for (row, (x, y)) in input.chunks(width).zip(found.chunks(width)).enumerate() {
            let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
            let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / width as f64;
            for i in 0..width {
                let expected = (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i]);
                assert!((expected + f64::from(bias[i]) - f64::from(y[i])).abs() < 1e-5, "row {row}, column {i}");
            }
        }
        for isa in Isa::available() {
            assert!(run(isa).iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}");
        }
    }

    #[test]
    fn stretches_of_a_row_are_scaled_each_by_itself() {
        let (row, width) = (50, 16);
        let input: Vec<f32> = (0..3 * row).map(|i| ((i * 7919) % 1000) as f32 / 300.0 - 1.0).collect();
        let weight: Vec<f32> = (0..width).map(|i| 1.0 + i as f32 / 50.0).collect();
        let run = |isa| {
            let mut values = input.clone();
            rms_norm(isa, &mut values, row, 2..34, &weight, 1e-5);
            values
        };
        let found = run(Isa::best());
        for (i, (x, y)) in input.iter().zip(&found).enumerate() {
            let (first, column) = (i / row * row, i % row);
            if !(2..34).contains(&column) {
                assert_eq!(x, y, "column {column} is none of those");
                continue;
            }
            let offset = (column - 2) % width;
            let stretch = &input[first + column - offset..][..width];
            let mean = stretch.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / width as f64;
            let expected = f64::from(*x) / (mean + 1e-5).sqrt() * f64::from(weight[offset]);
            assert!((expected - f64::from(*y)).abs() < 1e-5, "at {i}: {y}, expected {expected}");
        }
        for isa in Isa::available() {
            assert!(run(isa).iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}");
        }
    }
}
