//! The numbers of packed blocks, computed in registers.

use super::formats::{Format, Meaning, Scales, with_format};
use super::words::{Words, whole_numbers};
use super::{PANEL, Part};
use crate::lanes::{Lanes, prefetch};
use crate::tile::COLUMN_BLOCK;
use half::f16;

/// What is done with the weights of every `k`, in order.
pub(super) trait EachK<V, const C: usize> {
    /// # Safety
    /// The machine has the instructions of `V`; and what the implementation says.
    unsafe fn weights(&mut self, k: usize, weights: [V; C]);
}

/// The scale and the minimum of a part of a block, for the columns from `lane` on.
#[inline(always)]
pub(super) unsafe fn scale_of<V: Words, F: Format>(block: *const u8, part: usize, lane: usize) -> (V, V) {
    // SAFETY: the caller has a block and so many parts and columns.
    unsafe {
        let halves = block.cast::<f16>().add(lane);
        let bytes = block.add(F::PARTS_AT + part * F::PART_BYTES + lane);
        // Added to anything, it changes nothing, not even the sign of a zero.
        let nothing = V::splat(-0.0);
        let scale = V::load_f16(halves);
        let (of_scale, of_minimum) = match F::SCALES {
            Scales::Scale => return (scale, nothing),
            Scales::ScaleAndMinimum => return (scale, V::load_f16(halves.add(COLUMN_BLOCK))),
            Scales::Signed => return (scale.times_plus(V::load_i8(bytes.cast()), nothing), nothing),
            Scales::Pairs => (V::load_bytes(bytes), V::load_bytes(bytes.add(COLUMN_BLOCK))),
            Scales::Halves => {
                let both = V::load_bytes(bytes);
                (V::and(both, V::splat_bits(15)), V::shift_right(both, 4))
            }
        };
        let minimum = V::load_f16(halves.add(COLUMN_BLOCK));
        (
            scale.times_plus(whole_numbers(of_scale, 0), nothing),
            minimum.times_plus(whole_numbers(of_minimum, 0), nothing),
        )
    }
}

/// The numbers whose bits are the lower ones of two registers, those of the second in the place that they have in the number.
#[inline(always)]
unsafe fn numbers<V: Words, F: Format>(low: V::Bits, high: V::Bits) -> V {
    // SAFETY: the caller has the instructions.
    unsafe {
        let lower = (1 << F::LOW) - 1;
        let bits = if F::HIGH == 0 {
            low
        } else {
            V::or(V::and(low, V::splat_bits(lower)), V::and(high, V::splat_bits(!lower)))
        };
        match F::MEANING {
            Meaning::From(least) if !V::TABLES || F::LOW + F::HIGH > 5 => {
                whole_numbers(V::and(bits, V::splat_bits((1 << (F::LOW + F::HIGH)) - 1)), least)
            }
            _ if F::LOW + F::HIGH == 5 => V::look_up_32(&F::VALUES, bits),
            _ if F::LOW + F::HIGH == 4 => V::look_up_16(&F::VALUES, bits),
            // Fewer bits than the table has places for.
            _ => V::look_up_16(&F::VALUES, V::and(bits, V::splat_bits((1 << (F::LOW + F::HIGH)) - 1))),
        }
    }
}

/// Blocks are read from memory from their beginning to their end. What lies so many bytes ahead is fetched meanwhile: found by trial.
const AHEAD: usize = 8192;

/// Fetches a word's share of what lies ahead. `block` is the first one of a panel.
#[inline(always)]
pub(super) fn fetch_ahead<F: Format>(block: *const u8, word: usize) {
    const LINE: usize = 64;
    let lines = const { (F::BYTES * PANEL / COLUMN_BLOCK).div_ceil(LINE * (F::BLOCK / F::IN_WORD)) };
    for line in 0..lines {
        prefetch(block.wrapping_add(AHEAD + (word * lines + line) * LINE));
    }
}

/// A word of lower bits of each column from `lane` on, and upper bits of the same numbers: those of the first number are
/// where they are in the number.
#[inline(always)]
pub(super) unsafe fn load_word<V: Words, F: Format>(block: *const u8, word: usize, lane: usize) -> (V::Bits, V::Bits) {
    // SAFETY: the caller has a block, and so many words and columns.
    unsafe {
        let load =
            |at: usize, word: usize| V::load_bits(block.add(at + (word * COLUMN_BLOCK + lane) * size_of::<u32>()));
        let low = load(F::LOW_AT, word);
        if F::HIGH == 0 {
            return (low, low);
        }
        let before = word * F::IN_BYTE * F::HIGH as usize;
        let (high, first) = (load(F::HIGH_AT, before / 8), before as u32 % 8);
        // What is shifted out belongs to other words.
        let high =
            if first < F::LOW { V::shift_left(high, F::LOW - first) } else { V::shift_right(high, first - F::LOW) };
        (low, high)
    }
}

/// The weights of `depth` inputs, whole blocks of them, for `C` registers of columns of one panel. `block` is the first one of the column
/// block of the first of these columns, and `lane` the column in it.
///
/// # Safety
/// There are so many blocks and columns; and what `EachK::weights` asks for.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "columns index registers and memory alike")]
pub(super) unsafe fn for_each_k<V: Words, F: Format, const C: usize>(
    mut block: *const u8,
    lane: usize,
    depth: usize,
    mut each: impl EachK<V, C>,
) {
    let lane_of = |c: usize| (lane + c * V::WIDTH) % COLUMN_BLOCK;
    let beside = |c: usize| (lane + c * V::WIDTH) / COLUMN_BLOCK * F::BYTES;
    let mut k = 0;
    // SAFETY: the caller guarantees it.
    unsafe {
        while k < depth {
            for part in 0..F::BLOCK / F::PART {
                let (mut scales, mut minimums) = ([V::splat(0.0); C], [V::splat(0.0); C]);
                for c in 0..C {
                    (scales[c], minimums[c]) = scale_of::<V, F>(block.add(beside(c)), part, lane_of(c));
                }
                let words = F::PART / F::IN_WORD;
                for word in part * words..(part + 1) * words {
                    let (mut low, mut high) = ([V::splat_bits(0); C], [V::splat_bits(0); C]);
                    if C > 1 {
                        fetch_ahead::<F>(block, word);
                    }
                    for c in 0..C {
                        (low[c], high[c]) = load_word::<V, F>(block.add(beside(c)), word, lane_of(c));
                    }
                    for number in 1..=F::IN_WORD {
                        let mut weights = [V::splat(0.0); C];
                        for c in 0..C {
                            weights[c] = numbers::<V, F>(low[c], high[c]).times_plus(scales[c], minimums[c]);
                            low[c] = V::shift_right(low[c], F::LOW);
                            if F::HIGH > 0 {
                                let to_next_byte = 8 - F::HIGH * (F::IN_BYTE as u32 - 1);
                                let is_last_of_byte = number.is_multiple_of(F::IN_BYTE);
                                high[c] = V::shift_right(high[c], if is_last_of_byte { to_next_byte } else { F::HIGH });
                            }
                        }
                        each.weights(k, weights);
                        k += 1;
                    }
                }
            }
            block = block.add(PANEL / COLUMN_BLOCK * F::BYTES);
        }
    }
}

/// Writes the weights of one column.
struct One<'a> {
    lane: usize,
    into: &'a mut [f32],
}

impl<const N: usize> EachK<[f32; N], 1> for One<'_> {
    /// # Safety
    /// None.
    #[inline(always)]
    unsafe fn weights(&mut self, k: usize, [weights]: [[f32; N]; 1]) {
        self.into[k] = weights[self.lane];
    }
}

impl Part {
    /// The weights of one of its columns, `[inputs]`.
    pub(super) fn column(&self, column: usize, into: &mut [f32]) {
        type Registers = [f32; 4];
        let block = self.first_block(column);
        let (inputs, lane) = (self.inputs.min(into.len()), column % COLUMN_BLOCK);
        let one = One { lane: lane % Registers::WIDTH, into };
        let first = lane - one.lane;
        // SAFETY: plain Rust; the part has this column and so many inputs.
        unsafe { with_format!(self.format, F => for_each_k::<Registers, F, 1>(block, first, inputs, one)) }
    }
}
