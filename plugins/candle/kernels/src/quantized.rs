//! Weights that stay in the blocks of small whole numbers in which GGUF files have them.
//!
//! A block's numbers are `w = number · scale + minimum`, with a scale (and a minimum, in some formats) for 16 or 32 neighbours
//! of one output. `number · scale` has at most 24 digits in every format, so it is exact in `f32`, and `w` is rounded
//! once at most: fused or not, on every machine, it is what the reference computes. What is multiplied are these `w`, by the same
//! chains as weights of 32 bits, so that not a bit of a result says how the weights lie in memory.
//!
//! Few rows have their weights computed in registers, just before they are used, because such a product waits for memory. For more, a
//! strip of weights is written in 32 bits to a buffer in a near cache, and multiplied from there.

mod blocks;
mod bytes;
mod formats;
mod integers;
mod multiply;
mod numbers;
mod rows;
mod words;

pub use formats::BlockFormat;
pub(super) use rows::ByteRows;

use super::packed_weights::{Matrix, PackedWeights, quantize};
use super::tile::COLUMN_BLOCK;
use blocks::pack;
use half::f16;
use rayon::prelude::*;
use std::ops::Range;

/// Outputs of a linear layer as they are in a file: for each of them, blocks of all its inputs.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'a> {
    /// What the bytes are.
    pub format: BlockFormat,
    /// Whole blocks, `[outputs][blocks]`.
    pub bytes: &'a [u8],
    /// How many outputs there are.
    pub outputs: usize,
}

/// Columns whose blocks lie side by side: those of the first inputs of all of them, then those of the next ones, and so on. Whoever
/// multiplies so many columns at the same time reads memory from its beginning to its end.
const PANEL: usize = 4 * COLUMN_BLOCK;

/// What inputs are rounded to before they are multiplied by weights in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockInputs {
    /// They stay as they are, and so do weights: results are those of the numbers that blocks stand for.
    F32,
    /// Whole numbers of 8 bits, with a scale for every 32 of them, as `Q8_0` has them. Their products with the numbers of blocks are
    /// summed in integers.
    Int8,
}

/// The weights of a linear layer, in parts that may differ in their format.
pub(super) struct Quantized {
    parts: Vec<Part>,
    pub(super) inputs: BlockInputs,
    /// What the numbers of each column are to be multiplied by, where blocks have no scales of their own.
    pub(super) scales: Option<Vec<f32>>,
}

/// Neighbouring outputs of one format.
struct Part {
    format: BlockFormat,
    inputs: usize,
    /// Of the layer. They begin at a column block.
    columns: Range<usize>,
    /// `[panels][blocks][column blocks of a panel]`: of each block what its format says.
    bytes: Vec<u8>,
    /// Where they begin in their allocation: at a cache line.
    start: usize,
}

impl Quantized {
    /// Packs the outputs of several pieces, one after the other.
    ///
    /// # Panics
    /// If a piece is not as large as it says, or one that another follows is not of whole column blocks.
    pub(super) fn pack(pieces: &[Blocks<'_>], inputs: usize, rounded: BlockInputs) -> Self {
        let mut first = 0;
        let part = |piece: &Blocks<'_>| {
            assert_eq!(first % COLUMN_BLOCK, 0, "only the last piece may have a part of a column block");
            let columns = first..first + piece.outputs;
            first = columns.end;
            Part::pack(piece, inputs, columns)
        };
        Quantized { parts: pieces.iter().map(part).collect(), inputs: rounded, scales: None }
    }

    /// Rounds weights to 8 bits, with a scale for each output, as the number type `int8` does, for products with inputs that are rounded,
    /// too. None if inputs do not fill blocks.
    pub(super) fn pack_int8<S: Copy + Sync + Into<f32>>(matrix: &Matrix<'_, S>) -> Option<Self> {
        const ONE: [u8; 2] = f16::ONE.to_le_bytes();
        let (inputs, outputs) = (matrix.inputs, matrix.outputs);
        let (numbers, size) = BlockFormat::Q8_0.block();
        if inputs == 0 || !inputs.is_multiple_of(numbers) {
            return None;
        }
        let mut scales = vec![0.0; outputs.next_multiple_of(COLUMN_BLOCK)];
        let packed = PackedWeights::<i8>::pack(matrix, &mut scales, quantize);
        let row = inputs / numbers * size;
        let mut bytes = vec![0; outputs * row];
        bytes.par_chunks_mut(row).enumerate().for_each(|(output, row)| {
            let mut column = vec![0.0; inputs];
            packed.column(output, &mut column);
            for (block, column) in row.chunks_exact_mut(size).zip(column.chunks_exact(numbers)) {
                block[..2].copy_from_slice(&ONE);
                block[2..].iter_mut().zip(column).for_each(|(byte, number)| *byte = (*number as i8).cast_unsigned());
            }
        });
        let blocks = Blocks { format: BlockFormat::Q8_0, bytes: &bytes, outputs };
        Some(Quantized { scales: Some(scales), ..Self::pack(&[blocks], inputs, BlockInputs::Int8) })
    }

    /// The weights of one output, `[inputs]`.
    pub(super) fn column(&self, output: usize, into: &mut [f32]) {
        if let Some(part) = self.parts.iter().find(|part| part.columns.contains(&output)) {
            part.column(output - part.columns.start, into);
        }
        if let Some(scales) = &self.scales {
            into.iter_mut().for_each(|value| *value *= scales[output]);
        }
    }
}

impl Part {
    fn pack(piece: &Blocks<'_>, inputs: usize, columns: Range<usize>) -> Self {
        let Blocks { format, bytes, outputs } = *piece;
        let (numbers, size) = format.block();
        assert!(
            inputs > 0 && inputs.is_multiple_of(numbers),
            "inputs are whole blocks of {numbers}, and these are {inputs}"
        );
        assert_eq!(bytes.len(), outputs * (inputs / numbers) * size, "{outputs} outputs of {inputs} inputs");
        let panel = inputs / numbers * format.packed_bytes() * PANEL / COLUMN_BLOCK;
        let length = outputs.div_ceil(PANEL) * panel;
        let mut packed = vec![0; length + 64];
        let start = packed.as_ptr().align_offset(64).min(64);
        pack(format, bytes, inputs / numbers * size, &mut packed[start..start + length], panel);
        Part { format, inputs, columns, bytes: packed, start }
    }

    /// The first block of the column block that a column of this part is in.
    fn first_block(&self, column: usize) -> *const u8 {
        let block = self.format.packed_bytes();
        let panel = self.inputs / self.format.block().0 * block * PANEL / COLUMN_BLOCK;
        self.bytes[self.start + column / PANEL * panel + column % PANEL / COLUMN_BLOCK * block..].as_ptr()
    }
}

#[cfg(test)]
mod tests {
    mod rounded;

    use super::BlockFormat::{Iq4Nl, Iq4Xs, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
    use super::*;
    use crate::{Finish, Isa, Linear, Order, Products, WeightType};
    use candle_core::quantized::{GgmlDType, ggml_file::qtensor_from_ggml};
    use candle_core::{Device, Tensor};
    use examiner_test_support::checkpoint::noise;
    use half::f16;
    use proptest::prelude::*;

    const ALL: [BlockFormat; 12] = [Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K, Iq4Nl, Iq4Xs];

    /// Rows of blocks of any bits, with scales and minimums that are numbers.
    fn rows_of_blocks(format: BlockFormat, outputs: usize, inputs: usize, seed: u64) -> Vec<u8> {
        let (numbers, size) = format.block();
        let halves: &[usize] = match format {
            Q4_0 | Q5_0 | Q8_0 | Iq4Nl | Iq4Xs => &[0],
            Q4_1 | Q5_1 | Q4K | Q5K => &[0, 2],
            Q2K => &[80, 82],
            Q3K => &[108],
            Q6K => &[208],
        };
        let blocks = outputs * inputs / numbers;
        let mut bytes: Vec<u8> =
            noise(blocks * size, seed).into_iter().map(|value| (value.to_bits() >> 7) as u8).collect();
        let mut scales = noise(blocks * halves.len(), seed + 1).into_iter();
        for block in bytes.chunks_exact_mut(size) {
            for (at, scale) in halves.iter().zip(&mut scales) {
                block[*at..*at + 2].copy_from_slice(&f16::from_f32(scale / 16.0).to_le_bytes());
            }
        }
        bytes
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn weights(layer: &Linear) -> Vec<f32> {
        let mut all = vec![f32::NAN; layer.inputs() * layer.outputs()];
        all.chunks_exact_mut(layer.inputs()).enumerate().for_each(|(output, into)| layer.weights_of(output, into));
        all
    }

    fn run(layer: &Linear, isa: Isa, input: &[f32]) -> Vec<f32> {
        let mut output = vec![f32::NAN; input.len() / layer.inputs() * layer.outputs()];
        layer.forward(isa, input, Finish::Nothing, &mut output);
        output
    }

    /// The two formats that candle does not have are held against the package `gguf` where GGUF files are read, as all others are.
    #[test]
    fn numbers_are_those_of_candle() {
        let (inputs, outputs) = (512, 37);
        for (format, dtype) in [
            (Q4_0, GgmlDType::Q4_0),
            (Q4_1, GgmlDType::Q4_1),
            (Q5_0, GgmlDType::Q5_0),
            (Q5_1, GgmlDType::Q5_1),
            (Q8_0, GgmlDType::Q8_0),
            (Q2K, GgmlDType::Q2K),
            (Q3K, GgmlDType::Q3K),
            (Q4K, GgmlDType::Q4K),
            (Q5K, GgmlDType::Q5K),
            (Q6K, GgmlDType::Q6K),
        ] {
            let bytes = rows_of_blocks(format, outputs, inputs, 1);
            let layer =
                Linear::pack_blocks(&[Blocks { format, bytes: &bytes, outputs }], inputs, BlockInputs::F32, None);
            let tensor = qtensor_from_ggml(dtype, &bytes, vec![outputs, inputs], &Device::Cpu).unwrap();
            let expected: Tensor = tensor.dequantize(&Device::Cpu).unwrap();
            let expected = expected.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(bits(&weights(&layer)) == bits(&expected), "{format:?}");
        }
    }

    /// Pieces of blocks of any bits.
    fn layer_of(pieces: &[(BlockFormat, usize)], inputs: usize, rounded: BlockInputs, seed: u64) -> (Linear, Vec<f32>) {
        let bytes: Vec<Vec<u8>> =
            pieces.iter().map(|&(format, outputs)| rows_of_blocks(format, outputs, inputs, seed)).collect();
        let pieces = pieces.iter().zip(&bytes);
        let pieces: Vec<Blocks<'_>> =
            pieces.map(|(&(format, outputs), bytes)| Blocks { format, bytes, outputs }).collect();
        let bias = noise(pieces.iter().map(|piece| piece.outputs).sum(), seed + 2);
        (Linear::pack_blocks(&pieces, inputs, rounded, Some(&bias)), bias)
    }

    /// The layer in blocks, and the same with its numbers in 32 bits.
    fn both(pieces: &[(BlockFormat, usize)], inputs: usize, seed: u64) -> [Linear; 2] {
        let (quantized, bias) = layer_of(pieces, inputs, BlockInputs::F32, seed);
        let outputs = quantized.outputs();
        let numbers = weights(&quantized);
        let plain =
            Linear::pack(WeightType::F32, Products::F32, &numbers, Order::OutputsFirst, inputs, outputs, Some(&bias));
        [quantized, plain]
    }

    #[test]
    fn not_a_bit_differs_from_weights_of_32_bits_for_any_number_of_rows() {
        for format in ALL {
            let (inputs, outputs) = (1280, 85);
            let [quantized, plain] = both(&[(format, outputs)], inputs, 7);
            let input = noise(125 * inputs, 8);
            for isa in Isa::available() {
                for rows in (1..=30).chain([125]) {
                    let input = &input[..rows * inputs];
                    let (found, expected) = (run(&quantized, isa, input), run(&plain, Isa::best(), input));
                    assert!(bits(&found) == bits(&expected), "{format:?} {isa:?} {rows} rows");
                }
            }
        }
    }

    prop_compose! {
        /// Rows of input, pieces of a layer with their outputs, inputs, and a seed.
        fn shapes()(
            rows in 1usize..20,
            blocks in 1usize..5,
            pieces in prop::collection::vec((prop::sample::select(ALL.to_vec()), 1usize..6), 0..3),
            last in prop::sample::select(ALL.to_vec()),
            outputs in 1usize..150,
            seed in 1u64..1000,
        ) -> (usize, Vec<(BlockFormat, usize)>, usize, u64) {
            let whole = |(format, blocks)| (format, blocks * COLUMN_BLOCK);
            let mut pieces: Vec<_> = pieces.into_iter().map(whole).collect();
            pieces.push((last, outputs));
            let most = pieces.iter().map(|(format, _)| format.block().0).max().unwrap_or(0);
            // A few blocks of 32 after each other, or of 256, where a strip ends between the third and the fourth.
            (rows, pieces, blocks * most, seed)
        }
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(24))]

        #[test]
        fn not_a_bit_differs_for_any_shape_and_any_pieces((rows, pieces, inputs, seed) in shapes()) {
            let [quantized, plain] = both(&pieces, inputs, seed);
            let input = noise(rows * inputs, seed + 3);
            let expected = run(&plain, Isa::best(), &input);
            for isa in Isa::available() {
                prop_assert!(bits(&run(&quantized, isa, &input)) == bits(&expected), "{:?} {:?}", pieces, isa);
            }
        }
    }

    #[test]
    fn a_pack_is_hardly_larger_than_its_file() {
        for format in ALL {
            let bytes = rows_of_blocks(format, 64, 1024, 3);
            let blocks = Blocks { format, bytes: &bytes, outputs: 64 };
            let parts = Quantized::pack(&[blocks], 1024, BlockInputs::F32).parts;
            let size = (parts[0].bytes.len() - 64) as f64 / bytes.len() as f64;
            assert!((1.0..1.04).contains(&size), "{format:?}: {size}");
        }
    }
}
