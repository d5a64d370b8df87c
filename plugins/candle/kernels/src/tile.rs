//! The one inner loop under linear layers, attention scores and weighted sums of values.

use super::elements::Element;
use super::lanes::{Code, Lanes, prefetch};

/// Rows of the highest tile of any instruction set.
pub(super) const MOST_ROWS: usize = 12;

/// Columns that are neighbours in memory, whatever the operand: a whole cache line of `f32`.
pub(super) const COLUMN_BLOCK: usize = 16;

/// Matrices as the kernels see them: where they begin and how far apart their rows are, in values.
#[derive(Clone, Copy)]
pub(super) struct Operands<W: Element = f32> {
    /// Inputs, `[rows, depth]`.
    pub(super) x: *const W::Input,
    pub(super) x_stride: usize,
    /// Weights, `[depth, columns]`, and how far apart blocks of [`COLUMN_BLOCK`] columns begin.
    pub(super) w: *const W,
    pub(super) w_stride: usize,
    pub(super) column_block_stride: usize,
    /// What the chain of each element goes on from.
    pub(super) from: Start,
    /// Outputs, `[rows, columns]`.
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

/// The beginning of chains of multiply-adds.
#[derive(Clone, Copy)]
pub(super) enum Start {
    Zeros,
    /// `[rows, columns]`, rows so far apart: 0 for a bias.
    Values(*const f32, usize),
}

impl Start {
    /// The same from another row and column on.
    #[inline(always)]
    pub(super) unsafe fn at(self, row: usize, column: usize) -> Self {
        match self {
            Start::Zeros => Start::Zeros,
            // SAFETY: the caller has that many rows and columns.
            Start::Values(values, stride) => unsafe { Start::Values(values.add(row * stride + column), stride) },
        }
    }
}

impl Operands {
    /// The same with weights of another number type, in blocks of as many values.
    #[inline(always)]
    pub(super) fn with_weights<W: Element<Input = f32>>(self, w: *const W) -> Operands<W> {
        let Operands { x, x_stride, w_stride, column_block_stride, from, out, out_stride, .. } = self;
        Operands { x, x_stride, w, w_stride, column_block_stride, from, out, out_stride }
    }
}

impl<W: Element> Operands<W> {
    /// The same with rows from `row` on.
    #[inline(always)]
    pub(super) unsafe fn rows_from(self, row: usize) -> Self {
        // SAFETY: the caller has that many rows.
        unsafe {
            Operands {
                x: self.x.add(row * self.x_stride),
                from: self.from.at(row, 0),
                out: self.out.add(row * self.out_stride),
                ..self
            }
        }
    }

    /// The same with columns from `column` on.
    #[inline(always)]
    unsafe fn columns_from(self, column: usize) -> Self {
        // SAFETY: the caller has that many columns.
        unsafe {
            Operands {
                w: self.w.add(column / COLUMN_BLOCK * self.column_block_stride + column % COLUMN_BLOCK),
                from: self.from.at(0, column),
                out: self.out.add(column),
                ..self
            }
        }
    }
}

/// What will be multiplied next, so that it is fetched from memory meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Prefetch<W> {
    /// Where it begins.
    pub(super) next: *const W,
    /// How far to go for each value of `k`: a whole column block if this is all the time there is.
    pub(super) step: usize,
}

/// `out[r][c] = from[r][c] + Σ x[r][k]·w[k][c]`, `k` ascending, for `rows` rows.
///
/// # Safety
/// The machine has the instructions of `V`. `columns` is rounded up to a multiple of `V::WIDTH`: so many values must be
/// readable in each row of `w` and `from`, and writable in each row of `out`; those beyond `columns` are of no meaning.
#[inline(always)]
pub(super) unsafe fn multiply<V: Lanes, W: Element>(m: Operands<W>, rows: usize, depth: usize, columns: usize) {
    let height = tile_height::<V>(rows);
    let mut row = 0;
    while row < rows {
        // SAFETY: `row` is below `rows`; the caller guarantees the rest.
        unsafe { multiply_tile::<V, W>(m.rows_from(row), (rows - row).min(height), depth, columns, None) }
        row += height;
    }
}

/// Rows of the tiles that so many rows are cut into: as even as can be, because a tile of few rows waits for its sums.
#[inline(always)]
pub(super) fn tile_height<V: Lanes>(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(V::ROWS).max(1)).max(1)
}

/// The same for `V::ROWS` rows at most, while what comes next is fetched.
///
/// # Safety
/// As with [`multiply`].
#[inline(always)]
pub(super) unsafe fn multiply_tile<V: Lanes, W: Element>(
    m: Operands<W>,
    rows: usize,
    depth: usize,
    columns: usize,
    ahead: Option<Prefetch<W>>,
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        match ahead {
            Some(ahead) => rows_of::<V, W, true>(m, rows, depth, columns, ahead),
            None => rows_of::<V, W, false>(m, rows, depth, columns, Prefetch { next: m.w, step: 0 }),
        }
    }
}

#[inline(always)]
unsafe fn rows_of<V: Lanes, W: Element, const AHEAD: bool>(
    m: Operands<W>,
    rows: usize,
    depth: usize,
    columns: usize,
    ahead: Prefetch<W>,
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        match rows {
            1 => all_columns::<V, W, 1, AHEAD>(m, depth, columns, ahead),
            2 => all_columns::<V, W, 2, AHEAD>(m, depth, columns, ahead),
            3 => all_columns::<V, W, 3, AHEAD>(m, depth, columns, ahead),
            4 => all_columns::<V, W, 4, AHEAD>(m, depth, columns, ahead),
            5 => all_columns::<V, W, 5, AHEAD>(m, depth, columns, ahead),
            6 => all_columns::<V, W, 6, AHEAD>(m, depth, columns, ahead),
            7 if V::ROWS > 6 => all_columns::<V, W, 7, AHEAD>(m, depth, columns, ahead),
            8 if V::ROWS > 6 => all_columns::<V, W, 8, AHEAD>(m, depth, columns, ahead),
            9 if V::ROWS > 6 => all_columns::<V, W, 9, AHEAD>(m, depth, columns, ahead),
            10 if V::ROWS > 6 => all_columns::<V, W, 10, AHEAD>(m, depth, columns, ahead),
            11 if V::ROWS > 6 => all_columns::<V, W, 11, AHEAD>(m, depth, columns, ahead),
            12 if V::ROWS > 6 => all_columns::<V, W, 12, AHEAD>(m, depth, columns, ahead),
            _ => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// Registers of columns that are multiplied at the same time: as many as leave all sums of so many rows in registers, beside the
/// weights and an input. Few rows leave most registers free: more columns keep the multipliers busy, and memory is read in longer
/// stretches.
#[inline(always)]
pub(super) const fn registers_abreast<V: Lanes>(rows: usize) -> usize {
    match rows {
        1 => 8,
        _ if rows * 4 + 4 < V::REGISTERS => 4,
        _ => V::ABREAST,
    }
}

#[inline(always)]
unsafe fn all_columns<V: Lanes, W: Element, const R: usize, const AHEAD: bool>(
    m: Operands<W>,
    depth: usize,
    columns: usize,
    ahead: Prefetch<W>,
) {
    let mut column = 0;
    // SAFETY: the columns stay within `columns`, rounded up to a register; the caller guarantees the rest.
    unsafe {
        let most = const { registers_abreast::<V>(R) };
        if most == 8 {
            while column + 8 * V::WIDTH <= columns {
                W::call::<V, _>(Tile::<W, R, 8, AHEAD> { m: m.columns_from(column), depth, ahead });
                column += 8 * V::WIDTH;
            }
        }
        if most >= 4 {
            while column + 4 * V::WIDTH <= columns {
                W::call::<V, _>(Tile::<W, R, 4, AHEAD> { m: m.columns_from(column), depth, ahead });
                column += 4 * V::WIDTH;
            }
        }
        while column + 2 * V::WIDTH <= columns {
            W::call::<V, _>(Tile::<W, R, 2, AHEAD> { m: m.columns_from(column), depth, ahead });
            column += 2 * V::WIDTH;
        }
        while column < columns {
            W::call::<V, _>(Tile::<W, R, 1, AHEAD> { m: m.columns_from(column), depth, ahead });
            column += V::WIDTH;
        }
    }
}

/// `R` rows and `C` registers of columns. Written so that all sums live in registers: `R × C` of them.
struct Tile<W: Element, const R: usize, const C: usize, const AHEAD: bool> {
    m: Operands<W>,
    depth: usize,
    ahead: Prefetch<W>,
}

impl<W: Element, const R: usize, const C: usize, const AHEAD: bool> Code for Tile<W, R, C, AHEAD> {
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "rows and columns index registers and memory alike")]
    unsafe fn run<V: Lanes>(self) {
        let Tile { m, depth, ahead } = self;
        // SAFETY: the caller has `R` rows, `C` registers of columns and `depth` values of `k`.
        unsafe {
            let mut sums = [[V::splat(0.0); C]; R];
            if let Start::Values(from, stride) = m.from {
                for r in 0..R {
                    for c in 0..C {
                        sums[r][c] = V::load(from.add(r * stride + c * V::WIDTH));
                    }
                }
            }
            let mut next = ahead.next;
            for k in 0..depth {
                if AHEAD {
                    for block in 0..(C * V::WIDTH).div_ceil(COLUMN_BLOCK) {
                        prefetch(next.wrapping_add(block * m.column_block_stride));
                    }
                    next = next.wrapping_add(ahead.step);
                }
                let mut weights = [V::splat(0.0); C];
                for c in 0..C {
                    let column = c * V::WIDTH;
                    let at = column / COLUMN_BLOCK * m.column_block_stride + column % COLUMN_BLOCK;
                    weights[c] = W::load(m.w.add(k * m.w_stride + at));
                }
                for r in 0..R {
                    let input: V = W::splat(*m.x.add(r * m.x_stride + k));
                    for c in 0..C {
                        sums[r][c] = W::mul_add(input, weights[c], sums[r][c]);
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
}
