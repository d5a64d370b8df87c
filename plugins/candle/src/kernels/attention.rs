//! Attention of consecutive rows of one sequence over its own cache. Cached and fresh positions are the same to it.

use super::lanes::{Isa, Lanes, for_each_isa};
use super::math::{exp, highest_of, sum_of, tanh};
use super::tile::{Operands, ROWS, STRIP, multiply};

/// Values that must be readable after the last key and the last value, and so many spare ones a row of scratch has.
pub(crate) const PADDING: usize = 16;

/// The shape of a layer's attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape {
    /// Heads of queries.
    pub(crate) heads: usize,
    /// Heads of keys and values: a divisor of `heads`. So many query heads in a row share one of them.
    pub(crate) kv_heads: usize,
    /// Width of a head.
    pub(crate) width: usize,
    /// Scores are multiplied by it before the softmax.
    pub(crate) scale: f32,
    /// A row sees so many positions at most, its own included; `usize::MAX` for all.
    pub(crate) window: usize,
    /// Scores `s`, once scaled, become `cap · tanh(s / cap)`.
    pub(crate) softcap: Option<f32>,
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

/// A stretch of cached positions of one layer.
#[derive(Clone, Copy)]
pub(crate) struct Past<'a> {
    /// `[kv_heads, width, capacity]` and [`PADDING`]: the scores of neighbouring positions are computed side by side.
    pub(crate) keys: &'a [f32],
    /// `[kv_heads, capacity, width]` and [`PADDING`].
    pub(crate) values: &'a [f32],
    /// Positions there is room for.
    pub(crate) capacity: usize,
    /// Positions that belong to this sequence.
    pub(crate) used: usize,
}

/// Attends with the queries in `rows` to the `past` of their sequence, which holds their own positions already: the
/// first row stands at position `first` and sees what is up to there, each later row one position more; a window lets
/// them see only the last ones of those.
///
/// `rows` are rows of `[queries, keys, values]`, `heads · width` of queries and `kv_heads · width` of each of the others;
/// `output` has rows of `heads · width`.
pub(crate) fn attend(
    isa: Isa,
    shape: AttentionShape,
    past: &[Past<'_>],
    first: usize,
    rows: &[f32],
    output: &mut [f32],
) {
    let width = shape.heads * shape.width;
    let count = output.len() / width;
    assert!(shape.kv_heads > 0 && shape.heads.is_multiple_of(shape.kv_heads), "whole groups of heads");
    assert!(shape.window > 0, "a row sees itself");
    assert_eq!(output.len(), count * width, "whole rows of output");
    assert_eq!(rows.len(), count * shape.row(), "as many rows of queries as of output");
    for stretch in past {
        assert!(stretch.used <= stretch.capacity, "no more positions than there is room for");
        let size = stretch.capacity * shape.kv_heads * shape.width + PADDING;
        assert!(stretch.keys.len().min(stretch.values.len()) >= size, "padded keys, values");
    }
    assert!(past.iter().map(|stretch| stretch.used).sum::<usize>() >= first + count, "the rows' own positions");
    // SAFETY: sizes were checked above.
    unsafe { attend_rows(isa, shape, past, first, rows, output) }
}

for_each_isa! {
    /// # Safety
    /// The sizes that `attend` checks.
    fn attend_rows(shape: AttentionShape, past: &[Past<'_>], first: usize, rows: &[f32], output: &mut [f32]) = body
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
}

#[inline(always)]
unsafe fn body<V: Lanes>(shape: AttentionShape, past: &[Past<'_>], first: usize, rows: &[f32], output: &mut [f32]) {
    let AttentionShape { heads, kv_heads, width, scale, window, softcap } = shape;
    let count = output.len() / (heads * width);
    let group = heads / kv_heads;
    // Several rows share a tile head by head. A single one fills it with the heads that share their keys.
    let (in_all, x_stride, out_stride, step, heads_apart) =
        if count == 1 { (group, width, width, 0, group) } else { (count, shape.row(), heads * width, 1, 1) };
    let score_stride = (first + count).min(window.saturating_add(ROWS)) + PADDING;
    let sum_stride = width + PADDING;
    let mut scores = vec![0.0f32; ROWS.min(in_all) * score_stride];
    let mut sums = vec![0.0f32; ROWS.min(in_all) * sum_stride];
    for row in (0..in_all).step_by(ROWS) {
        for head in (0..heads).step_by(heads_apart) {
            let height = ROWS.min(in_all - row);
            let tile = Tile { height, head: head / group, end: first + 1 + row * step, step };
            let begin = shape.start(tile.end);
            scores.fill(0.0);
            sums.fill(0.0);
            let query = rows[row * x_stride + head * width..].as_ptr();
            // SAFETY: scores and sums have a register's room after the last position and the last value; so have keys
            // and values, by `PADDING`.
            unsafe {
                let scores = Operands {
                    x: query,
                    x_stride,
                    w: query,
                    w_stride: 0,
                    strips_apart: STRIP,
                    from: scores.as_ptr(),
                    from_stride: score_stride,
                    out: scores.as_mut_ptr(),
                    out_stride: score_stride,
                };
                score::<V>(scores, shape, tile, past);
            }
            let mut totals = [1.0f32; ROWS];
            for (r, total) in totals[..height].iter_mut().enumerate() {
                let end = tile.end(r);
                let scores = &mut scores[r * score_stride..][shape.start(end) - begin..end - begin];
                for score in scores.iter_mut() {
                    *score *= scale;
                }
                if let Some(cap) = softcap {
                    for score in scores.iter_mut() {
                        *score = cap * tanh(*score / cap);
                    }
                }
                let highest = highest_of(scores);
                for score in scores.iter_mut() {
                    *score = exp(*score - highest);
                }
                *total = sum_of(scores, |score| score);
            }
            // SAFETY: as above.
            unsafe {
                let weighted = Operands {
                    x: scores.as_ptr(),
                    x_stride: score_stride,
                    w: query,
                    w_stride: width,
                    strips_apart: STRIP,
                    from: sums.as_ptr(),
                    from_stride: sum_stride,
                    out: sums.as_mut_ptr(),
                    out_stride: sum_stride,
                };
                weigh::<V>(weighted, shape, tile, past);
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
/// nobody reads them.
#[inline(always)]
unsafe fn score<V: Lanes>(m: Operands, shape: AttentionShape, tile: Tile, past: &[Past<'_>]) {
    let (begin, last) = (shape.start(tile.end), tile.last());
    let mut before = 0;
    for stretch in past {
        let (from, to) = (begin.max(before), last.min(before + stretch.used));
        if from < to {
            let keys = stretch.keys[tile.head * shape.width * stretch.capacity + from - before..].as_ptr();
            // SAFETY: the positions lie within the stretch, and `out` has room for all from `begin` to `last`.
            unsafe {
                let out = m.out.add(from - begin);
                let m = Operands { w: keys, w_stride: stretch.capacity, from: out, out, ..m };
                // What spills over the end of the last stretch was put there as zeros; the sums begin at zero, too.
                multiply::<V>(m, tile.height, shape.width, to - from);
            }
            // The columns beyond, which the last register wrote, are the next stretch's: they must begin at zero again.
            for row in 0..tile.height {
                for spilled in 0..PADDING {
                    // SAFETY: a row has `PADDING` spare values after the last position.
                    unsafe { *m.out.add(row * m.out_stride + to - begin + spilled) = 0.0 };
                }
            }
        }
        before += stretch.used;
        if before >= last {
            break;
        }
    }
}

/// Weights times values. In each stretch first what a row sees and later ones do not any more, then the positions that
/// all rows see together, then what a row sees and earlier ones do not yet: every row's sum goes through its positions
/// in their order, and through no other.
#[inline(always)]
unsafe fn weigh<V: Lanes>(m: Operands, shape: AttentionShape, tile: Tile, past: &[Past<'_>]) {
    let begin = shape.start(tile.end);
    let shared = shape.start(tile.last())..tile.end.max(shape.start(tile.last()));
    let mut before = 0;
    for stretch in past {
        let values = stretch.values[tile.head * shape.width * stretch.capacity..].as_ptr();
        let clip = |from: usize, to: usize| (from.max(before), to.min(before + stretch.used));
        let alone = |row: usize, (from, to): (usize, usize)| (row, 1, from, to);
        let (from, to) = clip(shared.start, shared.end);
        let earlier =
            (0..tile.height).map(|row| alone(row, clip(shape.start(tile.end(row)), shared.start.min(tile.end(row)))));
        let later = (0..tile.height).map(|row| alone(row, clip(shared.end, tile.end(row))));
        let together = std::iter::once((0, tile.height, from, to));
        // One place multiplies, and it stands in no closure: a closure is compiled without the registers of `V`.
        for (row, rows, from, to) in earlier.chain(together).chain(later) {
            if from < to {
                // SAFETY: positions lie within the stretch and within what the rows see.
                unsafe {
                    let out = m.out.add(row * m.out_stride);
                    let m = Operands {
                        x: m.x.add(row * m.x_stride + from - begin),
                        w: values.add((from - before) * shape.width),
                        from: out,
                        out,
                        ..m
                    };
                    multiply::<V>(m, rows, to - from, shape.width);
                }
            }
        }
        before += stretch.used;
        if before >= tile.last() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four heads of queries, two of keys and values.
    const SHAPE: AttentionShape =
        AttentionShape { heads: 4, kv_heads: 2, width: 0, scale: 0.3, window: usize::MAX, softcap: None };

    fn noise(length: usize, step: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * step) % 997) as f32 / 400.0 - 1.2).collect()
    }

    /// Keys and values of positions, laid out as blocks of the given sizes.
    fn blocks(shape: AttentionShape, rows: &[f32], sizes: &[usize]) -> Vec<(Vec<f32>, Vec<f32>, usize, usize)> {
        let AttentionShape { heads, kv_heads, width, .. } = shape;
        let mut before = 0;
        let block = |&used: &usize| {
            let capacity = used + 3;
            let size = kv_heads * width * capacity + PADDING;
            // What is not written must not matter.
            let (mut keys, mut values) = (vec![f32::NAN; size], vec![f32::NAN; size]);
            for (at, channel) in (0..used).flat_map(|at| (0..kv_heads * width).map(move |channel| (at, channel))) {
                let row = &rows[(before + at) * shape.row()..];
                keys[channel * capacity + at] = row[heads * width + channel];
                let (head, c) = (channel / width, channel % width);
                values[(head * capacity + at) * width + c] = row[(heads + kv_heads) * width + channel];
            }
            before += used;
            (keys, values, capacity, used)
        };
        sizes.iter().map(block).collect()
    }

    fn run(isa: Isa, shape: AttentionShape, rows: &[f32], sizes: &[usize], fresh: std::ops::Range<usize>) -> Vec<f32> {
        let blocks = blocks(shape, rows, sizes);
        let past: Vec<Past<'_>> = blocks
            .iter()
            .map(|(keys, values, capacity, used)| Past { keys, values, capacity: *capacity, used: *used })
            .collect();
        let mut output = vec![0.0; fresh.len() * shape.heads * shape.width];
        let queries = &rows[fresh.start * shape.row()..fresh.end * shape.row()];
        attend(isa, shape, &past, fresh.start, queries, &mut output);
        output
    }

    /// The definition, in `f64`.
    fn expected(shape: AttentionShape, rows: &[f32], row: usize, channel: usize) -> f64 {
        let AttentionShape { heads, kv_heads, width, .. } = shape;
        let head = channel / width;
        let kv = head / (heads / kv_heads);
        let at = |row: usize, place: usize| f64::from(rows[row * shape.row() + place]);
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
        for shape in variants.chain(others) {
            let rows = noise(count * shape.row(), 7919);
            let all = shape.heads * shape.width;
            let whole = run(Isa::best(), shape, &rows, &[count], 0..count);
            for (place, value) in whole.iter().enumerate() {
                let expected = expected(shape, &rows, place / all, place % all);
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
                    let found = run(isa, shape, &rows, &sizes, fresh.clone());
                    let whole = &whole[fresh.start * all..fresh.end * all];
                    let same = found.iter().zip(whole).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{shape:?}, {isa:?}, blocks {sizes:?}, rows {fresh:?}");
                }
            }
        }
    }
}
