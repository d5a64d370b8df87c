//! The numbers of packed blocks, on their way to sums or to a buffer.

use super::formats::{Format, Meaning, Scales, with_format};
use super::words::{Words, whole_numbers};
use super::{Part, Quantized};
use crate::lanes::Lanes;
use crate::product::{DEPTH, Product, multiply_packed};
use crate::tile::{COLUMN_BLOCK, Start};
use half::f16;
use std::cell::Cell;
use std::ops::Range;

/// Registers of columns at the same time.
const ABREAST: usize = 4;
/// Columns of a strip that is unpacked: with [`DEPTH`] inputs 192 KiB, in the second-level cache.
const GROUP: usize = 4 * COLUMN_BLOCK;

/// What is done with the weights of every `k`, in order.
trait EachK<V, const C: usize> {
    /// # Safety
    /// The machine has the instructions of `V`; and what the implementation says.
    unsafe fn weights(&mut self, k: usize, weights: [V; C]);
}

/// The scale and the minimum of a part of a block, for the columns from `lane` on.
#[inline(always)]
unsafe fn scale_of<V: Words, F: Format>(block: *const u8, part: usize, lane: usize) -> (V, V) {
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

/// The weights of `depth` inputs, whole blocks of them, for `C` registers of columns. `block` is the first one of the column block of the
/// first of these columns, `lane` the column in it, and `stride` how many bytes lie between column blocks.
///
/// # Safety
/// There are so many blocks and columns; and what `EachK::weights` asks for.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "columns index registers and memory alike")]
unsafe fn for_each_k<V: Words, F: Format, const C: usize>(
    mut block: *const u8,
    (lane, stride): (usize, usize),
    depth: usize,
    mut each: impl EachK<V, C>,
) {
    let lane_of = |c: usize| (lane + c * V::WIDTH) % COLUMN_BLOCK;
    let mut k = 0;
    // SAFETY: the caller guarantees it.
    unsafe {
        while k < depth {
            for part in 0..F::BLOCK / F::PART {
                let (mut scales, mut minimums) = ([V::splat(0.0); C], [V::splat(0.0); C]);
                for c in 0..C {
                    let block = block.add((lane + c * V::WIDTH) / COLUMN_BLOCK * stride);
                    (scales[c], minimums[c]) = scale_of::<V, F>(block, part, lane_of(c));
                }
                if F::LOW == 8 {
                    for number in part * F::PART..(part + 1) * F::PART {
                        let mut weights = [V::splat(0.0); C];
                        for c in 0..C {
                            let block = block.add((lane + c * V::WIDTH) / COLUMN_BLOCK * stride);
                            let bytes = block.add(F::LOW_AT + number * COLUMN_BLOCK + lane_of(c));
                            weights[c] = V::load_i8(bytes.cast()).times_plus(scales[c], minimums[c]);
                        }
                        each.weights(k, weights);
                        k += 1;
                    }
                    continue;
                }
                let words = F::PART / F::IN_WORD;
                for word in part * words..(part + 1) * words {
                    let (mut low, mut high) = ([V::splat_bits(0); C], [V::splat_bits(0); C]);
                    for c in 0..C {
                        let block = block.add((lane + c * V::WIDTH) / COLUMN_BLOCK * stride);
                        let register = |at: usize, word: usize| {
                            block.add(at + (word * COLUMN_BLOCK + lane_of(c)) * size_of::<u32>())
                        };
                        low[c] = V::load_bits(register(F::LOW_AT, word));
                        if F::HIGH > 0 {
                            let bit = word * F::IN_WORD * F::HIGH as usize;
                            let bits = V::load_bits(register(F::HIGH_AT, bit / 32));
                            high[c] = V::shift_left(V::shift_right(bits, bit as u32 % 32), F::LOW);
                        }
                    }
                    for _ in 0..F::IN_WORD {
                        let mut weights = [V::splat(0.0); C];
                        for c in 0..C {
                            weights[c] = numbers::<V, F>(low[c], high[c]).times_plus(scales[c], minimums[c]);
                            low[c] = V::shift_right(low[c], F::LOW);
                            if F::HIGH > 0 {
                                high[c] = V::shift_right(high[c], F::HIGH);
                            }
                        }
                        each.weights(k, weights);
                        k += 1;
                    }
                }
            }
            block = block.add(F::BYTES);
        }
    }
}

/// Sums of `R` rows, whose inputs begin at `x`.
struct Sums<V, const R: usize, const C: usize> {
    x: *const f32,
    x_stride: usize,
    sums: [[V; C]; R],
}

impl<V: Words, const R: usize, const C: usize> EachK<V, C> for &mut Sums<V, R, C> {
    /// # Safety
    /// There are so many inputs.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "rows index registers and memory alike")]
    unsafe fn weights(&mut self, k: usize, weights: [V; C]) {
        // SAFETY: the caller guarantees it.
        unsafe {
            for r in 0..R {
                let input = V::splat(*self.x.add(r * self.x_stride + k));
                for c in 0..C {
                    self.sums[r][c] = input.mul_add(weights[c], self.sums[r][c]);
                }
            }
        }
    }
}

/// Writes weights in 32 bits, `[depth][COLUMN_BLOCK]`.
struct Store(*mut f32);

impl<V: Words> EachK<V, 1> for Store {
    /// # Safety
    /// There is room for them.
    #[inline(always)]
    unsafe fn weights(&mut self, k: usize, weights: [V; 1]) {
        // SAFETY: the caller guarantees it.
        unsafe { weights[0].store(self.0.add(k * COLUMN_BLOCK)) }
    }
}

impl Quantized {
    /// Chains of multiply-adds that go on from `start`, for the given rows and columns, which begin at a column block.
    ///
    /// # Safety
    /// The machine has the instructions of `V`. `input` has the rows, `output` the rows and columns of `outputs`, which no other thread
    /// uses, and `start` whole column blocks.
    #[inline(always)]
    pub(crate) unsafe fn multiply<V: Words>(
        &self,
        input: *const f32,
        start: Start,
        output: *mut f32,
        outputs: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        for part in &self.0 {
            let first = part.columns.start;
            let columns = columns.start.max(first)..columns.end.min(part.columns.end);
            if columns.is_empty() {
                continue;
            }
            // SAFETY: the caller guarantees it.
            unsafe {
                let layer = Place {
                    x: input.add(rows.start * part.inputs),
                    start: start.at(rows.start, first),
                    out: output.add(rows.start * outputs + first),
                    out_stride: outputs,
                };
                part.multiply::<V>(layer, rows.len(), columns.start - first..columns.end - first);
            }
        }
    }
}

/// Where the inputs of some rows are, and the outputs of a part.
#[derive(Clone, Copy)]
struct Place {
    x: *const f32,
    start: Start,
    out: *mut f32,
    out_stride: usize,
}

impl Part {
    /// # Safety
    /// As with [`Quantized::multiply`].
    #[inline(always)]
    unsafe fn multiply<V: Words>(&self, place: Place, rows: usize, columns: Range<usize>) {
        // SAFETY: the caller guarantees it.
        unsafe {
            let column =
                if rows <= V::DIRECT_ROWS { self.few::<V>(place, rows, columns.clone()) } else { columns.start };
            if column < columns.end {
                self.many::<V>(place, rows, column..columns.end);
            }
        }
    }

    /// `V::DIRECT_ROWS` rows at most. Returns the first column that is not done, because it and those after it do not fill
    /// [`ABREAST`] registers.
    #[inline(always)]
    unsafe fn few<V: Words>(&self, place: Place, rows: usize, columns: Range<usize>) -> usize {
        let width = ABREAST * V::WIDTH;
        let mut column = columns.start;
        // SAFETY: the caller guarantees it.
        unsafe {
            with_format!(self.format, F => while column + width <= columns.end {
                match rows {
                    1 => self.registers::<V, F, 1>(place, column),
                    2 => self.registers::<V, F, 2>(place, column),
                    3 if V::DIRECT_ROWS > 2 => self.registers::<V, F, 3>(place, column),
                    4 if V::DIRECT_ROWS > 2 => self.registers::<V, F, 4>(place, column),
                    _ => break,
                }
                column += width;
            });
        }
        column
    }

    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "rows and columns index registers and memory alike")]
    unsafe fn registers<V: Words, F: Format, const R: usize>(&self, place: Place, column: usize) {
        let (strip, stride) = self.strip(column);
        // SAFETY: the caller guarantees it.
        unsafe {
            let mut sums = Sums { x: place.x, x_stride: self.inputs, sums: [[V::splat(0.0); ABREAST]; R] };
            if let Start::Values(from, from_stride) = place.start {
                for r in 0..R {
                    for c in 0..ABREAST {
                        sums.sums[r][c] = V::load(from.add(r * from_stride + column + c * V::WIDTH));
                    }
                }
            }
            for_each_k::<V, F, ABREAST>(strip, (column % COLUMN_BLOCK, stride), self.inputs, &mut sums);
            for r in 0..R {
                for c in 0..ABREAST {
                    sums.sums[r][c].store(place.out.add(r * place.out_stride + column + c * V::WIDTH));
                }
            }
        }
    }

    /// Any number of rows: weights are unpacked, a strip at a time, and multiplied from there.
    #[inline(always)]
    unsafe fn many<V: Words>(&self, place: Place, rows: usize, columns: Range<usize>) {
        let mut buffer = BUFFER.take();
        buffer.resize(GROUP / COLUMN_BLOCK * DEPTH, Line([0.0; COLUMN_BLOCK]));
        let strip = buffer.as_mut_ptr().cast::<f32>();
        for k in (0..self.inputs).step_by(DEPTH) {
            let depth = DEPTH.min(self.inputs - k);
            for column in columns.clone().step_by(GROUP) {
                let width = GROUP.min(columns.end - column);
                // SAFETY: the caller guarantees it. There is room for so many column blocks; inputs begin and end with blocks.
                unsafe {
                    self.unpack::<V>(column, width.div_ceil(COLUMN_BLOCK), k, depth, strip);
                    let out = place.out.add(column);
                    let product = Product {
                        depth,
                        x: place.x.add(k),
                        x_stride: self.inputs,
                        w: strip.cast_const(),
                        w_stride: depth * COLUMN_BLOCK,
                        start: if k == 0 { place.start.at(0, column) } else { Start::Values(out, place.out_stride) },
                        out,
                        out_stride: place.out_stride,
                    };
                    multiply_packed::<V, f32>(product, 0..rows, 0..width);
                }
            }
        }
        BUFFER.set(buffer);
    }

    /// Writes weights in 32 bits, `[column blocks][depth][COLUMN_BLOCK]`, from a column and `k` on.
    #[inline(always)]
    unsafe fn unpack<V: Words>(&self, column: usize, blocks: usize, k: usize, depth: usize, into: *mut f32) {
        let (strip, stride) = self.strip(column);
        with_format!(self.format, F => for block in 0..blocks {
            for lane in (0..COLUMN_BLOCK).step_by(V::WIDTH) {
                // SAFETY: the caller has so many blocks, and room for their numbers.
                unsafe {
                    let from = strip.add(block * stride + k / F::BLOCK * F::BYTES);
                    let to = Store(into.add(block * depth * COLUMN_BLOCK + lane));
                    for_each_k::<V, F, 1>(from, (lane, stride), depth, to);
                }
            }
        });
    }
}

/// A cache line of numbers.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; COLUMN_BLOCK]);

thread_local! {
    /// Weights in 32 bits, of which a thread multiplies some before it unpacks the next ones.
    static BUFFER: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
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
        let (strip, stride) = self.strip(column);
        let (inputs, lane) = (self.inputs.min(into.len()), column % COLUMN_BLOCK);
        let one = One { lane: lane % Registers::WIDTH, into };
        let first = lane - one.lane;
        // SAFETY: plain Rust; the part has this column and so many inputs.
        unsafe { with_format!(self.format, F => for_each_k::<Registers, F, 1>(strip, (first, stride), inputs, one)) }
    }
}
