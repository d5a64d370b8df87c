//! Weights in 4 bits, as ONNX Runtime's `MatMulNBits` takes them: blocks of 32 numbers of a row, each with a scale of its own.
//!
//! Every number becomes the nearest that its block has (RTN), as ONNX Runtime's own quantizer rounds, to the bit.

/// Numbers of a block.
pub(super) const BLOCK: usize = 32;
/// Bits of a number.
pub(super) const BITS: usize = 4;
/// The greatest number of 4 bits, and the one in the middle, which stands for 0 where no other is stored.
const MOST: f32 = 15.0;
const MIDDLE: u8 = 8;

/// How numbers are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// A block reaches as far on both sides of zero.
    Symmetric,
    /// A block reaches from its least number to its greatest; which of the 16 stands for 0 is stored.
    ZeroPoints,
}

/// What is stored of a rounded matrix, each in a tensor of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `[outputs, blocks, 16]` bytes, each of two numbers, the first in the lower bits.
    Numbers,
    /// `[outputs, blocks]`, in 32 bits.
    Scales,
    /// `[outputs, half the blocks]` bytes, in pairs likewise.
    ZeroPoints,
}

/// A part of a matrix of the checkpoint that is rounded.
#[derive(Debug, Clone)]
pub(super) struct Rounded {
    /// The tensor's name in the checkpoint.
    pub(super) tensor: String,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Whether the checkpoint has it as `[inputs, outputs]`.
    pub(super) inputs_first: bool,
    pub(super) rounding: Rounding,
    pub(super) part: Part,
}

/// A block after rounding: a number `q` stands for `scale · (q - zero_point)`.
#[derive(Debug, PartialEq)]
struct Block {
    numbers: Vec<u8>,
    scale: f32,
    zero_point: u8,
}

impl Rounding {
    /// The parts that are stored, and what their names end in.
    pub(super) fn parts(self) -> &'static [(Part, &'static str)] {
        const PARTS: [(Part, &str); 3] =
            [(Part::Numbers, "_Q4"), (Part::Scales, "_scales"), (Part::ZeroPoints, "_zero_points")];
        match self {
            Rounding::Symmetric => &PARTS[..2],
            Rounding::ZeroPoints => &PARTS,
        }
    }

    fn block(self, numbers: &[f32]) -> Block {
        let least = numbers.iter().copied().fold(0.0, f32::min);
        let greatest = numbers.iter().copied().fold(0.0, f32::max);
        let scale = match self {
            // There is one number more below the middle than above: the side that reaches farther gets it.
            Rounding::Symmetric if greatest > -least => greatest / -f32::from(MIDDLE),
            Rounding::Symmetric => least / -f32::from(MIDDLE),
            Rounding::ZeroPoints => (greatest - least) / MOST,
        };
        let reciprocal = if scale == 0.0 { 0.0 } else { scale.recip() };
        let zero_point = match self {
            Rounding::Symmetric => MIDDLE,
            Rounding::ZeroPoints if scale == 0.0 => 0,
            Rounding::ZeroPoints => (-least / scale).round().clamp(0.0, MOST) as u8,
        };
        let round = |number: &f32| (number * reciprocal + f32::from(zero_point)).round().clamp(0.0, MOST) as u8;
        Block { numbers: numbers.iter().map(round).collect(), scale, zero_point }
    }
}

impl Rounded {
    /// Where a number lies in the tensor of the checkpoint.
    pub(super) fn place(&self, output: usize, input: usize) -> usize {
        if self.inputs_first { input * self.outputs + output } else { output * self.inputs + input }
    }

    /// The shape of the part.
    pub(super) fn shape(&self) -> Vec<usize> {
        let blocks = self.inputs.div_ceil(BLOCK);
        match self.part {
            Part::Numbers => vec![self.outputs, blocks, BLOCK * BITS / 8],
            Part::Scales => vec![self.outputs, blocks],
            Part::ZeroPoints => vec![self.outputs, blocks.div_ceil(2)],
        }
    }

    /// The bytes that the part has of one output.
    pub(super) fn bytes(&self, row: &[f32]) -> Vec<u8> {
        let blocks = row.chunks(BLOCK).map(|numbers| self.rounding.block(numbers));
        match self.part {
            Part::Numbers => blocks.flat_map(|block| pairs(&block.numbers, BLOCK)).collect(),
            Part::Scales => blocks.flat_map(|block| block.scale.to_le_bytes()).collect(),
            Part::ZeroPoints => {
                let points: Vec<u8> = blocks.map(|block| block.zero_point).collect();
                pairs(&points, points.len().next_multiple_of(2))
            }
        }
    }
}

/// Numbers of 4 bits, two to a byte; there are zeros up to `length`.
fn pairs(numbers: &[u8], length: usize) -> Vec<u8> {
    let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
    (0..length).step_by(2).map(|index| at(index) | at(index + 1) << BITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `quantize_matmul_4bits` of ONNX Runtime 1.32 gives for this row.
    #[test]
    fn blocks_are_those_of_onnx_runtime() {
        let row: Vec<f32> = (0..40).map(|index| ((index * 37 % 64) as f32 - 20.0) / 8.0).collect();
        let rounded = |rounding, part| {
            Rounded { tensor: String::new(), outputs: 1, inputs: 40, inputs_first: false, rounding, part }.bytes(&row)
        };
        let scales = |bytes: Vec<u8>| -> Vec<f32> {
            bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        let numbers = [
            92, 58, 24, 182, 148, 114, 97, 75, 41, 7, 165, 131, 97, 75, 57, 24, 182, 148, 114, 80, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0,
        ];
        assert_eq!(rounded(Rounding::Symmetric, Part::Numbers), numbers);
        assert_eq!(scales(rounded(Rounding::Symmetric, Part::Scales)), [-0.671875, -0.65625]);
        let numbers = [
            144, 179, 229, 23, 58, 108, 143, 162, 212, 246, 41, 91, 126, 161, 195, 229, 7, 58, 92, 143, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(rounded(Rounding::ZeroPoints, Part::Numbers), numbers);
        assert_eq!(scales(rounded(Rounding::ZeroPoints, Part::Scales)), [0.525, 0.475]);
        assert_eq!(rounded(Rounding::ZeroPoints, Part::ZeroPoints), [69]);
    }

    #[test]
    fn a_block_of_zeros_stays_one() {
        for (rounding, zero) in [(Rounding::Symmetric, 8), (Rounding::ZeroPoints, 0)] {
            let block = rounding.block(&[0.0; BLOCK]);
            assert_eq!(block, Block { numbers: vec![zero; BLOCK], scale: 0.0, zero_point: zero });
        }
    }

    #[test]
    fn no_number_is_off_by_more_than_half_a_step() {
        let numbers: Vec<f32> = (0..BLOCK).map(|index| ((index * 29 % 31) as f32 - 9.0) * 0.37).collect();
        for rounding in [Rounding::Symmetric, Rounding::ZeroPoints] {
            let block = rounding.block(&numbers);
            for (number, rounded) in numbers.iter().zip(&block.numbers) {
                let found = block.scale * (f32::from(*rounded) - f32::from(block.zero_point));
                // The side that reaches less far ends one step before the other.
                let most = if rounding == Rounding::Symmetric { 1.0 } else { 0.5 };
                assert!((found - number).abs() <= most * block.scale.abs() * 1.0001, "{found} is not {number}");
            }
        }
    }
}
