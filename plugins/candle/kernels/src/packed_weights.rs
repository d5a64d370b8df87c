//! Weights in blocks of neighbouring columns, as numbers of one of four types.

use super::elements::Element;
use super::tile::COLUMN_BLOCK;
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

impl<T: Element> PackedWeights<T> {
    /// Every column block is gathered in 32 bits, `[inputs][COLUMN_BLOCK]`, and encoded, with `COLUMN_BLOCK` of the
    /// scales.
    pub(super) fn pack<S: Copy + Sync + Into<f32>>(
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
pub(super) fn rounded<S, T>(matrix: &Matrix<'_, S>, round: impl Fn(f32) -> T + Sync) -> PackedWeights<T>
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
pub(super) fn quantize(block: &[f32], into: &mut [i8], scales: &mut [f32]) {
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
