//! Attention of consecutive rows of one sequence over its own cache. Cached and fresh positions are the same to it.

use super::lanes::{Isa, Lanes, for_each_isa};
use super::math::{exp, highest_of, sum_of};
use super::tile::{Operands, ROWS, multiply};

/// Values that must be readable after the last key and the last value, and so many spare ones a row of scratch has.
pub(crate) const PADDING: usize = 16;

/// The shape of a layer's attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape {
    pub(crate) heads: usize,
    /// Width of a head.
    pub(crate) width: usize,
    /// Scores are multiplied by it before the softmax.
    pub(crate) scale: f32,
}

/// A stretch of cached positions of one layer.
#[derive(Clone, Copy)]
pub(crate) struct Past<'a> {
    /// `[heads, width, capacity]` and [`PADDING`]: the scores of neighbouring positions are computed side by side.
    pub(crate) keys: &'a [f32],
    /// `[heads, capacity, width]` and [`PADDING`].
    pub(crate) values: &'a [f32],
    /// Positions there is room for.
    pub(crate) capacity: usize,
    /// Positions that belong to this sequence.
    pub(crate) used: usize,
}

/// Attends with the queries in `rows` to the `past` of their sequence, which holds their own positions already: the
/// first row stands at position `first` and sees `first + 1` positions, each later row one more.
///
/// `rows` are rows of `[queries, keys, values]`, each `heads · width` wide; `output` has rows of `heads · width`.
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
    assert_eq!(output.len(), count * width, "whole rows of output");
    assert_eq!(rows.len(), count * 3 * width, "as many rows of queries as of output");
    for stretch in past {
        assert!(stretch.used <= stretch.capacity, "no more positions than there is room for");
        assert!(
            stretch.keys.len().min(stretch.values.len()) >= stretch.capacity * width + PADDING,
            "padded keys, values"
        );
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

#[inline(always)]
unsafe fn body<V: Lanes>(shape: AttentionShape, past: &[Past<'_>], first: usize, rows: &[f32], output: &mut [f32]) {
    let AttentionShape { heads, width, scale } = shape;
    let count = output.len() / (heads * width);
    let score_stride = first + count + PADDING;
    let sum_stride = width + PADDING;
    let mut scores = vec![0.0f32; ROWS.min(count) * score_stride];
    let mut sums = vec![0.0f32; ROWS.min(count) * sum_stride];
    for row in (0..count).step_by(ROWS) {
        let height = ROWS.min(count - row);
        let seen = first + row + 1;
        for head in 0..heads {
            scores.fill(0.0);
            sums.fill(0.0);
            let query = rows[row * 3 * heads * width + head * width..].as_ptr();
            // SAFETY: scores and sums have a register's room after the last position and the last value; so have keys
            // and values, by `PADDING`.
            unsafe {
                let scores = Operands {
                    x: query,
                    x_stride: 3 * heads * width,
                    w: query,
                    w_stride: 0,
                    out: scores.as_mut_ptr(),
                    out_stride: score_stride,
                };
                score::<V>(scores, shape, head, past, height, seen + height - 1);
            }
            let mut totals = [1.0f32; ROWS];
            for (r, total) in totals[..height].iter_mut().enumerate() {
                let scores = &mut scores[r * score_stride..][..seen + r];
                for score in scores.iter_mut() {
                    *score *= scale;
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
                    out: sums.as_mut_ptr(),
                    out_stride: sum_stride,
                };
                weigh::<V>(weighted, shape, head, past, height, seen);
            }
            for (r, total) in totals[..height].iter().enumerate() {
                let into = &mut output[(row + r) * heads * width + head * width..][..width];
                for (value, sum) in into.iter_mut().zip(&sums[r * sum_stride..]) {
                    *value = sum / total;
                }
            }
        }
    }
}

/// Query times key for the first `seen` positions. A row may get scores of positions it does not see; nobody reads them.
#[inline(always)]
unsafe fn score<V: Lanes>(
    m: Operands,
    shape: AttentionShape,
    head: usize,
    past: &[Past<'_>],
    height: usize,
    seen: usize,
) {
    let mut before = 0;
    for stretch in past {
        let positions = stretch.used.min(seen - before);
        let keys = stretch.keys[head * shape.width * stretch.capacity..].as_ptr();
        // SAFETY: `before + positions` is at most `seen`, for which `out` has room.
        unsafe {
            let m = Operands { w: keys, w_stride: stretch.capacity, out: m.out.add(before), ..m };
            // What spills over the end of the last stretch was put there as zeros; the sums begin at zero, too.
            multiply::<V>(m, height, shape.width, positions);
        }
        before += positions;
        // The columns beyond, which the last register wrote, are the next stretch's: they must begin at zero again.
        for row in 0..height {
            for spilled in 0..PADDING {
                // SAFETY: a row has `PADDING` spare values after the last position.
                unsafe { *m.out.add(row * m.out_stride + before + spilled) = 0.0 };
            }
        }
        if before == seen {
            break;
        }
    }
}

/// Weights times values: for the positions that all rows see together, then for those that only later rows see.
#[inline(always)]
unsafe fn weigh<V: Lanes>(
    m: Operands,
    shape: AttentionShape,
    head: usize,
    past: &[Past<'_>],
    height: usize,
    seen: usize,
) {
    let mut before = 0;
    for stretch in past {
        let values = stretch.values[head * shape.width * stretch.capacity..].as_ptr();
        let shared = stretch.used.min(seen.saturating_sub(before));
        // SAFETY: positions lie within the stretch and within what the row sees.
        unsafe {
            let all = Operands { x: m.x.add(before), w: values, ..m };
            multiply::<V>(all, height, shared, shape.width);
            for row in 1..height {
                let own = stretch.used.min((seen + row).saturating_sub(before));
                if own > shared {
                    let rest = Operands {
                        x: m.x.add(row * m.x_stride + before + shared),
                        w: values.add(shared * shape.width),
                        out: m.out.add(row * m.out_stride),
                        ..m
                    };
                    multiply::<V>(rest, 1, own - shared, shape.width);
                }
            }
        }
        before += stretch.used;
        if before >= seen + height - 1 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: usize = 2;

    fn noise(length: usize, step: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * step) % 997) as f32 / 400.0 - 1.2).collect()
    }

    /// Keys and values of positions, laid out as blocks of the given sizes.
    fn blocks(rows: &[f32], width: usize, sizes: &[usize]) -> Vec<(Vec<f32>, Vec<f32>, usize, usize)> {
        let mut before = 0;
        let block = |&used: &usize| {
            let capacity = used + 3;
            let size = HEADS * width * capacity + PADDING;
            // What is not written must not matter.
            let (mut keys, mut values) = (vec![f32::NAN; size], vec![f32::NAN; size]);
            for (at, channel) in (0..used).flat_map(|at| (0..HEADS * width).map(move |channel| (at, channel))) {
                let row = &rows[(before + at) * 3 * HEADS * width..];
                keys[channel * capacity + at] = row[HEADS * width + channel];
                let (head, c) = (channel / width, channel % width);
                values[(head * capacity + at) * width + c] = row[2 * HEADS * width + channel];
            }
            before += used;
            (keys, values, capacity, used)
        };
        sizes.iter().map(block).collect()
    }

    fn run(isa: Isa, width: usize, rows: &[f32], sizes: &[usize], first: usize) -> Vec<f32> {
        let blocks = blocks(rows, width, sizes);
        let past: Vec<Past<'_>> = blocks
            .iter()
            .map(|(keys, values, capacity, used)| Past { keys, values, capacity: *capacity, used: *used })
            .collect();
        let fresh = &rows[first * 3 * HEADS * width..];
        let mut output = vec![0.0; fresh.len() / 3];
        let shape = AttentionShape { heads: HEADS, width, scale: 0.3 };
        attend(isa, shape, &past, first, fresh, &mut output);
        output
    }

    /// The definition, in `f64`.
    fn expected(width: usize, rows: &[f32], row: usize, channel: usize) -> f64 {
        let (all, head) = (HEADS * width, channel / width * width);
        let at = |row: usize, place: usize| f64::from(rows[row * 3 * all + place]);
        let score = |past: usize| 0.3 * (0..width).map(|c| at(row, head + c) * at(past, all + head + c)).sum::<f64>();
        let weights: Vec<f64> = (0..=row).map(|past| score(past).exp()).collect();
        let sum: f64 = weights.iter().enumerate().map(|(past, weight)| weight * at(past, 2 * all + channel)).sum();
        sum / weights.iter().sum::<f64>()
    }

    #[test]
    fn blocks_rows_and_instructions_change_no_bit() {
        for width in [5, 16, 64, 72] {
            let count = 41;
            let rows = noise(count * 3 * HEADS * width, 7919);
            let whole = run(Isa::best(), width, &rows, &[count], 0);
            for (place, value) in whole.iter().enumerate() {
                let expected = expected(width, &rows, place / (HEADS * width), place % (HEADS * width));
                assert!((f64::from(*value) - expected).abs() < 2e-5, "width {width}: {value}, expected {expected}");
            }
            for isa in Isa::available() {
                for (sizes, first) in [(vec![41], 0), (vec![1, 2, 20, 18], 30), (vec![17, 24], 40), (vec![40, 1], 7)] {
                    let found = run(isa, width, &rows, &sizes, first);
                    let same =
                        found.iter().zip(&whole[first * HEADS * width..]).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "width {width}, {isa:?}, blocks {sizes:?}, from {first}");
                }
            }
        }
    }
}
