//! What weights are in memory, how they come into registers, and what they are multiplied with.

use super::lanes::{Code, Lanes};
use half::{bf16, f16};

/// A type of weights in memory, and of the inputs that they are multiplied with. What is one weight here may stand for several inputs.
pub(super) trait Element: Copy + Default + Send + Sync {
    /// What one weight is multiplied with.
    type Input: Copy;

    /// As many as there are lanes.
    ///
    /// # Safety
    /// That of [`Lanes`].
    unsafe fn load<V: Lanes>(from: *const Self) -> V;

    /// One input in all lanes.
    ///
    /// # Safety
    /// That of [`Lanes`].
    unsafe fn splat<V: Lanes>(input: Self::Input) -> V;

    /// A step of a chain.
    ///
    /// # Safety
    /// That of [`Lanes`].
    unsafe fn mul_add<V: Lanes>(input: V, weights: V, sum: V) -> V;

    /// Runs code that multiplies such weights in a function of its own.
    ///
    /// # Safety
    /// That of [`Lanes`] and of the code.
    #[inline(always)]
    unsafe fn call<V: Lanes, C: Code>(code: C) {
        // SAFETY: the caller guarantees it.
        unsafe { V::call(code) }
    }
}

/// Numbers of which each is one of `f32` too, so that nothing is rounded on its way to a register.
macro_rules! element {
    ($type:ty, $load:ident) => {
        impl Element for $type {
            type Input = f32;

            #[inline(always)]
            unsafe fn load<V: Lanes>(from: *const Self) -> V {
                // SAFETY: the caller guarantees it.
                unsafe { V::$load(from) }
            }

            #[inline(always)]
            unsafe fn splat<V: Lanes>(input: f32) -> V {
                // SAFETY: the caller guarantees it.
                unsafe { V::splat(input) }
            }

            #[inline(always)]
            unsafe fn mul_add<V: Lanes>(input: V, weights: V, sum: V) -> V {
                // SAFETY: the caller guarantees it.
                unsafe { input.mul_add(weights, sum) }
            }
        }
    };
}

element!(f32, load);
element!(bf16, load_bf16);
element!(f16, load_f16);
element!(i8, load_i8);

/// Two neighbours in `k`, the first in the lower half: what one step of a dot product of `bf16` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub(super) struct Pair(pub(super) u32);

impl Pair {
    #[inline(always)]
    pub(super) fn new(first: bf16, second: bf16) -> Pair {
        Pair(u32::from(first.to_bits()) | u32::from(second.to_bits()) << 16)
    }
}

impl Element for Pair {
    type Input = Pair;

    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller guarantees it; a pair has the size of an `f32`, and registers are moved bit by bit.
        unsafe { V::load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn splat<V: Lanes>(input: Pair) -> V {
        // SAFETY: as above.
        unsafe { V::splat(f32::from_bits(input.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add<V: Lanes>(input: V, weights: V, sum: V) -> V {
        // SAFETY: the caller guarantees it.
        unsafe { input.mul_add_pairs(weights, sum) }
    }

    #[inline(always)]
    unsafe fn call<V: Lanes, C: Code>(code: C) {
        // SAFETY: the caller guarantees it.
        unsafe { V::call_with_pairs(code) }
    }
}
