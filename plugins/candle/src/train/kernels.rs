//! Arithmetic of training on the CPU: forward and backward, written out by hand.
//!
//! The kernels of [`crate::kernels`] promise that a row does not depend on its neighbours; training needs no such promise and
//! takes its matrix products from the `gemm` crate. What it does promise is that the same call gives the same bits: work
//! is cut into pieces whose size does not depend on the number of threads or on who is faster, and what the pieces
//! give is added in their order. So an interrupted training goes on as if nothing had happened.

mod activation;
mod adamw;
mod attention;
mod cross_entropy;
mod matmul;
mod norm;
mod sums;

pub(super) use activation::{activate, activate_backward};
pub(super) use adamw::{AdamW, adamw, sum_of_squares};
pub(super) use attention::{Heads, attend, attend_backward};
pub(super) use cross_entropy::{Gradient, cross_entropy};
pub(super) use matmul::{Matrix, multiply};
pub(super) use norm::{norm, norm_backward};
pub(super) use sums::{add, add_column_sums, fill_rows};

/// A place that several threads write to, each at elements of its own.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: whoever shares one says why its writes do not meet.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    /// The element at `offset`.
    ///
    /// # Safety
    /// `offset` lies within the array.
    unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: the caller's word.
        unsafe { self.0.add(offset) }
    }
}
