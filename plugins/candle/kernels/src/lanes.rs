//! Vector registers of `f32`, what can be loaded into them, and which of them this machine has.

use half::{bf16, f16};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m512, _MM_HINT_T1, _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch, _mm256_castsi256_ps,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_set1_ps, _mm256_slli_epi32, _mm256_storeu_ps, _mm512_castsi512_ps, _mm512_cvtepi8_epi32,
    _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
    _mm512_slli_epi32, _mm512_storeu_ps,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// An instruction set that this machine has. Values come from [`Isa::best`] and [`Isa::available`] alone, so that
/// holding one proves that its instructions can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Instructions);

impl Isa {
    /// The fastest one of this machine.
    pub fn best() -> Isa {
        Self::available()[0]
    }

    /// All that this machine has, the fastest first. The last needs nothing special; it is slow where fused
    /// multiply-adds are done in software.
    pub fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                found.push(Isa(Instructions::Avx512));
            }
            // All machines with the first have the others; a system that hides one of them is believed.
            let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if has && is_x86_feature_detected!("f16c") {
                found.push(Isa(Instructions::Avx2));
            }
        }
        found.push(Isa(Instructions::Portable));
        found
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn is_avx512(self) -> bool {
        self.0 == Instructions::Avx512
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn is_avx2(self) -> bool {
        self.0 == Instructions::Avx2
    }
}

/// A vector register. Every lane of `mul_add` rounds once, as `f32::mul_add` does: that is why all implementations
/// give the same bits.
///
/// # Safety
/// Every method needs a machine with the instructions of the type; loads and stores need `WIDTH` values at the pointer.
pub(super) trait Lanes: Copy {
    /// Number of lanes.
    const WIDTH: usize;
    /// How many of them side by side make a tile of the matrix kernel.
    const ABREAST: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn load_bf16(from: *const bf16) -> Self;
    unsafe fn load_f16(from: *const f16) -> Self;
    unsafe fn load_i8(from: *const i8) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self;
}

/// A type of numbers in memory. Each of them is a number of `f32` too, so that nothing is rounded on its way to a register.
pub(super) trait Element: Copy + Default + Send + Sync {
    /// As many as there are lanes.
    ///
    /// # Safety
    /// That of [`Lanes`].
    unsafe fn load<V: Lanes>(from: *const Self) -> V;
}

macro_rules! element {
    ($type:ty, $load:ident) => {
        impl Element for $type {
            #[inline(always)]
            unsafe fn load<V: Lanes>(from: *const Self) -> V {
                // SAFETY: the caller guarantees it.
                unsafe { V::$load(from) }
            }
        }
    };
}

element!(f32, load);
element!(bf16, load_bf16);
element!(f16, load_f16);
element!(i8, load_i8);

/// Asks for the cache line at an address that will be read soon. Any address will do.
#[inline(always)]
pub(super) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which x86-64 always has and which never faults.
    unsafe {
        _mm_prefetch::<_MM_HINT_T1>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The registers of one instruction set of x86-64, from the names of its instructions. Numbers of 16 and of 8 bits are loaded
/// as integers first, which takes a register of half and of a quarter of the width.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_lanes {
    (
        $register:ty, $width:literal, abreast $abreast:literal, $splat:ident, $load:ident, $store:ident, $mul_add:ident,
        bf16 $load_16:ident $widen_16:ident $shift:ident $from_bits:ident, f16 $from_f16:ident,
        i8 $load_8:ident $widen_8:ident $from_i32:ident
    ) => {
        impl Lanes for $register {
            const WIDTH: usize = $width;
            const ABREAST: usize = $abreast;

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller has these instructions.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller has these instructions and `WIDTH` values at `from`.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn load_bf16(from: *const bf16) -> Self {
                // SAFETY: as above; the values are the upper halves of `f32`s.
                unsafe { $from_bits($shift::<16>($widen_16($load_16(from.cast())))) }
            }

            #[inline(always)]
            unsafe fn load_f16(from: *const f16) -> Self {
                // SAFETY: as above.
                unsafe { $from_f16($load_16(from.cast())) }
            }

            #[inline(always)]
            unsafe fn load_i8(from: *const i8) -> Self {
                // SAFETY: as above.
                unsafe { $from_i32($widen_8($load_8(from.cast()))) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller has these instructions and room for `WIDTH` values at `to`.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
                // SAFETY: the caller has these instructions.
                unsafe { $mul_add(self, by, plus) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m512, 16, abreast 4, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps,
    bf16 _mm256_loadu_si256 _mm512_cvtepu16_epi32 _mm512_slli_epi32 _mm512_castsi512_ps, f16 _mm512_cvtph_ps,
    i8 _mm_loadu_si128 _mm512_cvtepi8_epi32 _mm512_cvtepi32_ps
);

#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m256, 8, abreast 2, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps,
    bf16 _mm_loadu_si128 _mm256_cvtepu16_epi32 _mm256_slli_epi32 _mm256_castsi256_ps, f16 _mm256_cvtph_ps,
    i8 _mm_loadl_epi64 _mm256_cvtepi8_epi32 _mm256_cvtepi32_ps
);

/// Four lanes in plain Rust: what NEON and the like have.
impl Lanes for [f32; 4] {
    const WIDTH: usize = 4;
    const ABREAST: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has 4 values at `from`.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller has 4 values at `from`.
        unsafe { from.cast::<[bf16; 4]>().read_unaligned() }.map(bf16::to_f32)
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> Self {
        // SAFETY: the caller has 4 values at `from`.
        unsafe { from.cast::<[f16; 4]>().read_unaligned() }.map(f16::to_f32)
    }

    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self {
        // SAFETY: the caller has 4 values at `from`.
        unsafe { from.cast::<[i8; 4]>().read_unaligned() }.map(f32::from)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has room for 4 values at `to`.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
        std::array::from_fn(|lane| self[lane].mul_add(by[lane], plus[lane]))
    }
}

/// Compiles the body of a function once for each instruction set, and runs the one asked for.
///
/// `fn name(arguments) = body` makes `fn name(isa, arguments)`. The body must be `#[inline(always)]`, so that it is compiled
/// with the features of the function it is inlined into. `unsafe fn name(arguments) = body::<Lanes>` is for bodies that name
/// their registers, and keeps their contract.
macro_rules! for_each_isa {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:ident) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "kernels take their shapes one by one")]
        $vis fn $name(isa: $crate::Isa, $($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx512($($arg: $type),*) $(-> $result)? {
                    $body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx2($($arg: $type),*) $(-> $result)? {
                    $body($($arg),*)
                }
                if isa.is_avx512() {
                    // SAFETY: an `Isa` exists only where its instructions do.
                    return unsafe { avx512($($arg),*) };
                }
                if isa.is_avx2() {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            $body($($arg),*)
        }
    };
    ($(#[$doc:meta])* $vis:vis unsafe fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:ident::<Lanes>) => {
        $(#[$doc])*
        $vis unsafe fn $name(isa: $crate::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                unsafe fn avx512($($arg: $type),*) {
                    // SAFETY: the caller keeps the body's contract; AVX-512 is enabled here.
                    unsafe { $body::<std::arch::x86_64::__m512>($($arg),*) }
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                unsafe fn avx2($($arg: $type),*) {
                    // SAFETY: the caller keeps the body's contract; AVX2 and FMA are enabled here.
                    unsafe { $body::<std::arch::x86_64::__m256>($($arg),*) }
                }
                if isa.is_avx512() {
                    // SAFETY: an `Isa` exists only where its instructions do; the caller keeps the body's contract.
                    return unsafe { avx512($($arg),*) };
                }
                if isa.is_avx2() {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            // SAFETY: plain Rust; the caller keeps the body's contract.
            unsafe { $body::<[f32; 4]>($($arg),*) }
        }
    };
}

pub(crate) use for_each_isa;

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests of the kernels go through what this machine has. What it lacks is reported, so that it is not taken for tested.
    #[test]
    fn instruction_sets_that_are_not_tested_here_are_named() {
        let available = Isa::available();
        assert_eq!(available.last(), Some(&Isa(Instructions::Portable)));
        #[cfg(target_arch = "x86_64")]
        for instructions in [Instructions::Avx512, Instructions::Avx2] {
            if !available.contains(&Isa(instructions)) {
                examiner_test_support::skipped(&format!(
                    "this machine lacks {instructions:?}, whose kernels are not run"
                ));
            }
        }
    }
}
