//! The weights of a linear layer as they are in memory, in whatever form.

use super::packed_weights::{Matrix, PackedWeights, WeightType, quantize, rounded};
use super::pairs::{Pairs, Terms};
use super::quantized::Quantized;
use super::tile::COLUMN_BLOCK;
use super::unit::Unit;
use half::{bf16, f16};

/// In which numbers inputs and weights are multiplied. Sums are of 32 bits in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// 32 bits.
    F32,
    /// Both rounded to `bf16`. But where weights are whole numbers, in blocks or of 8 bits, inputs are rounded to whole numbers of 8 bits.
    Bf16(Unit),
    /// Where weights are whole numbers, inputs are rounded to whole numbers of 8 bits. Others are multiplied in 32 bits.
    Int8,
    /// Both split into three numbers of `bf16`, which together have the digits of 32 bits. The six products are summed of which none
    /// is below the 2⁻¹⁶th part of the largest.
    SplitBf16(Unit),
}

/// Packed weights.
pub(super) enum Weights {
    F32(PackedWeights<f32>),
    F16(PackedWeights<f16>),
    Bf16(PackedWeights<bf16>),
    /// And what the numbers of each column are to be multiplied by, `[column blocks][COLUMN_BLOCK]`.
    Int8(PackedWeights<i8>, Vec<f32>),
    /// For products of `bf16`.
    Pairs(Pairs),
    /// The blocks of a file, which are not rounded to anything.
    Quantized(Quantized),
}

impl Weights {
    /// Rounds a matrix to a number type. Nothing of it is held in 32 bits but a column block for each thread.
    pub(super) fn pack<S>(numbers: WeightType, products: Products, matrix: &Matrix<'_, S>) -> Weights
    where
        S: Copy + Sync + Into<f32>,
    {
        if numbers == WeightType::Int8
            && matches!(products, Products::Bf16(_) | Products::Int8)
            && let Some(quantized) = Quantized::pack_int8(matrix)
        {
            return Weights::Quantized(quantized);
        }
        match products {
            Products::Bf16(unit) => return Weights::Pairs(Pairs::pack(numbers, unit, Terms::One, matrix)),
            Products::SplitBf16(unit) => return Weights::Pairs(Pairs::pack(numbers, unit, Terms::Three, matrix)),
            Products::F32 | Products::Int8 => (),
        }
        match numbers {
            WeightType::F32 => Weights::F32(rounded(matrix, |value| value)),
            WeightType::F16 => Weights::F16(rounded(matrix, f16::from_f32)),
            WeightType::Bf16 => Weights::Bf16(rounded(matrix, bf16::from_f32)),
            WeightType::Int8 => {
                let mut scales = vec![0.0; matrix.outputs.next_multiple_of(COLUMN_BLOCK)];
                Weights::Int8(PackedWeights::pack(matrix, &mut scales, quantize), scales)
            }
        }
    }

    /// The weights of one output, `[inputs]`.
    pub(super) fn column(&self, output: usize, into: &mut [f32]) {
        match self {
            Weights::F32(packed) => packed.column(output, into),
            Weights::F16(packed) => packed.column(output, into),
            Weights::Bf16(packed) => packed.column(output, into),
            Weights::Int8(packed, scales) => {
                packed.column(output, into);
                into.iter_mut().for_each(|value| *value *= scales[output]);
            }
            Weights::Pairs(pairs) => pairs.column(output, into),
            Weights::Quantized(weights) => weights.column(output, into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed_weights::Order;

    fn int8(values: &[f32], inputs: usize, outputs: usize) -> (Weights, Vec<f32>) {
        let matrix = Matrix { values, order: Order::OutputsFirst, inputs, outputs };
        let weights = Weights::pack(WeightType::Int8, Products::F32, &matrix);
        let mut all = vec![f32::NAN; values.len()];
        all.chunks_exact_mut(inputs).enumerate().for_each(|(output, into)| weights.column(output, into));
        (weights, all)
    }

    #[test]
    fn a_column_is_rounded_to_127_steps_of_its_largest_weight() {
        let (weights, found) = int8(&[12.7, -0.05, 0.15, -3.0, 0.25, 0.5, -0.125, 0.0], 4, 2);
        let Weights::Int8(packed, scales) = &weights else { panic!("asked for `int8`") };
        let stored = |c: usize| (0..4).map(|k| packed.values()[k * COLUMN_BLOCK + c]).collect::<Vec<i8>>();
        assert_eq!(scales[..2], [12.7 / 127.0, 0.5 / 127.0]);
        assert_eq!(stored(0), [127, 0, 2, -30], "half a step goes to the even number");
        assert_eq!(stored(1), [64, 127, -32, 0]);
        assert_eq!(found[3], -30.0 * scales[0]);
    }

    #[test]
    fn zeros_stay_zeros_and_damage_stays_damage() {
        let tiny = f32::from_bits(1);
        let (_, found) = int8(&[0.0, -0.0, tiny, 0.0, 1.0, f32::NAN, f32::INFINITY, 1.0], 2, 4);
        assert_eq!(found[..4], [0.0; 4]);
        assert!(found[4..].iter().all(|value| value.is_nan()));
    }
}
