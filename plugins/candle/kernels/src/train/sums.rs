//! Sums over rows, and biases.

use rayon::prelude::*;

/// Rows whose sum is made in one piece.
pub(super) const ROWS: usize = 64;

/// Writes the same row again and again.
pub fn fill_rows(row: &[f32], out: &mut [f32]) {
    out.par_chunks_mut(ROWS * row.len()).for_each(|rows| {
        rows.chunks_exact_mut(row.len()).for_each(|out| out.copy_from_slice(row));
    });
}

/// `out = a + row` for each row of `a`.
pub fn add(a: &[f32], row: &[f32], out: &mut [f32]) {
    out.par_chunks_mut(ROWS * row.len()).zip(a.par_chunks(ROWS * row.len())).for_each(|(out, a)| {
        for (out, a) in out.chunks_exact_mut(row.len()).zip(a.chunks_exact(row.len())) {
            for ((out, a), b) in out.iter_mut().zip(a).zip(row) {
                *out = a + b;
            }
        }
    });
}

/// Adds the sum of each column to `sums`.
pub fn add_column_sums(rows: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    let parts = rows.par_chunks(ROWS * width).map(|rows| {
        let mut part = vec![0.0f32; width];
        for row in rows.chunks_exact(width) {
            part.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        part
    });
    add_parts(parts.collect(), sums);
}

/// Adds what the pieces gave, in their order.
pub(super) fn add_parts(parts: Vec<Vec<f32>>, sums: &mut [f32]) {
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_many_rows() {
        let rows: Vec<f32> = (0..3 * 200).map(|i| (i % 7) as f32).collect();
        let mut sums = vec![1.0, 2.0, 3.0];
        add_column_sums(&rows, &mut sums);
        for (column, sum) in sums.iter().enumerate() {
            let expected: f32 = rows.iter().skip(column).step_by(3).sum();
            assert_eq!(*sum, expected + column as f32 + 1.0);
        }
    }

    #[test]
    fn biases() {
        let mut out = vec![0.0; 6];
        fill_rows(&[1.0, 2.0], &mut out);
        assert_eq!(out, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        let a = out.clone();
        add(&a, &[10.0, 20.0], &mut out);
        assert_eq!(out, [11.0, 22.0, 11.0, 22.0, 11.0, 22.0]);
    }
}
