//! Arithmetic of training on the CPU: forward and backward, written out by hand.
//!
//! The kernels of inference promise that a row does not depend on its neighbours; training needs no such promise. Its
//! products are those of the same tiles, but for attention's, which are small and come from the `gemm` crate. What it does
//! promise is that the same call gives the same bits: work is cut into pieces whose size does not depend on the number of
//! threads or on who is faster, and what the pieces give is added in their order. So an interrupted training goes on as if
//! nothing had happened.

mod activation;
mod adamw;
mod attention;
mod cross_entropy;
mod matmul;
mod norm;
mod sums;

pub use activation::{activate, activate_backward};
pub use adamw::{AdamW, adamw, sum_of_squares};
pub use attention::{Heads, attend, attend_backward};
pub use cross_entropy::{Gradient, cross_entropy};
pub use matmul::{Matrix, multiply};
pub use norm::{norm, norm_backward};
pub use sums::{add, add_column_sums, fill_rows};

/// An array that several threads write to, each at elements of its own.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: each use gives the reason why its writes do not overlap.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    /// The element at `offset`.
    ///
    /// # Safety
    /// `offset` is within the array.
    unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: the caller guarantees it.
        unsafe { self.0.add(offset) }
    }
}
