//! Rows times packed columns: what linear layers and the products of training have in common.

use super::elements::Element;
use super::lanes::Lanes;
use super::tile::{COLUMN_BLOCK, MOST_ROWS, Operands, Prefetch, Start, multiply_tile, registers_abreast, tile_height};
use std::ops::Range;

/// So many values of `k` are multiplied before the next column block comes: its part of so many rows (48 KiB) stays in the nearest
/// caches while all rows of a task pass by. Between blocks, sums are stored and loaded as they are.
pub(super) const DEPTH: usize = 768;
/// Rows of a task; their inputs of one block (360 KiB) stay in the second-level cache.
pub(super) const BLOCK: usize = 120;

/// `out = start + x · w`.
#[derive(Clone, Copy)]
pub(super) struct Product<W: Element> {
    /// Values of `k`.
    pub(super) depth: usize,
    /// Inputs, `[rows, depth]`, and how far apart rows are.
    pub(super) x: *const W::Input,
    pub(super) x_stride: usize,
    /// Weights, `[column blocks][depth][COLUMN_BLOCK]`, and how far apart column blocks are.
    pub(super) w: *const W,
    pub(super) w_stride: usize,
    /// What chains go on from.
    pub(super) start: Start,
    /// Outputs, `[rows, columns]`, and how far apart rows are.
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

/// Computes the given rows and columns, each as one chain of multiply-adds in the order of `k`.
///
/// # Safety
/// The machine has the instructions of `V` and `W`; rows and columns lie within the matrices, and columns begin at a column block. No
/// other thread uses these elements of `out`. `w` has whole column blocks, and so has `start` if it is no matrix of the shape of `out`.
#[inline(always)]
pub(super) unsafe fn multiply_packed<V: Lanes, W: Element>(m: Product<W>, rows: Range<usize>, columns: Range<usize>) {
    let highest = tile_height::<V>(rows.len());
    let group = (registers_abreast::<V>(highest) * V::WIDTH).max(COLUMN_BLOCK);
    let tiles = rows.len().div_ceil(highest);
    let mut edge = [0.0f32; MOST_ROWS * COLUMN_BLOCK];
    let mut k = 0;
    // Even without inputs there is a start.
    while k == 0 || k < m.depth {
        let depth = DEPTH.min(m.depth - k);
        for column in columns.clone().step_by(group) {
            let width = group.min(columns.end - column);
            // What is not a whole column block goes through `edge`, which has room for one.
            let whole = width / COLUMN_BLOCK * COLUMN_BLOCK;
            // Each tile fetches its share of what comes next. A single one would only wait for both.
            let step = COLUMN_BLOCK / tiles.min(COLUMN_BLOCK);
            let next = if column + group < columns.end {
                m.w.wrapping_add((column + group) / COLUMN_BLOCK * m.w_stride + k * COLUMN_BLOCK)
            } else {
                m.w.wrapping_add(columns.start / COLUMN_BLOCK * m.w_stride + (k + depth) * COLUMN_BLOCK)
            };
            for (tile, row) in rows.clone().step_by(highest).enumerate() {
                let height = highest.min(rows.end - row);
                let ahead = (tiles > 1).then(|| Prefetch { next: next.wrapping_add(tile * step * depth), step });
                // SAFETY: rows and columns lie within the matrices; column blocks are whole.
                unsafe {
                    let out = m.out.add(row * m.out_stride + column);
                    let from = if k == 0 { m.start.at(row, column) } else { Start::Values(out, m.out_stride) };
                    let operands = Operands {
                        x: m.x.add(row * m.x_stride + k),
                        x_stride: m.x_stride,
                        w: m.w.add(column / COLUMN_BLOCK * m.w_stride + k * COLUMN_BLOCK),
                        w_stride: COLUMN_BLOCK,
                        column_block_stride: m.w_stride,
                        from,
                        out,
                        out_stride: m.out_stride,
                    };
                    multiply_tile::<V, W>(operands, height, depth, whole, ahead);
                    if whole < width {
                        let (out, beside) = (out.add(whole), width - whole);
                        let from = match from.at(0, whole) {
                            // Of a matrix no more may be read than there is.
                            Start::Values(from, stride) if stride > 0 => {
                                for r in 0..height {
                                    let row = edge.as_mut_ptr().add(r * COLUMN_BLOCK);
                                    std::ptr::copy_nonoverlapping(from.add(r * stride), row, beside);
                                }
                                Start::Values(edge.as_ptr(), COLUMN_BLOCK)
                            }
                            start => start,
                        };
                        let w = operands.w.add(whole / COLUMN_BLOCK * m.w_stride);
                        let operands =
                            Operands { w, from, out: edge.as_mut_ptr(), out_stride: COLUMN_BLOCK, ..operands };
                        multiply_tile::<V, W>(operands, height, depth, beside, ahead);
                        for r in 0..height {
                            let row = edge.as_ptr().add(r * COLUMN_BLOCK);
                            std::ptr::copy_nonoverlapping(row, out.add(r * m.out_stride), beside);
                        }
                    }
                }
            }
        }
        k += DEPTH;
    }
}
