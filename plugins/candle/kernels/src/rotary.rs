//! Rotary position embeddings.

use rayon::prelude::*;

/// Rotates the first `heads` heads of each row of `row` values: in each of them, the value at `i` and the one half of the
/// rotated part further on are a point in the plane that is turned by the row's `i`-th angle.
///
/// `angles` has a row of cosines and then sines for each row of `values`; what of a head is wider than that stays.
pub fn rotate(values: &mut [f32], row: usize, heads: usize, width: usize, angles: &[f32]) {
    const ROWS: usize = 16;
    let rotated = angles.len() / (values.len() / row).max(1);
    assert!(values.len().is_multiple_of(row) && heads * width <= row, "{heads} heads of {width} in rows of {row}");
    assert!(rotated.is_multiple_of(2) && rotated <= width, "{rotated} of a head of {width}");
    if rotated == 0 {
        return;
    }
    values.par_chunks_mut(ROWS * row).zip(angles.par_chunks(ROWS * rotated)).for_each(|(rows, angles)| {
        for (row, angles) in rows.chunks_exact_mut(row).zip(angles.chunks_exact(rotated)) {
            let (cosines, sines) = angles.split_at(rotated / 2);
            for head in row[..heads * width].chunks_exact_mut(width) {
                let (first, second) = head[..rotated].split_at_mut(rotated / 2);
                for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                    // No fused multiply-add: the same bits from every compiler and for every instruction set.
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_the_heads_and_nothing_else() {
        let (row, heads, width) = (10, 2, 4);
        let input: Vec<f32> = (0..2 * row).map(|i| i as f32).collect();
        let mut values = input.clone();
        // A quarter turn in the first row, none in the second; two of four values of a head are rotated.
        rotate(&mut values, row, heads, width, &[0.0, 1.0, 1.0, 0.0]);
        assert_eq!(values[..row], [-1.0, 0.0, 2.0, 3.0, -5.0, 4.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(values[row..], input[row..]);
        // All of a head: the point is (x[i], x[i + 2]).
        let mut whole = input.clone();
        rotate(&mut whole, row, 1, width, &[0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(whole[..5], [-2.0, 1.0, 0.0, 3.0, 4.0]);
        assert_eq!(whole[row..], input[row..]);
    }
}
