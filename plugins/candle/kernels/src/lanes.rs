//! Vector registers of `f32`, and what can be loaded into them.

use half::{bf16, f16};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m512, __m512bh, _MM_HINT_T1, _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch, _mm256_and_si256,
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32,
    _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_slli_epi32, _mm256_storeu_ps, _mm512_castsi512_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
    _mm512_slli_epi32, _mm512_storeu_ps,
};

/// A vector register. Every lane of `mul_add` rounds once, as `f32::mul_add` does: that is why all implementations
/// give the same bits.
///
/// # Safety
/// Every method needs a machine with the instructions of the type; loads and stores need `WIDTH` values at the pointer.
pub(super) trait Lanes: Copy {
    /// Number of lanes.
    const WIDTH: usize;
    /// Rows of a full tile of the matrix kernel: with [`ABREAST`](Self::ABREAST) registers in each of them, sums nearly fill the registers.
    const ROWS: usize;
    /// How many of them side by side make a full tile.
    const ABREAST: usize;
    /// How many registers there are.
    const REGISTERS: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn load_bf16(from: *const bf16) -> Self;
    unsafe fn load_f16(from: *const f16) -> Self;
    unsafe fn load_i8(from: *const i8) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self;
    /// Lanes are pairs of `bf16`: each pair is multiplied with the other one's, and both products are added to `plus`, the upper
    /// first. Every step rounds to `f32`.
    unsafe fn mul_add_pairs(self, by: Self, plus: Self) -> Self;
    /// Runs code in a function of its own.
    unsafe fn call<C: Code>(code: C);
    /// The same where pairs are multiplied.
    unsafe fn call_with_pairs<C: Code>(code: C);
}

/// Code over registers that is compiled by itself: into a larger function, compilers find no good places for all registers of the
/// inner loops.
pub(super) trait Code {
    /// # Safety
    /// That of [`Lanes`], and what the code itself needs.
    unsafe fn run<V: Lanes>(self);
}

/// The two halves of each lane as `f32`.
#[inline(always)]
fn halves<const N: usize>(lanes: [f32; N]) -> ([f32; N], [f32; N]) {
    (
        lanes.map(|lane| f32::from_bits(lane.to_bits() << 16)),
        lanes.map(|lane| f32::from_bits(lane.to_bits() & 0xffff_0000)),
    )
}

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
        $register:ty, $width:literal, tile $rows:literal x $abreast:literal of $registers:literal, $splat:ident, $load:ident, $store:ident, $mul_add:ident,
        bf16 $load_16:ident $widen_16:ident $shift:ident $from_bits:ident, f16 $from_f16:ident,
        i8 $load_8:ident $widen_8:ident $from_i32:ident, pairs $pairs:ident,
        features $features:literal $features_with_pairs:literal
    ) => {
        impl Lanes for $register {
            const WIDTH: usize = $width;
            const ROWS: usize = $rows;
            const ABREAST: usize = $abreast;
            const REGISTERS: usize = $registers;

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

            #[inline(always)]
            unsafe fn mul_add_pairs(self, by: Self, plus: Self) -> Self {
                // SAFETY: the caller has these instructions.
                unsafe { $pairs(self, by, plus) }
            }

            #[inline(always)]
            unsafe fn call<C: Code>(code: C) {
                #[inline(never)]
                #[target_feature(enable = $features)]
                unsafe fn by_itself<C: Code>(code: C) {
                    // SAFETY: the caller guarantees it.
                    unsafe { code.run::<$register>() }
                }
                // SAFETY: the caller has these instructions, and keeps the contract of the code.
                unsafe { by_itself(code) }
            }

            #[inline(always)]
            unsafe fn call_with_pairs<C: Code>(code: C) {
                #[inline(never)]
                #[target_feature(enable = $features_with_pairs)]
                unsafe fn by_itself<C: Code>(code: C) {
                    // SAFETY: the caller guarantees it.
                    unsafe { code.run::<$register>() }
                }
                // SAFETY: as above.
                unsafe { by_itself(code) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m512, 16, tile 12 x 2 of 32, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps,
    bf16 _mm256_loadu_si256 _mm512_cvtepu16_epi32 _mm512_slli_epi32 _mm512_castsi512_ps, f16 _mm512_cvtph_ps,
    i8 _mm_loadu_si128 _mm512_cvtepi8_epi32 _mm512_cvtepi32_ps, pairs pairs_of_avx512,
    features "avx512f" "avx512f,avx512bf16"
);

#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m256, 8, tile 6 x 2 of 16, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps,
    bf16 _mm_loadu_si128 _mm256_cvtepu16_epi32 _mm256_slli_epi32 _mm256_castsi256_ps, f16 _mm256_cvtph_ps,
    i8 _mm_loadl_epi64 _mm256_cvtepi8_epi32 _mm256_cvtepi32_ps, pairs pairs_of_avx2,
    features "avx2,fma,f16c" "avx2,fma,f16c"
);

/// # Safety
/// The machine has `avx512bf16`: `Isa::multiplies_pairs`.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pairs_of_avx512(a: __m512, b: __m512, plus: __m512) -> __m512 {
    // SAFETY: registers of the same bits.
    unsafe {
        _mm512_dpbf16_ps(plus, std::mem::transmute::<__m512, __m512bh>(a), std::mem::transmute::<__m512, __m512bh>(b))
    }
}

/// # Safety
/// The machine has the instructions.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn pairs_of_avx2(a: __m256, b: __m256, plus: __m256) -> __m256 {
    let halves = |lanes: __m256| {
        let bits = _mm256_castps_si256(lanes);
        let upper = _mm256_and_si256(bits, _mm256_set1_epi32(0xffff_0000_u32 as i32));
        (_mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits)), _mm256_castsi256_ps(upper))
    };
    let (a, b) = (halves(a), halves(b));
    _mm256_fmadd_ps(a.0, b.0, _mm256_fmadd_ps(a.1, b.1, plus))
}

/// Four lanes in plain Rust: what NEON and the like have.
impl Lanes for [f32; 4] {
    const WIDTH: usize = 4;
    const ROWS: usize = 6;
    const ABREAST: usize = 4;
    const REGISTERS: usize = 32;

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

    #[inline(always)]
    unsafe fn mul_add_pairs(self, by: Self, plus: Self) -> Self {
        let (a, b) = (halves(self), halves(by));
        // SAFETY: plain Rust.
        unsafe { a.0.mul_add(b.0, Lanes::mul_add(a.1, b.1, plus)) }
    }

    #[inline(always)]
    unsafe fn call<C: Code>(code: C) {
        // SAFETY: the caller keeps the contract of the code.
        unsafe { code.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn call_with_pairs<C: Code>(code: C) {
        // SAFETY: as above.
        unsafe { code.run::<Self>() }
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
