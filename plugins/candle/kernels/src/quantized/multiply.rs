//! Products with packed blocks.

use super::formats::{self, Format, with_format};
use super::numbers::{EachK, for_each_k};
use super::words::Words;
use super::{PANEL, Part, Quantized};
use crate::isa::Isa;
use crate::lanes::for_each_isa;
use crate::product::{DEPTH, Product, multiply_packed};
use crate::scratch::Scratch;
use crate::tile::{COLUMN_BLOCK, Start};
use std::ops::Range;

/// Registers of columns at the same time.
const ABREAST: usize = 4;
/// Columns of a strip that is unpacked: with [`DEPTH`] inputs 192 KiB, in the second-level cache.
const GROUP: usize = PANEL;

impl Quantized {
    /// Chains of multiply-adds that go on from `start`, for the given rows and columns, which begin at a column block.
    ///
    /// # Safety
    /// `input` has the rows, `output` the rows and columns of `outputs`, which no other thread
    /// uses, and `start` whole column blocks.
    #[allow(clippy::too_many_arguments, reason = "kernels take their shapes one by one")]
    pub(crate) unsafe fn multiply(
        &self,
        isa: Isa,
        input: *const f32,
        start: Start,
        output: *mut f32,
        outputs: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        for part in &self.parts {
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
                part.multiply(isa, layer, rows.len(), columns.start - first..columns.end - first);
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
    unsafe fn multiply(&self, isa: Isa, place: Place, rows: usize, mut columns: Range<usize>) {
        // Where parts begin anywhere, tasks may begin within a panel.
        let first = columns.start..columns.end.min(columns.start.next_multiple_of(PANEL));
        columns.start = first.end;
        // SAFETY: the caller guarantees it.
        unsafe {
            self.any_rows(isa, place, rows, first);
            with_format!(self.format, F => F::few_rows(isa, self, place, rows, &mut columns));
            self.any_rows(isa, place, rows, columns);
        }
    }

    /// Weights are unpacked, a strip at a time, and multiplied from there.
    unsafe fn any_rows(&self, isa: Isa, place: Place, rows: usize, columns: Range<usize>) {
        if columns.is_empty() {
            return;
        }
        let mut buffer = Scratch::<f32>::take(GROUP * DEPTH);
        let strip = buffer.as_mut_slice().as_mut_ptr();
        for k in (0..self.inputs).step_by(DEPTH) {
            let inputs = k..self.inputs.min(k + DEPTH);
            let w_stride = inputs.len() * COLUMN_BLOCK;
            for column in columns.clone().step_by(GROUP) {
                let columns = column..columns.end.min(column + GROUP);
                // SAFETY: the caller guarantees it. There is room for so many column blocks; inputs begin and end with blocks.
                unsafe {
                    with_format!(self.format, F => F::unpack(isa, self, columns.clone(), inputs.clone(), strip));
                    let out = place.out.add(column);
                    let product = Product {
                        depth: inputs.len(),
                        x: place.x.add(k),
                        x_stride: self.inputs,
                        w: strip.cast_const(),
                        w_stride,
                        start: if k == 0 { place.start.at(0, column) } else { Start::Values(out, place.out_stride) },
                        out,
                        out_stride: place.out_stride,
                    };
                    multiply_strip(isa, product, 0..rows, 0..columns.len());
                }
            }
        }
    }
}

for_each_isa! {
    /// # Safety
    /// That of [`multiply_packed`].
    unsafe fn multiply_strip(product: Product<f32>, rows: Range<usize>, columns: Range<usize>) = strip_body::<Lanes>
}

#[inline(always)]
unsafe fn strip_body<V: Words>(product: Product<f32>, rows: Range<usize>, columns: Range<usize>) {
    // SAFETY: the caller guarantees it.
    unsafe { multiply_packed::<V, f32>(product, rows, columns) }
}

/// What is compiled for each format and each instruction set by itself: in one function together they take a compiler minutes.
trait Loops {
    /// Computes columns of a few rows, with weights in registers. Leaves the columns that do not fill [`ABREAST`] registers, and all where
    /// there are too many rows.
    ///
    /// # Safety
    /// As with [`Quantized::multiply`].
    unsafe fn few_rows(isa: Isa, part: &Part, place: Place, rows: usize, columns: &mut Range<usize>);
    /// Writes weights in 32 bits, `[column blocks][inputs][COLUMN_BLOCK]`.
    ///
    /// # Safety
    /// The part has these columns and inputs, the inputs are whole blocks, and there is room for their numbers.
    unsafe fn unpack(isa: Isa, part: &Part, columns: Range<usize>, inputs: Range<usize>, into: *mut f32);
}

macro_rules! loops {
    ($($name:ident)*) => {$(
        impl Loops for formats::$name {
            unsafe fn few_rows(isa: Isa, part: &Part, place: Place, rows: usize, columns: &mut Range<usize>) {
                #[inline(always)]
                unsafe fn body<V: Words>(part: &Part, place: Place, rows: usize, columns: &mut Range<usize>) {
                    // SAFETY: the caller guarantees it.
                    unsafe { few_rows::<V, formats::$name>(part, place, rows, columns) }
                }
                for_each_isa! {
                    unsafe fn compiled(part: &Part, place: Place, rows: usize, columns: &mut Range<usize>)
                        = body::<Lanes>
                }
                // SAFETY: the caller guarantees it.
                unsafe { compiled(isa, part, place, rows, columns) }
            }

            unsafe fn unpack(isa: Isa, part: &Part, columns: Range<usize>, inputs: Range<usize>, into: *mut f32) {
                #[inline(always)]
                unsafe fn body<V: Words>(part: &Part, columns: Range<usize>, inputs: Range<usize>, into: *mut f32) {
                    // SAFETY: the caller guarantees it.
                    unsafe { unpack::<V, formats::$name>(part, columns, inputs, into) }
                }
                for_each_isa! {
                    unsafe fn compiled(part: &Part, columns: Range<usize>, inputs: Range<usize>, into: *mut f32)
                        = body::<Lanes>
                }
                // SAFETY: the caller guarantees it.
                unsafe { compiled(isa, part, columns, inputs, into) }
            }
        }
    )*};
}

loops!(Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2K Q3K Q4K Q5K Q6K Iq4Nl Iq4Xs);

#[inline(always)]
unsafe fn few_rows<V: Words, F: Format>(part: &Part, place: Place, rows: usize, columns: &mut Range<usize>) {
    while columns.len() >= ABREAST * V::WIDTH {
        // SAFETY: the caller guarantees it.
        unsafe {
            match rows {
                1 if V::FEW_ROWS >= 1 => in_registers::<V, F, 1>(part, place, columns.start),
                2 if V::FEW_ROWS >= 2 => in_registers::<V, F, 2>(part, place, columns.start),
                3 if V::FEW_ROWS >= 3 => in_registers::<V, F, 3>(part, place, columns.start),
                4 if V::FEW_ROWS >= 4 => in_registers::<V, F, 4>(part, place, columns.start),
                _ => return,
            }
        }
        columns.start += ABREAST * V::WIDTH;
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "rows and columns index registers and memory alike")]
unsafe fn in_registers<V: Words, F: Format, const R: usize>(part: &Part, place: Place, column: usize) {
    // SAFETY: the caller guarantees it.
    unsafe {
        let mut sums = Sums { x: place.x, x_stride: part.inputs, sums: [[V::splat(0.0); ABREAST]; R] };
        if let Start::Values(from, from_stride) = place.start {
            for r in 0..R {
                for c in 0..ABREAST {
                    sums.sums[r][c] = V::load(from.add(r * from_stride + column + c * V::WIDTH));
                }
            }
        }
        for_each_k::<V, F, ABREAST>(part.first_block(column), column % COLUMN_BLOCK, part.inputs, &mut sums);
        for r in 0..R {
            for c in 0..ABREAST {
                sums.sums[r][c].store(place.out.add(r * place.out_stride + column + c * V::WIDTH));
            }
        }
    }
}

#[inline(always)]
unsafe fn unpack<V: Words, F: Format>(part: &Part, columns: Range<usize>, inputs: Range<usize>, into: *mut f32) {
    for block in 0..columns.len().div_ceil(COLUMN_BLOCK) {
        for lane in (0..COLUMN_BLOCK).step_by(V::WIDTH) {
            // SAFETY: the caller has so many blocks, and room for their numbers.
            unsafe {
                let first = part.first_block(columns.start + block * COLUMN_BLOCK);
                let from = first.add(inputs.start / F::BLOCK * F::BYTES * PANEL / COLUMN_BLOCK);
                let to = Store(into.add(block * inputs.len() * COLUMN_BLOCK + lane));
                for_each_k::<V, F, 1>(from, lane, inputs.len(), to);
            }
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
