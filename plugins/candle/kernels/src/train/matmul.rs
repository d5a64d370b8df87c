//! Matrix products, transposed or not, added to what is there or not.

use gemm::Parallelism;

/// A matrix somewhere in an array.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Rows `row_stride` values apart.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        let needed = if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + columns };
        assert!(values.len() >= needed, "{rows} x {columns} values, {row_stride} apart, in {}", values.len());
        Matrix { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// The same values with rows and columns exchanged; nothing is moved.
    pub fn t(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `out = a · b`, or `out += a · b` with `add`, on all threads. `out` is `[a.rows, b.columns]`.
pub fn multiply(a: Matrix<'_>, b: Matrix<'_>, add: bool, out: &mut [f32]) {
    assert_eq!(out.len(), a.rows * b.columns, "a product of {} x {}", a.rows, b.columns);
    let threads = Parallelism::Rayon(rayon::current_num_threads());
    // SAFETY: `out` has room for the product, rows one after the other.
    unsafe { product(a, b, 1.0, add, out.as_mut_ptr(), b.columns, threads) }
}

/// `out = scale · a · b`, or `out += scale · a · b` with `add`, on this thread, with rows of `out` at `stride`.
///
/// # Safety
/// `out` has room for the product, and no other thread uses it meanwhile.
pub(super) unsafe fn multiply_here(a: Matrix<'_>, b: Matrix<'_>, scale: f32, add: bool, out: *mut f32, stride: usize) {
    // SAFETY: the caller guarantees it.
    unsafe { product(a, b, scale, add, out, stride, Parallelism::None) }
}

unsafe fn product(
    a: Matrix<'_>,
    b: Matrix<'_>,
    scale: f32,
    add: bool,
    out: *mut f32,
    stride: usize,
    threads: Parallelism,
) {
    assert_eq!(a.columns, b.rows, "the inner sizes of a product");
    // SAFETY: `Matrix` checked that its elements are within its array; the caller guarantees `out`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out,
            1,
            stride as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposed_strided_and_added() {
        let a: Vec<f32> = (0..15).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..8).map(|i| i as f32 - 3.0).collect();
        // `a` as 3 rows of 4 out of 5, transposed: [4, 3]; `b` as [2, 4] transposed: [4, 2].
        let (x, y) = (Matrix::strided(&a, 3, 4, 5), Matrix::new(&b, 2, 4));
        let mut out = vec![1.0; 6];
        multiply(x, y.t(), true, &mut out);
        for (row, column) in (0..3).flat_map(|row| (0..2).map(move |column| (row, column))) {
            let expected: f32 = (0..4).map(|k| a[row * 5 + k] * b[column * 4 + k]).sum();
            assert_eq!(out[row * 2 + column], expected + 1.0);
        }
        let mut turned = vec![f32::NAN; 6];
        multiply(y, x.t(), false, &mut turned);
        assert_eq!(turned[1], out[2] - 1.0);
    }
}
