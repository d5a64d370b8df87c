//! Attention of consecutive rows of one sequence over its own cache. Cached and fresh positions are the same to it.

use super::isa::Isa;
use super::kv_layout::{KvBlock, KvPart, PADDING};
use super::lanes::{Lanes, for_each_isa};
use super::math::{exp_to_sum, map_to_highest, tanh};
use super::tile::{COLUMN_BLOCK, MOST_ROWS, Operands, Start, multiply, tile_height};
use half::f16;

/// The shape of a layer's attention.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values: a divisor of `heads`. So many query heads in a row share one of them.
    pub kv_heads: usize,
    /// Width of a head.
    pub width: usize,
    /// Scores are multiplied by it before the softmax.
    pub scale: f32,
    /// A row sees so many positions at most, its own included; `usize::MAX` for all.
    pub window: usize,
    /// Scores `s`, once scaled, become `cap · tanh(s / cap)`.
    pub softcap: Option<f32>,
}

impl AttentionShape {
    /// Width of a row of `[queries, keys, values]`.
    fn row(self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.width
    }

    /// The first position that a row sees whose own position is the one before `end`.
    #[inline(always)]
    fn start(self, end: usize) -> usize {
        end.saturating_sub(self.window)
    }
}

/// Attends with the queries in `rows` to the `blocks` of their sequence, which hold their own positions already: the
/// first row has the position `first` and sees what is up to there, each later row one position more; a window lets
/// them see only the last ones of those.
///
/// `rows` are rows of `[queries, keys, values]`, `heads · width` of queries and `kv_heads · width` of each of the others;
/// `output` has rows of `heads · width`.
pub fn attend(isa: Isa, shape: AttentionShape, blocks: &[KvBlock<'_>], first: usize, rows: &[f32], output: &mut [f32]) {
    let width = shape.heads * shape.width;
    let count = output.len() / width;
    assert!(shape.kv_heads > 0 && shape.heads.is_multiple_of(shape.kv_heads), "whole groups of heads");
    assert!(shape.window > 0, "a row sees itself");
    assert_eq!(output.len(), count * width, "whole rows of output");
    assert_eq!(rows.len(), count * shape.row(), "as many rows of queries as of output");
    for KvBlock { layout, .. } in blocks {
        assert!((layout.kv_heads, layout.width) == (shape.kv_heads, shape.width), "keys and values of this layer");
    }
    assert!(blocks.iter().map(|block| block.used).sum::<usize>() >= first + count, "the rows' own positions");
    // SAFETY: sizes were checked above.
    unsafe { attend_rows(isa, shape, blocks, first, rows, output) }
}

for_each_isa! {
    /// # Safety
    /// The sizes that `attend` checks.
    unsafe fn attend_rows(
        shape: AttentionShape, blocks: &[KvBlock<'_>], first: usize, rows: &[f32], output: &mut [f32]
    ) = body::<Lanes>
}

/// Queries that go through the same keys and values together, and which positions each of them sees.
#[derive(Clone, Copy)]
struct Tile {
    height: usize,
    /// The head of keys and values.
    head: usize,
    /// One more than the last position that the first row sees.
    end: usize,
    /// How many more the next row sees: 1 for rows of one head, 0 for the heads of one row.
    step: usize,
}

impl Tile {
    /// One more than the last position that a row sees.
    #[inline(always)]
    fn end(self, row: usize) -> usize {
        self.end + row * self.step
    }

    /// One more than the last position that any row sees.
    #[inline(always)]
    fn last(self) -> usize {
        self.end(self.height - 1)
    }

    /// Whether these are heads of one row, so that keys and values are read once.
    #[inline(always)]
    fn is_one_row(self) -> bool {
        self.step == 0
    }
}

#[inline(always)]
unsafe fn body<V: Lanes>(
    shape: AttentionShape,
    blocks: &[KvBlock<'_>],
    first: usize,
    rows: &[f32],
    output: &mut [f32],
) {
    let AttentionShape { heads, kv_heads, width, scale, window, softcap } = shape;
    let count = output.len() / (heads * width);
    let group = heads / kv_heads;
    // Several rows share a tile head by head. A single one fills it with the heads that share their keys.
    let (in_all, x_stride, out_stride, step, heads_apart) =
        if count == 1 { (group, width, width, 0, group) } else { (count, shape.row(), heads * width, 1, 1) };
    let highest = tile_height::<V>(in_all);
    // Scores of positions before the first that is seen, and after the last: what registers spill.
    let score_stride = COLUMN_BLOCK + (first + count).min(window.saturating_add(highest)) + PADDING;
    let sum_stride = width.next_multiple_of(COLUMN_BLOCK);
    let mut scores = vec![0.0f32; highest * score_stride];
    let mut sums = vec![0.0f32; highest * sum_stride];
    // All rows of a head before the next one, whose keys and values are elsewhere.
    for head in (0..heads).step_by(heads_apart) {
        for row in (0..in_all).step_by(highest) {
            let height = highest.min(in_all - row);
            let tile = Tile { height, head: head / group, end: first + 1 + row * step, step };
            let begin = shape.start(tile.end);
            sums.fill(0.0);
            let query = rows[row * x_stride + head * width..].as_ptr();
            // SAFETY: a row of scores has room for a column block before the first position and a register's after the last, a row of
            // sums has whole column blocks; keys and values are padded.
            unsafe {
                let scores = Operands {
                    x: query,
                    x_stride,
                    w: query,
                    w_stride: 0,
                    column_block_stride: 0,
                    from: Start::Zeros,
                    out: scores.as_mut_ptr().add(COLUMN_BLOCK),
                    out_stride: score_stride,
                };
                score::<V>(scores, shape, tile, blocks);
            }
            let mut totals = [1.0f32; MOST_ROWS];
            for (r, total) in totals[..height].iter_mut().enumerate() {
                let end = tile.end(r);
                let seen = COLUMN_BLOCK + shape.start(end) - begin..COLUMN_BLOCK + end - begin;
                let scores = &mut scores[r * score_stride..][seen];
                let largest = match softcap {
                    Some(cap) => map_to_highest(scores, |score| cap * tanh(score * scale / cap)),
                    None => map_to_highest(scores, |score| score * scale),
                };
                *total = exp_to_sum(scores, largest);
            }
            // SAFETY: as above.
            unsafe {
                let weighted = Operands {
                    x: scores.as_ptr().add(COLUMN_BLOCK),
                    x_stride: score_stride,
                    w: query,
                    w_stride: 0,
                    column_block_stride: 0,
                    from: Start::Zeros,
                    out: sums.as_mut_ptr(),
                    out_stride: sum_stride,
                };
                weigh::<V>(weighted, shape, tile, blocks);
            }
            for (r, total) in totals[..height].iter().enumerate() {
                let into = &mut output[(row + r) * out_stride + head * width..][..width];
                for (value, sum) in into.iter_mut().zip(&sums[r * sum_stride..]) {
                    *value = sum / total;
                }
            }
        }
    }
}

/// Query times key for the positions that any row of the tile sees. A row may get scores of positions it does not see;
/// they are not read. Of a single row, which waits for memory, the values come meanwhile.
#[inline(always)]
unsafe fn score<V: Lanes>(m: Operands, shape: AttentionShape, tile: Tile, blocks: &[KvBlock<'_>]) {
    let (begin, last) = (shape.start(tile.end), tile.last());
    let mut before = 0;
    for block @ KvBlock { layout, keys, used, .. } in blocks {
        let (from, to) = (begin.max(before), last.min(before + used));
        if from < to {
            if tile.is_one_row() {
                block.prefetch_values(tile.head, from - before..to - before);
            }
            let block = layout.key_block();
            // From the beginning of a column block on.
            let skipped = (from - before) / block * block;
            let (first, count) = (tile.head * layout.keys_per_head() + skipped * shape.width, to - before - skipped);
            // SAFETY: the positions are within the block; `out` has room for all from `begin` to `last`, and for a column
            // block before them. What spills over the end belongs to the next stretch, which overwrites it.
            unsafe {
                let m = Operands {
                    w_stride: block,
                    column_block_stride: block * shape.width,
                    out: m.out.offset((before + skipped) as isize - begin as isize),
                    ..m
                };
                match keys {
                    KvPart::F32(keys) => {
                        multiply::<V, f32>(m.with_weights(keys[first..].as_ptr()), tile.height, shape.width, count);
                    }
                    KvPart::F16(keys) => {
                        multiply::<V, f16>(m.with_weights(keys[first..].as_ptr()), tile.height, shape.width, count);
                    }
                }
            }
        }
        before += used;
        if before >= last {
            break;
        }
    }
}

/// Weights times values. In each stretch first what a row sees and later ones do not any more, then the positions that
/// all rows see together, then what a row sees and earlier ones do not yet: every row's sum goes through its positions
/// in their order, and through no other. Of a single row, the next head's keys come meanwhile.
#[inline(always)]
unsafe fn weigh<V: Lanes>(m: Operands, shape: AttentionShape, tile: Tile, blocks: &[KvBlock<'_>]) {
    let begin = shape.start(tile.end);
    let shared = shape.start(tile.last())..tile.end.max(shape.start(tile.last()));
    let mut before = 0;
    for block @ KvBlock { layout, values, used, .. } in blocks {
        let clip = |from: usize, to: usize| (from.max(before), to.min(before + used));
        let (from, to) = clip(begin, tile.last());
        if from < to && tile.is_one_row() && tile.head + 1 < shape.kv_heads {
            block.prefetch_keys(tile.head + 1, from - before..to - before);
        }
        let block = layout.value_block();
        let first = tile.head * layout.values_per_head();
        let alone = |row: usize, (from, to): (usize, usize)| (row, 1, from, to);
        let (from, to) = clip(shared.start, shared.end);
        let earlier =
            (0..tile.height).map(|row| alone(row, clip(shape.start(tile.end(row)), shared.start.min(tile.end(row)))));
        let later = (0..tile.height).map(|row| alone(row, clip(shared.end, tile.end(row))));
        let together = std::iter::once((0, tile.height, from, to));
        // No closure calls `multiply`: it would be compiled without the registers of `V`.
        for (row, rows, from, to) in earlier.chain(together).chain(later) {
            if from < to {
                // SAFETY: positions are within the block and within what the rows see.
                unsafe {
                    let out = m.out.add(row * m.out_stride);
                    let m = Operands {
                        x: m.x.add(row * m.x_stride + from - begin),
                        w_stride: block,
                        column_block_stride: layout.capacity * block,
                        from: Start::Values(out, m.out_stride),
                        out,
                        ..m
                    };
                    let first = first + (from - before) * block;
                    match values {
                        KvPart::F32(values) => {
                            multiply::<V, f32>(m.with_weights(values[first..].as_ptr()), rows, to - from, shape.width);
                        }
                        KvPart::F16(values) => {
                            multiply::<V, f16>(m.with_weights(values[first..].as_ptr()), rows, to - from, shape.width);
                        }
                    }
                }
            }
        }
        before += used;
        if before >= tile.last() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv_layout::{KvLayout, KvMemory, KvType};

    /// Four heads of queries, two of keys and values.
    const SHAPE: AttentionShape =
        AttentionShape { heads: 4, kv_heads: 2, width: 0, scale: 0.3, window: usize::MAX, softcap: None };

    fn noise(length: usize, step: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * step) % 997) as f32 / 400.0 - 1.2).collect()
    }

    /// Keys and values of positions, laid out as blocks of the given sizes, in the second of two layers.
    fn blocks(shape: AttentionShape, kind: KvType, rows: &[f32], sizes: &[usize]) -> Vec<(KvMemory, usize)> {
        let AttentionShape { heads, kv_heads, width, .. } = shape;
        let row = shape.row();
        let mut before = 0;
        let block = |&used: &usize| {
            let layout = KvLayout { kv_heads, width, capacity: used + 3 };
            // What is not written must not matter.
            let mut memory = KvMemory::filled(layout, 2, kind, f32::NAN);
            // In two parts: the second begins where the first ended.
            for part in [0..used / 2, used / 2..used] {
                let rows = &rows[(before + part.start) * row..(before + part.end) * row];
                memory.store(1, part.start, rows, row, heads * width);
            }
            before += used;
            (memory, used)
        };
        sizes.iter().map(block).collect()
    }

    fn run(
        (isa, kind): (Isa, KvType),
        shape: AttentionShape,
        rows: &[f32],
        sizes: &[usize],
        fresh: std::ops::Range<usize>,
    ) -> Vec<f32> {
        let blocks = blocks(shape, kind, rows, sizes);
        let past: Vec<KvBlock<'_>> = blocks.iter().map(|(memory, used)| memory.layer(1, *used)).collect();
        let mut output = vec![0.0; fresh.len() * shape.heads * shape.width];
        let queries = &rows[fresh.start * shape.row()..fresh.end * shape.row()];
        attend(isa, shape, &past, fresh.start, queries, &mut output);
        output
    }

    /// Rows whose keys and values are rounded.
    fn rounded(shape: AttentionShape, kind: KvType, rows: &[f32]) -> Vec<f32> {
        let round = |(at, value): (usize, &f32)| match kind {
            KvType::F16 if at % shape.row() >= shape.heads * shape.width => f16::from_f32(*value).to_f32(),
            _ => *value,
        };
        rows.iter().enumerate().map(round).collect()
    }

    /// The definition, in `f64`.
    fn expected(shape: AttentionShape, rows: &[f32], row: usize, channel: usize) -> f64 {
        let AttentionShape { heads, kv_heads, width, .. } = shape;
        let head = channel / width;
        let kv = head / (heads / kv_heads);
        let at = |row: usize, column: usize| f64::from(rows[row * shape.row() + column]);
        let score = |past: usize| {
            let product = |c| at(row, head * width + c) * at(past, (heads + kv) * width + c);
            let score = f64::from(shape.scale) * (0..width).map(product).sum::<f64>();
            shape.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
        };
        let seen = (row + 1).saturating_sub(shape.window)..row + 1;
        let weights: Vec<f64> = seen.clone().map(|past| score(past).exp()).collect();
        let value = |past: usize| at(past, (heads + kv_heads + kv) * width + channel % width);
        let sum: f64 = weights.iter().zip(seen).map(|(weight, past)| weight * value(past)).sum();
        sum / weights.iter().sum::<f64>()
    }

    #[test]
    fn blocks_rows_and_instructions_change_no_bit() {
        let count = 41;
        let variants = [5, 16, 64, 72].map(|width| AttentionShape { width, ..SHAPE }).into_iter();
        let wide = AttentionShape { width: 16, ..SHAPE };
        let others = [
            AttentionShape { kv_heads: 4, ..wide },
            AttentionShape { heads: 9, kv_heads: 1, ..wide },
            AttentionShape { window: 1, ..wide },
            AttentionShape { window: 4, ..wide },
            AttentionShape { window: 19, softcap: Some(2.0), ..wide },
        ];
        let kinds = [KvType::F32, KvType::F16];
        for (shape, kind) in variants.chain(others).flat_map(|shape| kinds.map(|kind| (shape, kind))) {
            let rows = noise(count * shape.row(), 7919);
            let all = shape.heads * shape.width;
            let whole = run((Isa::best(), kind), shape, &rows, &[count], 0..count);
            let cached = rounded(shape, kind, &rows);
            for (index, value) in whole.iter().enumerate() {
                let expected = expected(shape, &cached, index / all, index % all);
                assert!((f64::from(*value) - expected).abs() < 2e-5, "{shape:?}: {value}, expected {expected}");
            }
            for isa in Isa::available() {
                for (sizes, fresh) in [
                    (vec![41], 0..41),
                    (vec![41], 23..24),
                    (vec![1, 2, 20, 18], 30..41),
                    (vec![17, 24], 40..41),
                    (vec![40, 1], 7..41),
                    (vec![3, 5, 33], 8..30),
                ] {
                    let found = run((isa, kind), shape, &rows, &sizes, fresh.clone());
                    let whole = &whole[fresh.start * all..fresh.end * all];
                    let same = found.iter().zip(whole).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{shape:?}, {kind:?}, {isa:?}, blocks {sizes:?}, rows {fresh:?}");
                }
            }
        }
    }
}
