//! Weights as pairs, and their products with rows of pairs.

use super::{PairRows, STEPS, Terms, steps_of};
use crate::elements::Pair;
use crate::packed_weights::{Matrix, PackedWeights, WeightType};
use crate::product::{Product, multiply_packed};
use crate::tile::{COLUMN_BLOCK, Start};
use crate::unit::{Factors, Kind, Sums, TILE, Unit, multiply_add};
use std::ops::Range;

/// Weights that are multiplied as pairs of `bf16`.
pub(crate) struct Pairs {
    unit: Unit,
    /// One matrix for each term, `[column blocks][steps][COLUMN_BLOCK]`, the largest first.
    terms: Vec<PackedWeights<Pair>>,
    /// Pairs in a column.
    steps: usize,
    /// What the numbers of each column are to be multiplied by, where they are of 8 bits.
    pub(crate) scales: Option<Vec<f32>>,
}

impl Pairs {
    /// Weights of 8 bits are whole numbers, which `bf16` has as they are.
    pub(crate) fn pack<S: Copy + Sync + Into<f32>>(
        numbers: WeightType,
        unit: Unit,
        terms: Terms,
        matrix: &Matrix<'_, S>,
    ) -> Pairs {
        let steps = steps_of(matrix.inputs);
        let mut scales = vec![1.0; matrix.outputs.next_multiple_of(COLUMN_BLOCK)];
        let pack = |term: usize, scales: &mut [f32]| {
            PackedWeights::pack_as(matrix, steps, scales, |block, into, scales| {
                let mut rounded = numbers.rounded(block, scales);
                rounded.resize(2 * steps * COLUMN_BLOCK, 0.0);
                for (rows, into) in rounded.chunks_exact(2 * COLUMN_BLOCK).zip(into.chunks_exact_mut(COLUMN_BLOCK)) {
                    let (first, second) = rows.split_at(COLUMN_BLOCK);
                    for (into, (first, second)) in into.iter_mut().zip(first.iter().zip(second)) {
                        *into = Pair::new(terms.of(*first, term), terms.of(*second, term));
                    }
                }
            })
        };
        let terms = (0..terms.count()).map(|term| pack(term, &mut scales)).collect();
        Pairs { unit, terms, steps, scales: (numbers == WeightType::Int8).then_some(scales) }
    }

    /// Into how many numbers of `bf16` each number is split.
    pub(crate) fn split(&self) -> Terms {
        if self.terms.len() == Terms::Three.count() { Terms::Three } else { Terms::One }
    }

    /// The weights of one output, `[inputs]`.
    pub(crate) fn column(&self, output: usize, into: &mut [f32]) {
        into.fill(0.0);
        // The smallest terms first: their sum is exact.
        for term in self.terms.iter().rev() {
            let numbers = term.values();
            for (k, value) in into.iter_mut().enumerate() {
                let block = output / COLUMN_BLOCK * self.steps + k / 2;
                let pair = numbers[block * COLUMN_BLOCK + output % COLUMN_BLOCK].0;
                *value += f32::from_bits(if k % 2 == 0 { pair << 16 } else { pair & 0xffff_0000 });
            }
        }
        if let Some(scales) = &self.scales {
            into.iter_mut().for_each(|value| *value *= scales[output]);
        }
    }

    /// `out = start + input · weights` for the given rows and columns.
    ///
    /// # Safety
    /// That of [`multiply_packed`]; `start` is the same for all rows.
    pub(crate) unsafe fn multiply(
        &self,
        input: &PairRows,
        start: Start,
        out: *mut f32,
        out_stride: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        // SAFETY: the caller guarantees it; a unit exists only where its instructions do.
        unsafe {
            match self.unit.0 {
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 => {
                    let [term] = self.terms.as_slice() else { unreachable!("this unit gains nothing from splitting") };
                    let product = Product {
                        depth: self.steps,
                        x: input.pairs().as_ptr(),
                        x_stride: self.steps,
                        w: term.as_ptr(),
                        w_stride: self.steps * COLUMN_BLOCK,
                        start,
                        out,
                        out_stride,
                    };
                    in_registers(product, rows, columns);
                }
                _ => self.in_tiles(input, start, (out, out_stride), rows, columns),
            }
        }
    }

    /// # Safety
    /// That of [`multiply`](Self::multiply), and the unit is one with tiles.
    unsafe fn in_tiles(
        &self,
        input: &PairRows,
        start: Start,
        (out, out_stride): (*mut f32, usize),
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let steps = self.steps;
        let products = if self.terms.len() == 1 { &[(0, 0)] } else { SPLIT.as_slice() };
        let column_blocks = self.terms[0].values().len() / (steps * COLUMN_BLOCK).max(1);
        for column in columns.clone().step_by(2 * TILE) {
            for row in rows.clone().step_by(2 * TILE) {
                let mut sums: Sums = [[[[0.0; TILE]; TILE]; 2]; 2];
                for &(x, w) in products {
                    // A second tile of rows or columns that there is none of is the first one again, and is not looked at.
                    let x_at = |tile: usize| {
                        let row = if row + tile * TILE < input.rows { row + tile * TILE } else { row };
                        input.pairs()[(x * input.rows + row) * steps..].as_ptr()
                    };
                    let w_at = |tile: usize| {
                        let block = (column / COLUMN_BLOCK + tile).min(column_blocks - 1);
                        self.terms[w].values()[block * steps * COLUMN_BLOCK..].as_ptr()
                    };
                    let factors =
                        Factors { x: [x_at(0), x_at(1)], stride: steps, w: [w_at(0), w_at(1)], blocks: steps / STEPS };
                    // SAFETY: rows are filled up to whole tiles, and columns to whole blocks.
                    unsafe { multiply_add(self.unit, factors, &mut sums) };
                }
                for r in row..rows.end.min(row + 2 * TILE) {
                    for c in column..columns.end.min(column + 2 * TILE) {
                        let (m, n) = (r - row, c - column);
                        let sum = sums[m / TILE][n / TILE][m % TILE][n % TILE];
                        // SAFETY: the caller has these elements for itself.
                        unsafe {
                            *out.add(r * out_stride + c) = match start {
                                Start::Zeros => sum,
                                Start::Values(values, _) => sum + *values.add(c),
                            };
                        }
                    }
                }
            }
        }
    }
}

/// Which terms of inputs and of weights are multiplied: what matters least comes first, while sums are small.
const SPLIT: [(usize, usize); 6] = [(2, 0), (0, 2), (1, 1), (1, 0), (0, 1), (0, 0)];

/// # Safety
/// That of [`multiply_packed`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn in_registers(product: Product<Pair>, rows: Range<usize>, columns: Range<usize>) {
    // SAFETY: the caller guarantees it.
    unsafe { multiply_packed::<std::arch::x86_64::__m512, Pair>(product, rows, columns) }
}
