//! Causal attention within each sequence, and its gradient. Weights are not kept: the backward pass computes them again
//! from the logarithm of each row's total.

use super::Shared;
use super::matmul::{Matrix, multiply_here};
use crate::Isa;
use crate::lanes::for_each_isa;
use crate::math::{exp, exp_to_sum, highest_of};
use rayon::prelude::*;
use std::ops::Range;

/// Queries of one block: keys after the last of them are not looked at.
const BLOCK: usize = 64;

/// The shape of a layer's attention.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Number of heads.
    pub heads: usize,
    /// Width of a head.
    pub width: usize,
    /// Scores are multiplied by it before the softmax.
    pub scale: f32,
}

impl Heads {
    fn columns(&self) -> usize {
        self.heads * self.width
    }

    /// Every pair of a sequence and a head, and the rows of the sequence.
    fn tasks<'a>(&self, spans: &'a [Range<usize>]) -> impl ParallelIterator<Item = (Range<usize>, usize)> + 'a {
        let heads = self.heads;
        (0..spans.len() * heads).into_par_iter().map(move |task| (spans[task / heads].clone(), task % heads))
    }

    /// Of rows of `[queries, keys, values]`, the part of one head in the rows of one sequence.
    fn part<'a>(&self, qkv: &'a [f32], part: usize, head: usize, rows: Range<usize>) -> Matrix<'a> {
        let stride = 3 * self.columns();
        let first = rows.start * stride + part * self.columns() + head * self.width;
        Matrix::strided(&qkv[first..], rows.len(), self.width, stride)
    }

    fn check(&self, spans: &[Range<usize>], qkv: &[f32], output: &[f32], totals: &[f32]) -> usize {
        let tokens = output.len() / self.columns();
        assert_eq!(output.len(), tokens * self.columns(), "whole rows");
        assert_eq!(qkv.len(), 3 * output.len(), "rows of queries, keys and values");
        assert_eq!(totals.len(), self.heads * tokens, "a total for each head and row");
        let mut end = 0;
        for span in spans {
            assert!(end <= span.start && span.start <= span.end && span.end <= tokens, "spans one after the other");
            end = span.end;
        }
        tokens
    }
}

/// `output`, `[tokens, heads · width]`, from rows of `[queries, keys, values]`. `spans` are the rows of each sequence.
/// `totals`, `[heads, tokens]`, gets the logarithm of each softmax's denominator.
pub fn attend(isa: Isa, heads: Heads, spans: &[Range<usize>], qkv: &[f32], output: &mut [f32], totals: &mut [f32]) {
    let tokens = heads.check(spans, qkv, output, totals);
    let (columns, output, totals) = (heads.columns(), Shared(output.as_mut_ptr()), Shared(totals.as_mut_ptr()));
    heads.tasks(spans).for_each_init(Vec::new, |scores, (span, head)| {
        for first in span.clone().step_by(BLOCK) {
            let rows = first..span.end.min(first + BLOCK);
            let seen = rows.end - span.start;
            scores.resize(BLOCK * span.len(), 0.0);
            let scores = &mut scores[..rows.len() * seen];
            let queries = heads.part(qkv, 0, head, rows.clone());
            let keys = heads.part(qkv, 1, head, span.start..rows.end);
            let values = heads.part(qkv, 2, head, span.start..rows.end);
            // SAFETY: tasks differ in sequence or head, so no other one writes these rows of these columns.
            unsafe {
                multiply_here(queries, keys.t(), heads.scale, false, scores.as_mut_ptr(), seen);
                let totals = std::slice::from_raw_parts_mut(totals.at(head * tokens + rows.start), rows.len());
                softmax(isa, scores, seen, totals);
                let out = output.at(rows.start * columns + head * heads.width);
                multiply_here(Matrix::new(scores, rows.len(), seen), values, 1.0, false, out, columns);
            }
        }
    });
}

for_each_isa! {
    /// Softmax of the part of each row that it sees: the last row sees all, each row before it one less.
    fn softmax(scores: &mut [f32], seen: usize, totals: &mut [f32]) = softmax_body
}

#[inline(always)]
fn softmax_body(scores: &mut [f32], seen: usize, totals: &mut [f32]) {
    let rows = totals.len();
    for (index, (row, total)) in scores.chunks_exact_mut(seen).zip(totals).enumerate() {
        let (row, hidden) = row.split_at_mut(seen + index + 1 - rows);
        let highest = highest_of(row);
        let sum = exp_to_sum(row, highest);
        let factor = 1.0 / sum;
        for share in row.iter_mut() {
            *share *= factor;
        }
        hidden.fill(0.0);
        *total = highest + sum.ln();
    }
}

/// Takes the gradient of `output` back to `qkv_gradient`, whose rows of `spans` are overwritten.
#[allow(clippy::too_many_arguments, reason = "what the forward pass had and made, and the two gradients")]
pub fn attend_backward(
    isa: Isa,
    heads: Heads,
    spans: &[Range<usize>],
    qkv: &[f32],
    output: &[f32],
    totals: &[f32],
    output_gradient: &[f32],
    qkv_gradient: &mut [f32],
) {
    let tokens = heads.check(spans, qkv, output, totals);
    assert_eq!((qkv_gradient.len(), output_gradient.len()), (qkv.len(), output.len()), "gradients of all");
    let (columns, gradients) = (heads.columns(), Shared(qkv_gradient.as_mut_ptr()));
    heads.tasks(spans).for_each_init(Default::default, |scratch: &mut (Vec<f32>, Vec<f32>), (span, head)| {
        let size = BLOCK * span.len();
        scratch.0.resize(size, 0.0);
        scratch.1.resize(size, 0.0);
        let offset = |part: usize, row: usize| row * 3 * columns + part * columns + head * heads.width;
        // From the last block, which sees all keys and so writes their gradients first; the others add to them.
        for first in span.clone().step_by(BLOCK).rev() {
            let rows = first..span.end.min(first + BLOCK);
            let seen = rows.end - span.start;
            let add = rows.end < span.end;
            let shares = &mut scratch.0[..rows.len() * seen];
            let slopes = &mut scratch.1[..rows.len() * seen];
            let queries = heads.part(qkv, 0, head, rows.clone());
            let keys = heads.part(qkv, 1, head, span.start..rows.end);
            let values = heads.part(qkv, 2, head, span.start..rows.end);
            let from = rows.start * columns + head * heads.width;
            let upstream = Matrix::strided(&output_gradient[from..], rows.len(), heads.width, columns);
            let totals = &totals[head * tokens + rows.start..][..rows.len()];
            // SAFETY: tasks differ in sequence or head, so no other one writes these rows of these columns.
            unsafe {
                multiply_here(queries, keys.t(), heads.scale, false, shares.as_mut_ptr(), seen);
                multiply_here(upstream, values.t(), 1.0, false, slopes.as_mut_ptr(), seen);
                let output = &output[from..];
                let gradient = &output_gradient[from..];
                softmax_backward(isa, heads, columns, shares, slopes, totals, output, gradient);
                let (shares, slopes) = (Matrix::new(shares, rows.len(), seen), Matrix::new(slopes, rows.len(), seen));
                let at = |part, row| gradients.at(offset(part, row));
                multiply_here(slopes, keys, 1.0, false, at(0, rows.start), 3 * columns);
                multiply_here(slopes.t(), queries, 1.0, add, at(1, span.start), 3 * columns);
                multiply_here(shares.t(), upstream, 1.0, add, at(2, span.start), 3 * columns);
            }
        }
    });
}

for_each_isa! {
    /// Turns scores into weights, and the gradients of weights, in place, into those of queries times keys.
    fn softmax_backward(
        heads: Heads, columns: usize, shares: &mut [f32], slopes: &mut [f32], totals: &[f32], output: &[f32],
        gradient: &[f32]
    ) = backward_body
}

/// `score' = weight · (weight' - Σ weight · weight')`, where the sum is output times its gradient.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "kernels take their shapes one by one")]
fn backward_body(
    heads: Heads,
    columns: usize,
    shares: &mut [f32],
    slopes: &mut [f32],
    totals: &[f32],
    output: &[f32],
    gradient: &[f32],
) {
    let rows = totals.len();
    let seen = shares.len() / rows;
    for (index, total) in totals.iter().enumerate() {
        let own = index * columns..index * columns + heads.width;
        let common: f32 = output[own.clone()].iter().zip(&gradient[own]).map(|(a, b)| a * b).sum();
        let visible = seen + index + 1 - rows;
        let (shares, hidden) = shares[index * seen..(index + 1) * seen].split_at_mut(visible);
        let (slopes, beyond) = slopes[index * seen..(index + 1) * seen].split_at_mut(visible);
        for (share, slope) in shares.iter_mut().zip(slopes) {
            *share = exp(*share - total);
            *slope = *share * (*slope - common) * heads.scale;
        }
        hidden.fill(0.0);
        beyond.fill(0.0);
    }
}
