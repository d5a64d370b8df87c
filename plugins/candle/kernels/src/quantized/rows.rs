//! Rows of inputs rounded to whole numbers of 8 bits, as products with blocks take them.

use super::bytes::{ByteCode, Bytes, with_bytes};
use super::formats::{Format, Meaning};
use crate::isa::Isa;
use crate::scratch::Scratch;
use rayon::prelude::*;

/// So many neighbouring inputs have a scale together.
pub(super) const SCALED: usize = 32;

/// What products with a format need of rows of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrangement {
    /// How many inputs lie between those that are multiplied in one step: a byte of weights has numbers of so many.
    in_byte: usize,
    /// Inputs of a part of a block.
    part: usize,
    /// What the sum of a part is used for.
    sum: SumOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SumOf {
    /// Numbers of weights are counted from minus so many on: what all products of a part are too large by.
    Numbers(i32),
    /// Weights have a minimum, which the sum of inputs is multiplied by.
    Inputs,
}

impl Arrangement {
    pub(super) fn of<F: Format>() -> Arrangement {
        let sum = match (F::HAS_MINIMUM, F::MEANING) {
            (true, _) => SumOf::Inputs,
            (false, Meaning::From(least)) => SumOf::Numbers(least.cast_signed()),
            (false, Meaning::Table) => SumOf::Numbers(128),
        };
        Arrangement { in_byte: F::IN_BYTE, part: F::PART, sum }
    }
}

/// Rows of inputs, `[rows, inputs]`: each of them is about `number · scale`. Rows that are multiplied together, as many as a tile has, lie
/// side by side: what a tile needs next is at a fixed distance. A last group may have fewer.
pub(crate) struct ByteRows {
    pub(super) arrangement: Arrangement,
    inputs: usize,
    /// Rows of a whole group.
    pub(super) group: usize,
    /// `[groups][inputs / 4][rows]`, of four inputs each that are multiplied together.
    numbers: Scratch<u32>,
    /// `[groups][inputs / SCALED][rows]`.
    scales: Scratch<f32>,
    /// `[groups][inputs / part][rows]`: the bits of an `i32` that sums of products go on from, or of an `f32`, the sum of the inputs.
    sums: Scratch<u32>,
}

/// Where what belongs to some inputs of a row begins. The next ones are a group's rows further on.
#[derive(Clone, Copy)]
pub(super) struct ByteRow {
    pub(super) numbers: *const u32,
    pub(super) scales: *const f32,
    pub(super) sums: *const u32,
}

impl ByteRow {
    /// The `row`th row after it in the same group.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub(super) unsafe fn next(self, row: usize) -> ByteRow {
        // SAFETY: the caller guarantees it.
        unsafe { ByteRow { numbers: self.numbers.add(row), scales: self.scales.add(row), sums: self.sums.add(row) } }
    }
}

impl ByteRows {
    /// Rounds rows. In each part of [`SCALED`] inputs, the largest becomes 127. Where one is not finite, the scale is no number.
    pub(super) fn of(isa: Isa, arrangement: Arrangement, group: usize, input: &[f32], inputs: usize) -> ByteRows {
        let groups = (input.len() / inputs).div_ceil(group);
        let values = groups * group * inputs;
        let mut rows = ByteRows {
            arrangement,
            inputs,
            group,
            numbers: Scratch::take(values / 4),
            scales: Scratch::take(values / SCALED),
            sums: Scratch::take(values / arrangement.part),
        };
        let numbers = rows.numbers.as_mut_slice().par_chunks_mut(group * inputs / 4);
        let scales = rows.scales.as_mut_slice().par_chunks_mut(group * inputs / SCALED);
        let sums = rows.sums.as_mut_slice().par_chunks_mut(group * inputs / arrangement.part);
        let groups = input.par_chunks(group * inputs).zip(numbers).zip(scales).zip(sums);
        groups.with_min_len(2).for_each(|(((input, numbers), scales), sums)| {
            for (row, input) in input.chunks_exact(inputs).enumerate() {
                let row = GroupedRow { row, group, numbers, scales, sums };
                // SAFETY: it needs nothing.
                unsafe { with_bytes(isa, Round { arrangement, input, into: row }) };
            }
        });
        rows
    }

    /// A row from an input on that a block begins with.
    pub(super) fn row(&self, row: usize, input: usize) -> ByteRow {
        let (group, row) = (row / self.group, row % self.group);
        let at = |size: usize| (group * self.inputs / size + input / size) * self.group + row;
        ByteRow {
            numbers: self.numbers.as_slice()[at(4)..].as_ptr(),
            scales: self.scales.as_slice()[at(SCALED)..].as_ptr(),
            sums: self.sums.as_slice()[at(self.arrangement.part)..].as_ptr(),
        }
    }
}

/// A row of a group that is being written.
struct GroupedRow<'a> {
    row: usize,
    group: usize,
    numbers: &'a mut [u32],
    scales: &'a mut [f32],
    sums: &'a mut [u32],
}

/// Added to a number, its digits after the point are rounded away, halves to even numbers, and its bits are those of the sum of whole
/// numbers.
const ROUNDING: f32 = 12_582_912.0;
/// The inverse of anything smaller is not finite. It could not show in a sum.
const SMALLEST: f32 = 1e-36;
/// Numbers of a part, four to a word.
const FOURS: usize = SCALED / 4;

/// Rounds a row.
struct Round<'a> {
    arrangement: Arrangement,
    input: &'a [f32],
    into: GroupedRow<'a>,
}

impl ByteCode for Round<'_> {
    #[inline(always)]
    unsafe fn run<V: Bytes>(self) {
        let Round { arrangement, input, mut into } = self;
        let halves = SCALED / arrangement.part;
        for (part, input) in input.as_chunks::<SCALED>().0.iter().enumerate() {
            // SAFETY: the caller has the instructions.
            let (numbers, scale, [first, second]) = unsafe { round_part::<V>(input) };
            into.scales[part * into.group + into.row] = scale;
            let totals = if halves == 1 { [first + second, 0] } else { [first, second] };
            for (half, total) in totals.into_iter().take(halves).enumerate() {
                into.sums[(part * halves + half) * into.group + into.row] = match arrangement.sum {
                    SumOf::Numbers(least) => (-least * total).cast_unsigned(),
                    SumOf::Inputs => (total as f32 * scale).to_bits(),
                };
            }
            // SAFETY: as above.
            unsafe { into.write::<V>(part, arrangement.in_byte, &numbers) };
        }
    }
}

/// The numbers of a part, their scale, and the sums of both halves. Numbers are of no meaning where the scale is none.
#[inline(always)]
unsafe fn round_part<V: Bytes>(input: &[f32; SCALED]) -> ([u8; SCALED], f32, [i32; 2]) {
    let mut numbers = [0; SCALED];
    let mut totals = [0; 2];
    // SAFETY: the caller has the instructions; registers divide a part, and halves of it.
    unsafe {
        let register = |at: usize| V::load(input[at * V::WIDTH..].as_ptr());
        // Of numbers without a sign, bits are in the order of the numbers; what is not finite is above them all.
        let mut largest = V::splat_bits(0);
        for at in 0..SCALED / V::WIDTH {
            largest = V::larger(largest, V::and(register(at).to_bits(), V::splat_bits(0x7fff_ffff)));
        }
        let largest = f32::from_bits(V::largest(largest));
        let inverse = V::splat(if largest > SMALLEST { 127.0 / largest } else { 0.0 });
        let rounding = V::splat(ROUNDING);
        let in_half = SCALED / 2 / V::WIDTH;
        for (half, total) in totals.iter_mut().enumerate() {
            let mut sum = V::splat_bits(0);
            for at in half * in_half..(half + 1) * in_half {
                let number =
                    V::subtract_integers(register(at).times(inverse).plus(rounding).to_bits(), rounding.to_bits());
                V::store_lowest(number, numbers[at * V::WIDTH..].as_mut_ptr());
                sum = V::add_integers(sum, number);
            }
            *total = V::total(sum);
        }
        (numbers, if largest.is_finite() { largest / 127.0 } else { f32::NAN }, totals)
    }
}

/// Which of sixteen numbers comes where, so that four that lie so many apart become neighbours.
const TWO_APART: [u8; 16] = order(2);
const FOUR_APART: [u8; 16] = order(4);

const fn order(apart: usize) -> [u8; 16] {
    let mut order = [0; 16];
    let mut at = 0;
    while at < 16 {
        order[at] = (at / (4 * apart) * 4 * apart + at % 4 * apart + at % (4 * apart) / 4) as u8;
        at += 1;
    }
    order
}

impl GroupedRow<'_> {
    /// Writes the numbers of a part.
    #[inline(always)]
    unsafe fn write<V: Bytes>(&mut self, part: usize, in_byte: usize, numbers: &[u8; SCALED]) {
        let into = &mut self.numbers[part * FOURS * self.group + self.row..];
        let mut words = [0u32; 16];
        for (half, numbers) in numbers.as_chunks::<16>().0.iter().enumerate() {
            if in_byte == 1 {
                for (word, four) in words.iter_mut().zip(numbers.as_chunks::<4>().0) {
                    *word = u32::from_le_bytes(*four);
                }
            } else {
                let order = if in_byte == 2 { &TWO_APART } else { &FOUR_APART };
                // SAFETY: the caller has the instructions; a register has 16 lanes at most.
                unsafe { V::store_bits(V::look_up_bytes(numbers, V::repeat(order)), words.as_mut_ptr()) };
            }
            for (four, word) in words[..4].iter().enumerate() {
                into[(half * 4 + four) * self.group] = *word;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantized::formats::{Q2K, Q4_0, Q8_0};
    use examiner_test_support::checkpoint::noise;

    /// The number of each input, its scale, and the sums of parts, of all rows.
    fn read(rows: &ByteRows, count: usize) -> (Vec<i8>, Vec<f32>, Vec<u32>) {
        let group = rows.group;
        // SAFETY: rows have so many inputs.
        unsafe {
            let all =
                |inputs: usize| (0..count).flat_map(move |row| (0..rows.inputs / inputs).map(move |at| (row, at)));
            let four = |(row, at): (usize, usize)| *rows.row(row, 0).numbers.add(at * group);
            let numbers = all(4).flat_map(|at| four(at).to_le_bytes().map(u8::cast_signed)).collect();
            let scales = all(SCALED).map(|(row, at)| *rows.row(row, 0).scales.add(at * group)).collect();
            let sums = all(rows.arrangement.part).map(|(row, at)| *rows.row(row, 0).sums.add(at * group)).collect();
            (numbers, scales, sums)
        }
    }

    #[test]
    fn inputs_are_rounded_to_127_steps_of_the_largest_of_32() {
        let (large, small) = (noise(64, 2).into_iter().map(|value| value * 1e4), noise(192, 1));
        let input: Vec<f32> = small.into_iter().chain(large).collect();
        for (isa, group) in Isa::available().into_iter().flat_map(|isa| [1, 2, 6].map(|group| (isa, group))) {
            let rows = ByteRows::of(isa, Arrangement::of::<Q8_0>(), group, &input, 64);
            let (numbers, scales, sums) = read(&rows, 4);
            for (at, value) in input.iter().enumerate() {
                let (number, scale) = (f32::from(numbers[at]), scales[at / SCALED]);
                assert!((number * scale - value).abs() <= scale * 0.501, "{value} became {number} times {scale}");
            }
            for (part, sum) in numbers.chunks_exact(SCALED).zip(sums) {
                assert!(part.iter().any(|number| number.abs() == 127));
                assert_eq!(sum.cast_signed(), -128 * part.iter().map(|number| i32::from(*number)).sum::<i32>());
            }
        }
    }

    #[test]
    fn four_that_are_multiplied_together_are_neighbours() {
        let input: Vec<f32> = (0..32).map(|value| value as f32 * 127.0 / 31.0).collect();
        let numbers = |arrangement| read(&ByteRows::of(Isa::best(), arrangement, 2, &input, 32), 1).0;
        let natural = numbers(Arrangement::of::<Q8_0>());
        assert_eq!(numbers(Arrangement::of::<Q4_0>())[..8], [0, 2, 4, 6, 1, 3, 5, 7].map(|at: usize| natural[at]));
        let expected = [16, 20, 24, 28, 17, 21, 25, 29].map(|at: usize| natural[at]);
        assert_eq!(numbers(Arrangement::of::<Q2K>())[16..24], expected);
    }

    #[test]
    fn what_is_not_finite_shows_and_what_is_too_small_is_zero() {
        let mut input = [1.0f32; 96];
        (input[3], input[40]) = (f32::NAN, f32::NEG_INFINITY);
        input[64..].fill(f32::from_bits(1));
        let (numbers, scales, _) = read(&ByteRows::of(Isa::best(), Arrangement::of::<Q8_0>(), 1, &input, 96), 1);
        assert!(scales[..2].iter().all(|scale| scale.is_nan()));
        assert_eq!((scales[2] < 1e-40, &numbers[64..]), (true, [0; 32].as_slice()));
    }
}
