//! The weights of a linear layer as they are in memory: in blocks of neighbouring columns, as numbers of one of four types.

use super::lanes::Element;
use super::pairs::{Pairs, Terms};
use super::tile::COLUMN_BLOCK;
use super::unit::Unit;
use half::{bf16, f16};
use rayon::prelude::*;

/// The number type of weights in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightType {
    /// 32 bits.
    F32,
    /// 16 bits, more digits, a small range.
    F16,
    /// 16 bits, fewer digits, the range of 32 bits.
    Bf16,
    /// 8 bits: whole numbers, and a scale for each output.
    Int8,
}

/// In which numbers inputs and weights are multiplied. Sums are of 32 bits in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// 32 bits.
    F32,
    /// Both rounded to `bf16`.
    Bf16(Unit),
    /// Both split into three numbers of `bf16`, which together have the digits of 32 bits. The six products are summed of which none
    /// is below the 2⁻¹⁶th part of the largest.
    SplitBf16(Unit),
}

/// The order of a weight matrix in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `[inputs, outputs]`: GPT-2's `Conv1D`.
    InputsFirst,
    /// `[outputs, inputs]`: embeddings, and linear layers of nearly everything else.
    OutputsFirst,
}

/// A matrix as it is in its file, row-major.
pub(super) struct Matrix<'a, S> {
    pub(super) values: &'a [S],
    pub(super) order: Order,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// `[column blocks][inputs][COLUMN_BLOCK]`; columns after the last are zero.
pub(super) struct PackedWeights<T> {
    values: Vec<T>,
    /// Where they begin in their allocation, so that registers are loaded from whole cache lines.
    start: usize,
}

/// Packed weights of one of the number types.
pub(super) enum Weights {
    F32(PackedWeights<f32>),
    F16(PackedWeights<f16>),
    Bf16(PackedWeights<bf16>),
    /// And what the numbers of each column are to be multiplied by, `[column blocks][COLUMN_BLOCK]`.
    Int8(PackedWeights<i8>, Vec<f32>),
    Pairs(Pairs),
}

impl WeightType {
    /// The numbers of a column block, `[inputs][COLUMN_BLOCK]`, as this type has them: without their scales, which are set.
    pub(super) fn rounded(self, block: &[f32], scales: &mut [f32]) -> Vec<f32> {
        match self {
            WeightType::F32 => block.to_vec(),
            WeightType::F16 => block.iter().map(|value| f16::from_f32(*value).to_f32()).collect(),
            WeightType::Bf16 => block.iter().map(|value| bf16::from_f32(*value).to_f32()).collect(),
            WeightType::Int8 => {
                let mut numbers = vec![0i8; block.len()];
                quantize(block, &mut numbers, scales);
                numbers.into_iter().map(f32::from).collect()
            }
        }
    }
}

impl Weights {
    /// Rounds a matrix to a number type. Nothing of it is held in 32 bits but a column block for each thread.
    pub(super) fn pack<S>(numbers: WeightType, products: Products, matrix: &Matrix<'_, S>) -> Weights
    where
        S: Copy + Sync + Into<f32>,
    {
        match products {
            Products::Bf16(unit) => return Weights::Pairs(Pairs::pack(numbers, unit, Terms::One, matrix)),
            Products::SplitBf16(unit) => return Weights::Pairs(Pairs::pack(numbers, unit, Terms::Three, matrix)),
            Products::F32 => (),
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
        }
    }
}

impl<T: Element> PackedWeights<T> {
    /// Every column block is gathered in 32 bits, `[inputs][COLUMN_BLOCK]`, and encoded, with `COLUMN_BLOCK` of the
    /// scales.
    fn pack<S: Copy + Sync + Into<f32>>(
        matrix: &Matrix<'_, S>,
        scales: &mut [f32],
        encode: impl Fn(&[f32], &mut [T], &mut [f32]) + Sync,
    ) -> Self {
        Self::pack_as(matrix, matrix.inputs, scales, encode)
    }

    /// The same with `steps` values in a column.
    pub(super) fn pack_as<S: Copy + Sync + Into<f32>>(
        matrix: &Matrix<'_, S>,
        steps: usize,
        scales: &mut [f32],
        encode: impl Fn(&[f32], &mut [T], &mut [f32]) + Sync,
    ) -> Self {
        let block = steps * COLUMN_BLOCK;
        let line = 64 / size_of::<T>();
        let size = matrix.outputs.div_ceil(COLUMN_BLOCK) * block;
        let mut values = vec![T::default(); size + line];
        let start = values.as_ptr().align_offset(64).min(line);
        let blocks = values[start..start + size].par_chunks_mut(block.max(1));
        blocks.zip(scales.par_chunks_mut(COLUMN_BLOCK)).enumerate().for_each_init(
            || vec![0.0; matrix.inputs * COLUMN_BLOCK],
            |gathered, (index, (packed, scales))| {
                matrix.gather(index, gathered);
                encode(gathered, packed, scales);
            },
        );
        PackedWeights { values, start }
    }

    /// The first value of the first column block.
    pub(super) fn as_ptr(&self) -> *const T {
        self.values[self.start..].as_ptr()
    }

    /// All values.
    pub(super) fn values(&self) -> &[T] {
        &self.values[self.start..]
    }

    /// The numbers of one output, `[inputs]`.
    pub(super) fn column(&self, output: usize, into: &mut [f32])
    where
        T: Into<f32>,
    {
        let first = self.start + output / COLUMN_BLOCK * into.len() * COLUMN_BLOCK + output % COLUMN_BLOCK;
        for (k, value) in into.iter_mut().enumerate() {
            *value = self.values[first + k * COLUMN_BLOCK].into();
        }
    }
}

impl<S: Copy + Into<f32>> Matrix<'_, S> {
    /// The columns of a column block, `[inputs][COLUMN_BLOCK]`.
    fn gather(&self, block: usize, into: &mut [f32]) {
        let Matrix { values, order, inputs, outputs } = *self;
        let columns = COLUMN_BLOCK.min(outputs - block * COLUMN_BLOCK);
        let (row, column) = match order {
            Order::InputsFirst => (outputs, 1),
            Order::OutputsFirst => (1, inputs),
        };
        for (k, into) in into.chunks_exact_mut(COLUMN_BLOCK).enumerate() {
            into[columns..].fill(0.0);
            for (c, into) in into[..columns].iter_mut().enumerate() {
                *into = values[k * row + (block * COLUMN_BLOCK + c) * column].into();
            }
        }
    }
}

/// Packed weights of numbers that are rounded each by itself.
fn rounded<S, T>(matrix: &Matrix<'_, S>, round: impl Fn(f32) -> T + Sync) -> PackedWeights<T>
where
    S: Copy + Sync + Into<f32>,
    T: Element,
{
    // Nothing is scaled, but there is one chunk of scales for each column block.
    let mut unused = vec![0.0; matrix.outputs.next_multiple_of(COLUMN_BLOCK)];
    PackedWeights::pack(matrix, &mut unused, |block, into, _| {
        into.iter_mut().zip(block).for_each(|(into, value)| *into = round(*value));
    })
}

/// Whole numbers from -127 to 127, and for each column what they are multiplied by: its largest weight becomes 127.
fn quantize(block: &[f32], into: &mut [i8], scales: &mut [f32]) {
    let mut largest = [0.0f32; COLUMN_BLOCK];
    // Becomes `NaN` where a weight is not finite, so that damage shows in results as it does in other number types.
    let mut damage = [0.0f32; COLUMN_BLOCK];
    for row in block.chunks_exact(COLUMN_BLOCK) {
        for (c, value) in row.iter().enumerate() {
            largest[c] = largest[c].max(value.abs());
            damage[c] += value * 0.0;
        }
    }
    for (c, scale) in scales.iter_mut().enumerate() {
        *scale = largest[c] / 127.0 + damage[c];
    }
    for (row, into) in block.chunks_exact(COLUMN_BLOCK).zip(into.chunks_exact_mut(COLUMN_BLOCK)) {
        for (c, (value, into)) in row.iter().zip(into).enumerate() {
            // In a column of zeros it is no number, which becomes zero.
            *into = (value / scales[c]).round_ties_even().clamp(-127.0, 127.0) as i8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let stored = |c: usize| (0..4).map(|k| packed.values[packed.start + k * COLUMN_BLOCK + c]).collect::<Vec<i8>>();
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
