//! Registers of bits, and how numbers of `f32` come from them.

use crate::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// What else registers can do: each lane of `f32` may be 32 bits instead.
///
/// # Safety
/// As with [`Lanes`]: the machine has the instructions, and loads find `WIDTH` values.
pub(crate) trait Words: Lanes {
    /// A register of bits.
    type Bits: Copy;
    /// So many rows have their weights computed in registers, at most.
    const FEW_ROWS: usize;
    /// Whether tables of up to 32 values are looked up in registers. Else they are computed where they can be.
    const TABLES: bool;
    unsafe fn load_bits(from: *const u8) -> Self::Bits;
    /// Bytes, each in the lower bits of a lane.
    unsafe fn load_bytes(from: *const u8) -> Self::Bits;
    unsafe fn splat_bits(bits: u32) -> Self::Bits;
    unsafe fn and(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn or(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn shift_right(bits: Self::Bits, by: u32) -> Self::Bits;
    unsafe fn shift_left(bits: Self::Bits, by: u32) -> Self::Bits;
    /// The `f32` with these bits.
    unsafe fn of_bits(bits: Self::Bits) -> Self;
    unsafe fn plus(self, other: Self) -> Self;
    /// `self · by + plus`, where the product is exact, so that it is the same whether it is rounded or not.
    unsafe fn times_plus(self, by: Self, plus: Self) -> Self;
    /// The values that the lower four bits of each lane count.
    unsafe fn look_up_16(values: &[f32; 32], index: Self::Bits) -> Self;
    /// The same with five bits. Only where there are [`TABLES`](Self::TABLES).
    unsafe fn look_up_32(values: &[f32; 32], index: Self::Bits) -> Self;
}

/// The bits of 2²³. A whole number below it in the lower bits is added.
const TWO_23: u32 = 0x4b00_0000;

/// The whole numbers in the bits of each lane, which are below 2²³, less `less`.
#[inline(always)]
pub(super) unsafe fn whole_numbers<V: Words>(bits: V::Bits, less: u32) -> V {
    // SAFETY: the caller has the instructions. Both the sum of bits and the difference of numbers are exact.
    unsafe { V::of_bits(V::or(bits, V::splat_bits(TWO_23))).plus(V::splat(-f32::from_bits(TWO_23 + less))) }
}

#[cfg(target_arch = "x86_64")]
impl Words for __m512 {
    type Bits = __m512i;
    const FEW_ROWS: usize = 4;
    const TABLES: bool = true;

    #[inline(always)]
    unsafe fn load_bits(from: *const u8) -> __m512i {
        // SAFETY: the caller has these instructions and 16 words at `from`.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m512i {
        // SAFETY: the caller has these instructions and 16 bytes at `from`.
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat_bits(bits: u32) -> __m512i {
        // SAFETY: the caller has these instructions.
        unsafe { _mm512_set1_epi32(bits.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_and_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn or(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn shift_right(bits: __m512i, by: u32) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_srl_epi32(bits, _mm_cvtsi32_si128(by.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn shift_left(bits: __m512i, by: u32) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_sll_epi32(bits, _mm_cvtsi32_si128(by.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn of_bits(bits: __m512i) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_castsi512_ps(bits) }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn times_plus(self, by: Self, plus: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.mul_add(by, plus) }
    }

    #[inline(always)]
    unsafe fn look_up_16(values: &[f32; 32], index: __m512i) -> Self {
        // SAFETY: as above. Only the lower four bits count.
        unsafe { _mm512_permutexvar_ps(index, Self::load(values.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn look_up_32(values: &[f32; 32], index: __m512i) -> Self {
        let (lower, upper) = values.split_at(16);
        // SAFETY: as above. Only the lower five bits count.
        unsafe { _mm512_permutex2var_ps(Self::load(lower.as_ptr()), index, Self::load(upper.as_ptr())) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Words for __m256 {
    type Bits = __m256i;
    const FEW_ROWS: usize = 2;
    const TABLES: bool = false;

    #[inline(always)]
    unsafe fn load_bits(from: *const u8) -> __m256i {
        // SAFETY: the caller has these instructions and 8 words at `from`.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m256i {
        // SAFETY: the caller has these instructions and 8 bytes at `from`.
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat_bits(bits: u32) -> __m256i {
        // SAFETY: the caller has these instructions.
        unsafe { _mm256_set1_epi32(bits.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_and_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn or(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn shift_right(bits: __m256i, by: u32) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_srl_epi32(bits, _mm_cvtsi32_si128(by.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn shift_left(bits: __m256i, by: u32) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_sll_epi32(bits, _mm_cvtsi32_si128(by.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn of_bits(bits: __m256i) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_castsi256_ps(bits) }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn times_plus(self, by: Self, plus: Self) -> Self {
        // SAFETY: as above.
        unsafe { self.mul_add(by, plus) }
    }

    #[inline(always)]
    unsafe fn look_up_16(values: &[f32; 32], index: __m256i) -> Self {
        // SAFETY: as above. Only the lower three bits count for a permutation, and only the uppermost for a choice.
        unsafe {
            let lower = _mm256_permutevar8x32_ps(Self::load(values.as_ptr()), index);
            let upper = _mm256_permutevar8x32_ps(Self::load(values[8..].as_ptr()), index);
            _mm256_blendv_ps(lower, upper, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(index)))
        }
    }

    #[inline(always)]
    unsafe fn look_up_32(values: &[f32; 32], index: __m256i) -> Self {
        // SAFETY: as above; never called, see `TABLES`.
        unsafe { Self::look_up_16(values, index) }
    }
}

impl Words for [f32; 4] {
    type Bits = [u32; 4];
    const FEW_ROWS: usize = 0;
    const TABLES: bool = false;

    #[inline(always)]
    unsafe fn load_bits(from: *const u8) -> [u32; 4] {
        // SAFETY: the caller has 4 words at `from`.
        unsafe { from.cast::<[u32; 4]>().read_unaligned() }.map(u32::from_le)
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> [u32; 4] {
        // SAFETY: the caller has 4 bytes at `from`.
        unsafe { from.cast::<[u8; 4]>().read_unaligned() }.map(u32::from)
    }

    #[inline(always)]
    unsafe fn splat_bits(bits: u32) -> [u32; 4] {
        [bits; 4]
    }

    #[inline(always)]
    unsafe fn and(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        std::array::from_fn(|lane| a[lane] & b[lane])
    }

    #[inline(always)]
    unsafe fn or(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        std::array::from_fn(|lane| a[lane] | b[lane])
    }

    #[inline(always)]
    unsafe fn shift_right(bits: [u32; 4], by: u32) -> [u32; 4] {
        bits.map(|bits| bits >> by)
    }

    #[inline(always)]
    unsafe fn shift_left(bits: [u32; 4], by: u32) -> [u32; 4] {
        bits.map(|bits| bits << by)
    }

    #[inline(always)]
    unsafe fn of_bits(bits: [u32; 4]) -> Self {
        bits.map(f32::from_bits)
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] + other[lane])
    }

    #[inline(always)]
    unsafe fn times_plus(self, by: Self, plus: Self) -> Self {
        std::array::from_fn(|lane| self[lane] * by[lane] + plus[lane])
    }

    #[inline(always)]
    unsafe fn look_up_16(values: &[f32; 32], index: [u32; 4]) -> Self {
        index.map(|index| values[index as usize % 16])
    }

    #[inline(always)]
    unsafe fn look_up_32(values: &[f32; 32], index: [u32; 4]) -> Self {
        index.map(|index| values[index as usize % 32])
    }
}
