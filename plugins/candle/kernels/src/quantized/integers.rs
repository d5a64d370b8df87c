//! Products of packed blocks and rows of whole numbers of 8 bits.
//!
//! In each part of a block, products of numbers are summed in integers, which is exact. The sum, times the scales of both, is added to
//! those of the parts before it, in `f32`: so a result does not depend on the instruction set, nor on the rows beside it.

mod unpacked;

use super::bytes::{ByteCode, Bytes, rows_of_tiles, with_bytes};
use super::formats::{Format, Meaning, with_format};
use super::numbers::{fetch_ahead, load_word, scale_of};
use super::rows::{Arrangement, ByteRow, ByteRows, SCALED};
use super::{PANEL, Part, Quantized};
use crate::isa::Isa;
use crate::scratch::Scratch;
use crate::tile::{COLUMN_BLOCK, Start};
use std::marker::PhantomData;
use std::ops::Range;

/// Registers of columns at the same time.
const ABREAST: usize = 4;

impl Quantized {
    /// Rows of inputs as the products with each part take them.
    pub(crate) fn round(&self, isa: Isa, input: &[f32]) -> Vec<ByteRows> {
        let mut rounded: Vec<ByteRows> = Vec::with_capacity(1);
        for part in &self.parts {
            let arrangement = part.arrangement();
            if rounded.iter().all(|rows| rows.arrangement != arrangement) {
                rounded.push(ByteRows::of(isa, arrangement, rows_of_tiles(isa), input, part.inputs));
            }
        }
        rounded
    }

    /// Sums that go on from `start`, for the given rows and columns, which begin at a column block.
    ///
    /// # Safety
    /// `input` is what [`round`](Self::round) made of rows, `output` has the rows and columns of `outputs`, which no other thread
    /// uses, and `start` the columns.
    pub(crate) unsafe fn multiply_rounded(
        &self,
        isa: Isa,
        input: &[ByteRows],
        start: Start,
        (output, outputs): (*mut f32, usize),
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        for part in &self.parts {
            let first = part.columns.start;
            let columns = columns.start.max(first)..columns.end.min(part.columns.end);
            let arrangement = part.arrangement();
            let Some(input) = input.iter().find(|rows| rows.arrangement == arrangement) else {
                unreachable!("rows are rounded for each part");
            };
            let mut column = columns.start;
            while column < columns.end {
                let end = columns.end.min(first + (column - first + 1).next_multiple_of(PANEL));
                // SAFETY: the caller guarantees it.
                unsafe {
                    let at = rows.start * outputs + column;
                    let place = Place { start: start.at(rows.start, column), out: output.add(at), out_stride: outputs };
                    part.multiply_rounded(isa, (input, rows.clone()), place, column - first..end - first);
                }
                column = end;
            }
        }
    }
}

/// Where outputs are, from the first row and column on.
#[derive(Clone, Copy)]
struct Place {
    start: Start,
    out: *mut f32,
    out_stride: usize,
}

impl Part {
    fn arrangement(&self) -> Arrangement {
        with_format!(self.format, F => Arrangement::of::<F>())
    }

    /// # Safety
    /// As with [`Quantized::multiply_rounded`]; columns are of one panel.
    unsafe fn multiply_rounded(
        &self,
        isa: Isa,
        (input, rows): (&ByteRows, Range<usize>),
        place: Place,
        columns: Range<usize>,
    ) {
        static ZEROS: [f32; PANEL] = [0.0; PANEL];
        let (from, from_stride) = match place.start {
            Start::Zeros => (ZEROS.as_ptr(), 0),
            Start::Values(from, stride) => (from, stride),
        };
        let sums = Sums { from, from_stride, into: place.out, stride: place.out_stride };
        if columns.len() == PANEL {
            // SAFETY: the caller guarantees it.
            return unsafe { self.add_rounded(isa, (input, rows), columns, sums) };
        }
        // Registers may have more columns than there are.
        let mut memory = Scratch::<f32>::take(rows.len() * PANEL);
        let buffer = memory.as_mut_slice();
        for (row, buffer) in buffer.chunks_exact_mut(PANEL).enumerate() {
            // SAFETY: the caller has so many rows and columns.
            unsafe { std::ptr::copy_nonoverlapping(from.add(row * from_stride), buffer.as_mut_ptr(), columns.len()) };
        }
        let into = buffer.as_mut_ptr();
        let of_buffer = Sums { from: into.cast_const(), from_stride: PANEL, into, stride: PANEL };
        // SAFETY: as above.
        unsafe { self.add_rounded(isa, (input, rows), columns.clone(), of_buffer) };
        for (row, buffer) in buffer.chunks_exact(PANEL).enumerate() {
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(buffer.as_ptr(), sums.into.add(row * sums.stride), columns.len()) };
        }
    }

    /// # Safety
    /// As with [`Quantized::multiply_rounded`], and there are sums of a whole panel.
    unsafe fn add_rounded(
        &self,
        isa: Isa,
        (input, rows): (&ByteRows, Range<usize>),
        columns: Range<usize>,
        sums: Sums,
    ) {
        if rows.len() > 1 {
            // SAFETY: the caller guarantees it.
            return unsafe { self.multiply_unpacked(isa, (input, rows), columns, sums) };
        }
        let code = Columns { part: self, row: input.row(rows.start, 0), columns, sums };
        // SAFETY: the row has all inputs; there is room for the sums of a panel.
        unsafe { with_format!(self.format, F => with_bytes(isa, OneRow::<F>(code, PhantomData))) }
    }
}

/// What products are added to, and where that is written: a panel of columns, of rows that are so far apart.
#[derive(Clone, Copy)]
struct Sums {
    from: *const f32,
    from_stride: usize,
    into: *mut f32,
    stride: usize,
}

impl Sums {
    /// # Safety
    /// There are so many rows and columns.
    #[inline(always)]
    unsafe fn at(self, row: usize, column: usize) -> Sums {
        // SAFETY: the caller guarantees it.
        unsafe {
            let from = self.from.add(row * self.from_stride + column);
            Sums { from, into: self.into.add(row * self.stride + column), ..self }
        }
    }
}

/// The numbers of four inputs, a byte each, of all columns of a register: after so many shifts of what [`load_word`] gives.
#[inline(always)]
unsafe fn numbers<V: Bytes, F: Format>((low, high): (V::Bits, V::Bits), shift: usize) -> V::Bits {
    const IN_EACH_BYTE: u32 = 0x0101_0101;
    // SAFETY: the caller has the instructions.
    unsafe {
        let mut bits = low;
        if F::LOW < 8 {
            let lower = (1 << F::LOW) - 1;
            bits = V::and(V::shift_right(low, F::LOW * shift as u32), V::splat_bits(IN_EACH_BYTE * lower));
        }
        if F::HIGH > 0 {
            let upper = ((1 << F::HIGH) - 1) << F::LOW;
            let high = V::and(V::shift_right(high, F::HIGH * shift as u32), V::splat_bits(IN_EACH_BYTE * upper));
            bits = V::or(bits, high);
        }
        match F::MEANING {
            Meaning::From(_) => bits,
            Meaning::Table => V::look_up_bytes(&F::BYTE_VALUES, bits),
        }
    }
}

/// Four numbers of a row.
#[inline(always)]
unsafe fn splat_four<V: Bytes>(row: ByteRow, four: usize) -> V::Bits {
    // SAFETY: the caller has the instructions, and a row of so many numbers.
    unsafe { V::splat_bits(*row.numbers.add(four * V::BYTE_ROWS)) }
}

/// What sums of products depend on.
trait Kind {
    const PART: usize;
    const HAS_MINIMUM: bool;
    const HAS_SMALL_BYTES: bool;
}

impl<F: Format> Kind for F {
    const PART: usize = F::PART;
    const HAS_MINIMUM: bool = F::HAS_MINIMUM;
    const HAS_SMALL_BYTES: bool = F::HAS_SMALL_BYTES;
}

/// What sums of products of a part go on from.
#[inline(always)]
unsafe fn beginning<V: Bytes, K: Kind>(row: ByteRow, part: usize) -> V::Bits {
    // SAFETY: the caller has the instructions, and a row of so many parts.
    unsafe {
        let nothing = K::HAS_MINIMUM || V::SUBTRACTS_128 && !K::HAS_SMALL_BYTES;
        V::splat_bits(if nothing { 0 } else { *row.sums.add(part * V::BYTE_ROWS) })
    }
}

#[inline(always)]
unsafe fn add_products<V: Bytes, K: Kind>(sum: V::Bits, weights: V::Bits, input: V::Bits) -> V::Bits {
    // SAFETY: the caller has the instructions.
    unsafe {
        if K::HAS_SMALL_BYTES {
            V::add_products::<true>(sum, weights, input)
        } else {
            V::add_products::<false>(sum, weights, input)
        }
    }
}

/// The products of a part, scaled and added to the sum of the parts before.
#[inline(always)]
unsafe fn add_part<V: Bytes, K: Kind, const C: usize>(
    sums: &mut [V; C],
    products: [V::Bits; C],
    weights: [(V, V); C],
    row: ByteRow,
    part: usize,
) {
    // SAFETY: the caller has the instructions, and a row of so many parts.
    unsafe {
        let scale = V::splat(*row.scales.add(part * K::PART / SCALED * V::BYTE_ROWS));
        for c in 0..C {
            sums[c] = V::of_integers(products[c]).times(weights[c].0).mul_add(scale, sums[c]);
        }
        if K::HAS_MINIMUM {
            let sum = V::splat(f32::from_bits(*row.sums.add(part * V::BYTE_ROWS)));
            for c in 0..C {
                sums[c] = weights[c].1.mul_add(sum, sums[c]);
            }
        }
    }
}

/// Some columns of a panel, and one row of inputs.
struct Columns<'a> {
    part: &'a Part,
    row: ByteRow,
    columns: Range<usize>,
    sums: Sums,
}

/// Their product, with weights that are unpacked in registers.
struct OneRow<'a, F>(Columns<'a>, PhantomData<F>);

impl<F: Format> ByteCode for OneRow<'_, F> {
    #[inline(always)]
    unsafe fn run<V: Bytes>(self) {
        let Columns { part, row, columns, sums } = self.0;
        let mut column = columns.start;
        // SAFETY: the caller has the instructions, the columns and the row. Column blocks are whole.
        unsafe {
            while column < columns.end {
                // A panel begins with whole registers abreast; tasks that begin within it take their columns one register after the other.
                let is_full = column + ABREAST * V::WIDTH <= columns.end && column.is_multiple_of(ABREAST * V::WIDTH);
                let sums = sums.at(0, column - columns.start);
                column += if is_full {
                    one_row::<V, F, ABREAST>(part, row, column, sums);
                    ABREAST * V::WIDTH
                } else {
                    one_row::<V, F, 1>(part, row, column, sums);
                    V::WIDTH
                };
            }
        }
    }
}

/// # Safety
/// The machine has the instructions of `V`; the part has `C` registers of columns in one panel, the row all its inputs.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "columns index registers and memory alike")]
unsafe fn one_row<V: Bytes, F: Format, const C: usize>(layer: &Part, row: ByteRow, column: usize, into: Sums) {
    let lane_of = |c: usize| (column + c * V::WIDTH) % COLUMN_BLOCK;
    let beside = |c: usize| (column % COLUMN_BLOCK + c * V::WIDTH) / COLUMN_BLOCK * F::BYTES;
    let mut block = layer.first_block(column);
    let (mut four, mut part_of_row) = (0, 0);
    // SAFETY: the caller guarantees it.
    unsafe {
        let mut sums = [V::splat(0.0); C];
        for c in 0..C {
            sums[c] = V::load(into.from.add(c * V::WIDTH));
        }
        for _ in 0..layer.inputs / F::BLOCK {
            for part in 0..F::BLOCK / F::PART {
                let mut products = [beginning::<V, F>(row, part_of_row); C];
                let words = F::PART / F::IN_WORD;
                for word in part * words..(part + 1) * words {
                    if C > 1 {
                        fetch_ahead::<F>(block, word);
                    }
                    let mut loaded = [(V::splat_bits(0), V::splat_bits(0)); C];
                    for c in 0..C {
                        loaded[c] = load_word::<V, F>(block.add(beside(c)), word, lane_of(c));
                    }
                    for shift in 0..F::IN_BYTE {
                        let input = splat_four::<V>(row, four);
                        four += 1;
                        for c in 0..C {
                            products[c] = add_products::<V, F>(products[c], numbers::<V, F>(loaded[c], shift), input);
                        }
                    }
                }
                let mut weights = [(V::splat(0.0), V::splat(0.0)); C];
                for c in 0..C {
                    weights[c] = scale_of::<V, F>(block.add(beside(c)), part, lane_of(c));
                }
                add_part::<V, F, C>(&mut sums, products, weights, row, part_of_row);
                part_of_row += 1;
            }
            block = block.add(PANEL / COLUMN_BLOCK * F::BYTES);
        }
        for c in 0..C {
            sums[c].store(into.into.add(c * V::WIDTH));
        }
    }
}
