//! The one inner loop under linear layers, attention scores and weighted sums of values.

use super::lanes::Lanes;

/// Rows of a tile: with four AVX-512 registers abreast, 24 accumulators, 4 weights and 1 input fill the register file.
pub(super) const ROWS: usize = 6;

/// Matrices as the kernels see them: where they begin and how far apart their rows stand, in values.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    /// Inputs, `[rows, depth]`.
    pub(super) x: *const f32,
    pub(super) x_stride: usize,
    /// Weights, `[depth, columns]`.
    pub(super) w: *const f32,
    pub(super) w_stride: usize,
    /// Outputs, `[rows, columns]`: the chain of each element goes on from what stands there.
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

impl Operands {
    /// The same with rows from `row` on.
    #[inline(always)]
    pub(super) unsafe fn below(self, row: usize) -> Self {
        // SAFETY: the caller has that many rows.
        unsafe { Operands { x: self.x.add(row * self.x_stride), out: self.out.add(row * self.out_stride), ..self } }
    }

    /// The same with columns from `column` on.
    #[inline(always)]
    unsafe fn beside(self, column: usize) -> Self {
        // SAFETY: the caller has that many columns.
        unsafe { Operands { w: self.w.add(column), out: self.out.add(column), ..self } }
    }
}

/// `out[r][c] += Σ x[r][k]·w[k][c]`, `k` ascending, for `rows` rows.
///
/// # Safety
/// The machine has the instructions of `V`. `columns` is rounded up to a multiple of `V::WIDTH`: so many values must be
/// readable in each row of `w` and writable in each row of `out`; those beyond `columns` are of no meaning.
#[inline(always)]
pub(super) unsafe fn multiply<V: Lanes>(m: Operands, rows: usize, depth: usize, columns: usize) {
    let mut row = 0;
    while row < rows {
        // SAFETY: `row` is below `rows`; the rest is the caller's word.
        unsafe {
            let m = m.below(row);
            match rows - row {
                1 => strip::<V, 1>(m, depth, columns),
                2 => strip::<V, 2>(m, depth, columns),
                3 => strip::<V, 3>(m, depth, columns),
                4 => strip::<V, 4>(m, depth, columns),
                5 => strip::<V, 5>(m, depth, columns),
                _ => strip::<V, ROWS>(m, depth, columns),
            }
        }
        row += ROWS;
    }
}

#[inline(always)]
unsafe fn strip<V: Lanes, const R: usize>(m: Operands, depth: usize, columns: usize) {
    let wide = V::ABREAST * V::WIDTH;
    let mut column = 0;
    // SAFETY: the columns stay within `columns`, rounded up to a register; the rest is the caller's word.
    unsafe {
        while column + wide <= columns {
            match V::ABREAST {
                4 => tile::<V, R, 4>(m.beside(column), depth),
                _ => tile::<V, R, 2>(m.beside(column), depth),
            }
            column += wide;
        }
        while column < columns {
            tile::<V, R, 1>(m.beside(column), depth);
            column += V::WIDTH;
        }
    }
}

/// Written so that all accumulators live in registers: `R × C` of them.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "rows and columns index registers and memory alike")]
unsafe fn tile<V: Lanes, const R: usize, const C: usize>(m: Operands, depth: usize) {
    // SAFETY: the caller has `R` rows, `C` registers of columns and `depth` values of `k`.
    unsafe {
        let mut sums = [[V::splat(0.0); C]; R];
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = V::load(m.out.add(r * m.out_stride + c * V::WIDTH));
            }
        }
        for k in 0..depth {
            let mut weights = [V::splat(0.0); C];
            for c in 0..C {
                weights[c] = V::load(m.w.add(k * m.w_stride + c * V::WIDTH));
            }
            for r in 0..R {
                let input = V::splat(*m.x.add(r * m.x_stride + k));
                for c in 0..C {
                    sums[r][c] = input.mul_add(weights[c], sums[r][c]);
                }
            }
        }
        for r in 0..R {
            for c in 0..C {
                sums[r][c].store(m.out.add(r * m.out_stride + c * V::WIDTH));
            }
        }
    }
}
