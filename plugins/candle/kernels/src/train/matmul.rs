//! Matrix products, transposed or not, added to what is there or not.

use super::Shared;
use crate::isa::Isa;
use crate::lanes::{Lanes, for_each_isa};
use crate::product::{BLOCK, DEPTH, Product, multiply_packed};
use crate::tasks::for_each_task;
use crate::tile::{COLUMN_BLOCK, Start};
use gemm::Parallelism;
use rayon::prelude::*;
use std::cell::Cell;
use std::ops::Range;

/// A matrix somewhere in an array.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Rows `row_stride` values apart.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        let needed = if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + columns };
        assert!(values.len() >= needed, "{rows} x {columns} values, {row_stride} apart, in {}", values.len());
        Matrix { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// The same values with rows and columns exchanged; nothing is moved.
    pub fn t(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `out = a · b`, or `out += a · b` with `add`, on all threads. `out` is `[a.rows, b.columns]`.
///
/// Each element is one chain of multiply-adds in the order of the inner size.
pub fn multiply(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, add: bool, out: &mut [f32]) {
    assert_eq!(out.len(), a.rows * b.columns, "a product of {} x {}", a.rows, b.columns);
    assert_eq!(a.columns, b.rows, "the inner sizes of a product");
    if out.is_empty() {
        return;
    }
    let mut strips = STRIPS.take();
    let packed = pack(isa, b, &mut strips);
    let (blocks, panels) = (a.rows.div_ceil(BLOCK), b.columns.div_ceil(COLUMN_BLOCK));
    // Rows that have to be turned first are turned in each group of columns again: few groups, but tasks for all threads.
    let groups = (8 * rayon::current_num_threads()).div_ceil(blocks).min(panels.div_ceil(4));
    let group = panels.div_ceil(groups) * COLUMN_BLOCK;
    let groups = b.columns.div_ceil(group);
    let shared = Shared(out.as_mut_ptr());
    for_each_task(blocks * groups, |task| {
        let (block, first) = (task % blocks, task / blocks * group);
        let rows = block * BLOCK..a.rows.min((block + 1) * BLOCK);
        let columns = first..b.columns.min(first + group);
        // SAFETY: tasks differ in rows or in columns; `out` is as large as the product.
        unsafe { part(isa, a, packed, add, shared.at(0), b.columns, rows, columns) };
    });
    STRIPS.set(strips);
}

thread_local! {
    /// Memory of earlier strips, and of rows that were turned: fresh memory would have to be cleared by the system.
    static STRIPS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    static TURNED: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A matrix in strips of neighbouring columns, `[column blocks][rows][COLUMN_BLOCK]`. Columns after the last are zero.
fn pack<'a>(isa: Isa, b: Matrix<'_>, strips: &'a mut Vec<f32>) -> &'a [f32] {
    let strip = b.rows * COLUMN_BLOCK;
    let size = b.columns.div_ceil(COLUMN_BLOCK) * strip;
    strips.resize(strips.len().max(size + COLUMN_BLOCK), 0.0);
    // Strips begin at a cache line.
    let start = strips.as_ptr().align_offset(4 * COLUMN_BLOCK).min(COLUMN_BLOCK);
    let packed = &mut strips[start..start + size];
    packed.par_chunks_mut(strip.max(1)).with_max_len(4).enumerate().for_each(|(index, into)| {
        pack_strip(isa, b, index * COLUMN_BLOCK, into);
    });
    packed
}

for_each_isa! {
    /// The strip of a matrix that begins with a column.
    fn pack_strip(b: Matrix<'_>, first: usize, into: &mut [f32]) = pack_strip_body
}

#[inline(always)]
fn pack_strip_body(b: Matrix<'_>, first: usize, into: &mut [f32]) {
    let columns = COLUMN_BLOCK.min(b.columns - first);
    let (lines, _) = into.as_chunks_mut::<COLUMN_BLOCK>();
    if b.column_stride == 1 {
        for (k, line) in lines.iter_mut().enumerate() {
            line[columns..].fill(0.0);
            line[..columns].copy_from_slice(&b.values[k * b.row_stride + first..][..columns]);
        }
        return;
    }
    for c in 0..COLUMN_BLOCK {
        if c < columns {
            let column = &b.values[(first + c) * b.column_stride..];
            for (k, line) in lines.iter_mut().enumerate() {
                line[c] = column[k * b.row_stride];
            }
        } else {
            lines.iter_mut().for_each(|line| line[c] = 0.0);
        }
    }
}

for_each_isa! {
    /// The given rows and columns of `a · b`, of which the second is packed.
    ///
    /// # Safety
    /// Rows and columns lie within the product, which is at `out`; no other thread uses them.
    unsafe fn part(
        a: Matrix<'_>, packed: &[f32], add: bool, out: *mut f32, stride: usize, rows: Range<usize>, columns: Range<usize>
    ) = part_body::<Lanes>
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "kernels take their shapes one by one")]
unsafe fn part_body<V: Lanes>(
    a: Matrix<'_>,
    packed: &[f32],
    add: bool,
    out: *mut f32,
    stride: usize,
    rows: Range<usize>,
    columns: Range<usize>,
) {
    let mut turned = TURNED.take();
    let mut k = 0;
    while k == 0 || k < a.columns {
        let depth = DEPTH.min(a.columns - k);
        // SAFETY: the caller guarantees it; `Matrix` checked that its elements are within its array.
        unsafe {
            let out = out.add(rows.start * stride);
            let (x, x_stride) = if a.column_stride == 1 {
                (a.values.as_ptr().add(rows.start * a.row_stride + k), a.row_stride)
            } else {
                turn(a, rows.clone(), k..k + depth, &mut turned);
                (turned.as_ptr(), depth)
            };
            let product = Product {
                depth,
                x,
                x_stride,
                w: packed.as_ptr().add(k * COLUMN_BLOCK),
                w_stride: a.columns * COLUMN_BLOCK,
                start: if add || k > 0 { Start::Values(out, stride) } else { Start::Zeros },
                out,
                out_stride: stride,
            };
            multiply_packed::<V, f32>(product, 0..rows.len(), columns.clone());
        }
        k += DEPTH;
    }
    TURNED.set(turned);
}

/// Rows of a matrix whose columns are in one piece, as rows in one piece.
#[inline(always)]
fn turn(a: Matrix<'_>, rows: Range<usize>, columns: Range<usize>, into: &mut Vec<f32>) {
    let depth = columns.len();
    into.resize(into.len().max(rows.len() * depth), 0.0);
    // So many lines are written in turns, which are in the nearest cache.
    for first in rows.clone().step_by(COLUMN_BLOCK) {
        let some = first..rows.end.min(first + COLUMN_BLOCK);
        for (k, column) in columns.clone().enumerate() {
            let values = &a.values[column * a.column_stride..];
            for row in some.clone() {
                into[(row - rows.start) * depth + k] = values[row * a.row_stride];
            }
        }
    }
}

/// `out = scale · a · b`, or `out += scale · a · b` with `add`, on this thread, with rows of `out` at `stride`.
///
/// # Safety
/// `out` has room for the product, and no other thread uses it meanwhile.
pub(super) unsafe fn multiply_here(a: Matrix<'_>, b: Matrix<'_>, scale: f32, add: bool, out: *mut f32, stride: usize) {
    assert_eq!(a.columns, b.rows, "the inner sizes of a product");
    // SAFETY: `Matrix` checked that its elements are within its array; the caller guarantees `out`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out,
            1,
            stride as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_test_support::checkpoint::noise;
    use proptest::prelude::*;

    #[test]
    fn transposed_strided_and_added() {
        let a: Vec<f32> = (0..15).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..8).map(|i| i as f32 - 3.0).collect();
        // `a` as 3 rows of 4 out of 5, transposed: [4, 3]; `b` as [2, 4] transposed: [4, 2].
        let (x, y) = (Matrix::strided(&a, 3, 4, 5), Matrix::new(&b, 2, 4));
        let mut out = vec![1.0; 6];
        multiply(Isa::best(), x, y.t(), true, &mut out);
        for (row, column) in (0..3).flat_map(|row| (0..2).map(move |column| (row, column))) {
            let expected: f32 = (0..4).map(|k| a[row * 5 + k] * b[column * 4 + k]).sum();
            assert_eq!(out[row * 2 + column], expected + 1.0);
        }
        let mut turned = vec![f32::NAN; 6];
        multiply(Isa::best(), y, x.t(), false, &mut turned);
        assert_eq!(turned[1], out[2] - 1.0);
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(24))]

        /// Any shape, both operands turned or not, on every instruction set.
        #[test]
        fn every_element_is_one_chain(
            rows in 1usize..300, inner in prop_oneof![1usize..40, 760usize..800, 1530usize..1550], columns in 1usize..90,
            turned in any::<[bool; 2]>(), add in any::<bool>(), seed in 1u64..1000
        ) {
            let (a, b, before) = (noise(rows * inner, seed), noise(inner * columns, seed + 1), noise(rows * columns, seed + 2));
            let matrix = |values, rows, columns, turned| {
                if turned { Matrix::new(values, columns, rows).t() } else { Matrix::new(values, rows, columns) }
            };
            let (x, y) = (matrix(&a, rows, inner, turned[0]), matrix(&b, inner, columns, turned[1]));
            let at = |m: Matrix<'_>, row: usize, column: usize| m.values[row * m.row_stride + column * m.column_stride];
            let element = |index: usize| {
                let (row, column) = (index / columns, index % columns);
                let start = if add { before[index] } else { 0.0 };
                (0..inner).fold(start, |sum, k| at(x, row, k).mul_add(at(y, k, column), sum)).to_bits()
            };
            for isa in Isa::available() {
                let mut out = before.clone();
                multiply(isa, x, y, add, &mut out);
                for index in (0..out.len()).step_by(7).chain([out.len() - 1]) {
                    prop_assert!(out[index].to_bits() == element(index), "{:?} at {}", isa, index);
                }
            }
        }
    }
}
