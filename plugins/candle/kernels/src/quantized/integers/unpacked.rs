//! The same for several rows, with weights that are unpacked to bytes in a near cache.

use super::{Kind, Sums, add_part, add_products, beginning, numbers, splat_four};
use crate::isa::Isa;
use crate::quantized::bytes::{ByteCode, Bytes, with_bytes};
use crate::quantized::formats::{Format, with_format};
use crate::quantized::numbers::{load_word, scale_of};
use crate::quantized::rows::{ByteRow, ByteRows};
use crate::quantized::{PANEL, Part};
use crate::scratch::Scratch;
use crate::tile::COLUMN_BLOCK;
use std::marker::PhantomData;
use std::ops::Range;

/// Registers of columns of a tile.
const ABREAST: usize = 2;
/// Inputs that are unpacked at a time: 64 KiB of a panel, in the second-level cache. Two column blocks of it stay in the nearest one.
const DEPTH: usize = 1024;
const LEAST_PART: usize = 16;

/// Some inputs of a panel: numbers as `[column blocks][inputs / 4][COLUMN_BLOCK]` of four bytes each, scales and minimums as
/// `[column blocks][parts][COLUMN_BLOCK]`.
#[derive(Clone, Copy)]
struct Unpacked {
    numbers: *mut u32,
    scales: *mut f32,
    minimums: *mut f32,
    inputs: usize,
}

impl Part {
    /// # Safety
    /// That of [`add_rounded`](Self::add_rounded).
    pub(super) unsafe fn multiply_unpacked(
        &self,
        isa: Isa,
        (input, rows): (&ByteRows, Range<usize>),
        columns: Range<usize>,
        sums: Sums,
    ) {
        assert!(rows.start.is_multiple_of(input.group), "rows that are multiplied together begin with a group");
        let mut memory = Scratch::<f32>::take(PANEL * (DEPTH / 4 + 2 * DEPTH / LEAST_PART));
        let (numbers, scales) = memory.as_mut_slice().split_at_mut(PANEL * DEPTH / 4);
        let (scales, minimums) = scales.split_at_mut(PANEL * DEPTH / LEAST_PART);
        let (numbers, scales, minimums) = (numbers.as_mut_ptr().cast(), scales.as_mut_ptr(), minimums.as_mut_ptr());
        let blocks = columns.len().div_ceil(COLUMN_BLOCK);
        for k in (0..self.inputs).step_by(DEPTH) {
            let into = Unpacked { numbers, scales, minimums, inputs: DEPTH.min(self.inputs - k) };
            let from = self.first_block(columns.start);
            with_format!(self.format, F => {
                type Like = Tiled<
                    { <F as Format>::PART },
                    { <F as Format>::HAS_MINIMUM },
                    { <F as Format>::HAS_SMALL_BYTES },
                >;
                let tiles = Tiles::<Like> {
                    input,
                    first: (rows.start, k),
                    weights: into,
                    rows: rows.len(),
                    columns: columns.len(),
                    sums: if k == 0 { sums } else { Sums { from: sums.into, from_stride: sums.stride, ..sums } },
                    kind: PhantomData,
                };
                // SAFETY: blocks are whole, and there is room for so many inputs of a panel; rows have all inputs.
                unsafe {
                    let from = from.add(k / F::BLOCK * F::BYTES * PANEL / COLUMN_BLOCK);
                    with_bytes(isa, Unpack::<F> { from, blocks, into, format: PhantomData });
                    with_bytes(isa, tiles);
                }
            });
        }
    }
}

/// Unpacks column blocks.
struct Unpack<F> {
    from: *const u8,
    blocks: usize,
    into: Unpacked,
    format: PhantomData<F>,
}

impl<F: Format> ByteCode for Unpack<F> {
    #[inline(always)]
    unsafe fn run<V: Bytes>(self) {
        let Unpack { from, blocks, into, .. } = self;
        let (fours, parts) = (into.inputs / 4, into.inputs / F::PART);
        for block in 0..blocks {
            for lane in (0..COLUMN_BLOCK).step_by(V::WIDTH) {
                // SAFETY: the caller has the instructions, so many blocks, and room for their numbers.
                unsafe {
                    let mut from = from.add(block * F::BYTES);
                    let mut to = into.numbers.add(block * fours * COLUMN_BLOCK + lane);
                    let mut part_at = block * parts * COLUMN_BLOCK + lane;
                    for _ in 0..into.inputs / F::BLOCK {
                        for part in 0..F::BLOCK / F::PART {
                            let (scale, minimum) = scale_of::<V, F>(from, part, lane);
                            scale.store(into.scales.add(part_at));
                            if F::HAS_MINIMUM {
                                minimum.store(into.minimums.add(part_at));
                            }
                            part_at += COLUMN_BLOCK;
                        }
                        for word in 0..F::BLOCK / F::IN_WORD {
                            let loaded = load_word::<V, F>(from, word, lane);
                            for shift in 0..F::IN_BYTE {
                                V::store_bits(numbers::<V, F>(loaded, shift), to);
                                to = to.add(COLUMN_BLOCK);
                            }
                        }
                        from = from.add(PANEL / COLUMN_BLOCK * F::BYTES);
                    }
                }
            }
        }
    }
}

/// What formats have in common whose products are the same code.
struct Tiled<const PART: usize, const HAS_MINIMUM: bool, const HAS_SMALL_BYTES: bool>;

impl<const PART: usize, const HAS_MINIMUM: bool, const HAS_SMALL_BYTES: bool> Kind
    for Tiled<PART, HAS_MINIMUM, HAS_SMALL_BYTES>
{
    const PART: usize = PART;
    const HAS_MINIMUM: bool = HAS_MINIMUM;
    const HAS_SMALL_BYTES: bool = HAS_SMALL_BYTES;
}

/// Products of all rows with unpacked columns.
struct Tiles<'a, K> {
    input: &'a ByteRows,
    /// The first row, and its first input.
    first: (usize, usize),
    weights: Unpacked,
    rows: usize,
    columns: usize,
    sums: Sums,
    kind: PhantomData<K>,
}

impl<K: Kind> ByteCode for Tiles<'_, K> {
    #[inline(always)]
    unsafe fn run<V: Bytes>(self) {
        // Rows begin with a group, as all tasks do.
        let height = V::BYTE_ROWS;
        for column in (0..self.columns).step_by(ABREAST * V::WIDTH) {
            for row in (0..self.rows).step_by(height) {
                // SAFETY: the caller has the instructions, and whole column blocks of weights and sums.
                unsafe {
                    match height.min(self.rows - row) {
                        1 => V::call_with_bytes(self.tile::<1>(row, column)),
                        2 => V::call_with_bytes(self.tile::<2>(row, column)),
                        3 if V::BYTE_ROWS > 2 => V::call_with_bytes(self.tile::<3>(row, column)),
                        4 if V::BYTE_ROWS > 2 => V::call_with_bytes(self.tile::<4>(row, column)),
                        5 if V::BYTE_ROWS > 2 => V::call_with_bytes(self.tile::<5>(row, column)),
                        6 if V::BYTE_ROWS > 2 => V::call_with_bytes(self.tile::<6>(row, column)),
                        rows => unreachable!("a tile of {rows} rows"),
                    }
                }
            }
        }
    }
}

impl<K: Kind> Tiles<'_, K> {
    /// # Safety
    /// There are so many rows and columns.
    #[inline(always)]
    unsafe fn tile<const R: usize>(&self, row: usize, column: usize) -> Tile<K, R> {
        let (first, k) = self.first;
        Tile {
            row: self.input.row(first + row, k),
            weights: self.weights,
            column,
            // SAFETY: the caller guarantees it.
            sums: unsafe { self.sums.at(row, column) },
            kind: PhantomData,
        }
    }
}

/// `R` rows and [`ABREAST`] registers of columns.
struct Tile<K, const R: usize> {
    row: ByteRow,
    weights: Unpacked,
    column: usize,
    sums: Sums,
    kind: PhantomData<K>,
}

impl<K: Kind, const R: usize> ByteCode for Tile<K, R> {
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "rows and columns index registers and memory alike")]
    unsafe fn run<V: Bytes>(self) {
        let Tile { row, weights, column, sums: into, .. } = self;
        let (fours, parts) = (weights.inputs / 4, weights.inputs / K::PART);
        // Where a register of columns begins in its column block, of so many rows of them.
        let at = |c: usize, of: usize| {
            let column = column + c * V::WIDTH;
            column / COLUMN_BLOCK * of * COLUMN_BLOCK + column % COLUMN_BLOCK
        };
        // SAFETY: the caller has the instructions, the rows and the columns.
        unsafe {
            let mut sums = [[V::splat(0.0); ABREAST]; R];
            for r in 0..R {
                for c in 0..ABREAST {
                    sums[r][c] = V::load(into.from.add(r * into.from_stride + c * V::WIDTH));
                }
            }
            for part in 0..parts {
                let mut products = [[V::splat_bits(0); ABREAST]; R];
                for r in 0..R {
                    products[r] = [beginning::<V, K>(row.next(r), part); ABREAST];
                }
                for four in part * K::PART / 4..(part + 1) * K::PART / 4 {
                    let mut numbers = [V::splat_bits(0); ABREAST];
                    for c in 0..ABREAST {
                        numbers[c] = V::load_bits(weights.numbers.add(at(c, fours) + four * COLUMN_BLOCK).cast());
                    }
                    for r in 0..R {
                        let input = splat_four::<V>(row.next(r), four);
                        for c in 0..ABREAST {
                            products[r][c] = add_products::<V, K>(products[r][c], numbers[c], input);
                        }
                    }
                }
                let mut scales = [(V::splat(0.0), V::splat(0.0)); ABREAST];
                for c in 0..ABREAST {
                    let at = at(c, parts) + part * COLUMN_BLOCK;
                    scales[c].0 = V::load(weights.scales.add(at));
                    if K::HAS_MINIMUM {
                        scales[c].1 = V::load(weights.minimums.add(at));
                    }
                }
                for r in 0..R {
                    add_part::<V, K, ABREAST>(&mut sums[r], products[r], scales, row.next(r), part);
                }
            }
            for r in 0..R {
                for c in 0..ABREAST {
                    sums[r][c].store(into.into.add(r * into.stride + c * V::WIDTH));
                }
            }
        }
    }
}
