//! Registers of bytes, and the sums of their products.

use super::words::Words;
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// What else registers can do: each lane of 32 bits may be four bytes.
///
/// # Safety
/// As with [`Words`], and methods are called only in code that is [called](Self::call_with_bytes).
pub(super) trait Bytes: Words {
    /// Rows of a tile of products of bytes, with two registers of columns.
    const BYTE_ROWS: usize;
    unsafe fn store_bits(bits: Self::Bits, to: *mut u32);
    /// The values that bytes below 16 count.
    unsafe fn look_up_bytes(values: &[u8; 16], index: Self::Bits) -> Self::Bits;
    /// Sixteen bytes, as often as a register has room for them.
    unsafe fn repeat(bytes: &[u8; 16]) -> Self::Bits;
    /// Whether products with bytes that are not all small are those of the bytes less 128.
    const SUBTRACTS_128: bool;
    /// Adds to each lane the products of its four bytes without a sign and four with one, neither -128. `SMALL` says that the former are
    /// below 128.
    unsafe fn add_products<const SMALL: bool>(sum: Self::Bits, unsigned: Self::Bits, signed: Self::Bits) -> Self::Bits;
    /// The numbers that lanes are as integers with a sign.
    unsafe fn of_integers(bits: Self::Bits) -> Self;
    unsafe fn times(self, by: Self) -> Self;
    /// The bits of each lane.
    unsafe fn to_bits(self) -> Self::Bits;
    /// Lane by lane, the larger of two integers without a sign.
    unsafe fn larger(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    /// The largest lane, as an integer without a sign.
    unsafe fn largest(bits: Self::Bits) -> u32;
    unsafe fn add_integers(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn subtract_integers(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    /// The sum of all lanes.
    unsafe fn total(bits: Self::Bits) -> i32;
    /// Stores the lowest byte of each lane.
    unsafe fn store_lowest(bits: Self::Bits, to: *mut u8);
    /// Runs code in a function of its own, which has the instructions for products of bytes.
    unsafe fn call_with_bytes<C: ByteCode>(code: C);
}

/// Code over registers of bytes.
///
/// # Safety
/// That of [`Bytes`], and what the code itself needs.
pub(super) trait ByteCode {
    unsafe fn run<V: Bytes>(self);
}

/// Runs code with the registers of an instruction set.
///
/// # Safety
/// What the code needs.
pub(super) unsafe fn with_bytes<C: ByteCode>(isa: Isa, code: C) {
    let isa = isa.with_products_of_bytes();
    // SAFETY: an `Isa` exists only where its instructions do; the caller keeps the contract of the code.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        {
            if isa.is_avx512() {
                return __m512::call_with_bytes(code);
            }
            if isa.is_avx2() {
                return __m256::call_with_bytes(code);
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = isa;
        <[f32; 4]>::call_with_bytes(code);
    }
}

/// [`BYTE_ROWS`](Bytes::BYTE_ROWS) of the registers of an instruction set.
pub(super) fn rows_of_tiles(isa: Isa) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        let isa = isa.with_products_of_bytes();
        if isa.is_avx512() {
            return __m512::BYTE_ROWS;
        }
        if isa.is_avx2() {
            return __m256::BYTE_ROWS;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = isa;
    <[f32; 4]>::BYTE_ROWS
}

#[cfg(target_arch = "x86_64")]
impl Bytes for __m512 {
    const BYTE_ROWS: usize = 6;
    const SUBTRACTS_128: bool = false;

    #[inline(always)]
    unsafe fn store_bits(bits: __m512i, to: *mut u32) {
        // SAFETY: the caller has these instructions and room for 16 words.
        unsafe { _mm512_storeu_si512(to.cast(), bits) }
    }

    #[inline(always)]
    unsafe fn look_up_bytes(values: &[u8; 16], index: __m512i) -> __m512i {
        // SAFETY: the caller has these instructions.
        unsafe { _mm512_shuffle_epi8(Self::repeat(values), index) }
    }

    #[inline(always)]
    unsafe fn repeat(bytes: &[u8; 16]) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(bytes.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn add_products<const SMALL: bool>(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_dpbusd_epi32(sum, unsigned, signed) }
    }

    #[inline(always)]
    unsafe fn of_integers(bits: __m512i) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(bits) }
    }

    #[inline(always)]
    unsafe fn times(self, by: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(self, by) }
    }

    #[inline(always)]
    unsafe fn to_bits(self) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_castps_si512(self) }
    }

    #[inline(always)]
    unsafe fn larger(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_max_epu32(a, b) }
    }

    #[inline(always)]
    unsafe fn largest(bits: __m512i) -> u32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_max_epu32(bits) }
    }

    #[inline(always)]
    unsafe fn add_integers(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn subtract_integers(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn total(bits: __m512i) -> i32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_add_epi32(bits) }
    }

    #[inline(always)]
    unsafe fn store_lowest(bits: __m512i, to: *mut u8) {
        // SAFETY: as above, and there is room for 16 bytes.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(bits)) }
    }

    #[inline(always)]
    unsafe fn call_with_bytes<C: ByteCode>(code: C) {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
        unsafe fn by_itself<C: ByteCode>(code: C) {
            // SAFETY: the caller guarantees it.
            unsafe { code.run::<__m512>() }
        }
        // SAFETY: the caller has these instructions, and keeps the contract of the code.
        unsafe { by_itself(code) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Bytes for __m256 {
    const BYTE_ROWS: usize = 2;
    const SUBTRACTS_128: bool = true;

    #[inline(always)]
    unsafe fn store_bits(bits: __m256i, to: *mut u32) {
        // SAFETY: the caller has these instructions and room for 8 words.
        unsafe { _mm256_storeu_si256(to.cast(), bits) }
    }

    #[inline(always)]
    unsafe fn look_up_bytes(values: &[u8; 16], index: __m256i) -> __m256i {
        // SAFETY: the caller has these instructions.
        unsafe { _mm256_shuffle_epi8(Self::repeat(values), index) }
    }

    #[inline(always)]
    unsafe fn repeat(bytes: &[u8; 16]) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn add_products<const SMALL: bool>(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: as above. Pairs of products are summed in 16 bits, which hold twice 128 · 127 and no more: so the bytes less 128 are
        // multiplied, whose signs go to the others.
        unsafe {
            let (unsigned, signed) = if SMALL {
                (unsigned, signed)
            } else {
                let less = _mm256_xor_si256(unsigned, _mm256_set1_epi8(-128));
                (_mm256_abs_epi8(less), _mm256_sign_epi8(signed, less))
            };
            let pairs = _mm256_maddubs_epi16(unsigned, signed);
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn of_integers(bits: __m256i) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_cvtepi32_ps(bits) }
    }

    #[inline(always)]
    unsafe fn times(self, by: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_mul_ps(self, by) }
    }

    #[inline(always)]
    unsafe fn to_bits(self) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_castps_si256(self) }
    }

    #[inline(always)]
    unsafe fn larger(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_max_epu32(a, b) }
    }

    #[inline(always)]
    unsafe fn largest(bits: __m256i) -> u32 {
        // SAFETY: as above.
        unsafe {
            let four = _mm_max_epu32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256::<1>(bits));
            let two = _mm_max_epu32(four, _mm_shuffle_epi32::<0b_01_00_11_10>(four));
            _mm_cvtsi128_si32(_mm_max_epu32(two, _mm_shuffle_epi32::<0b_10_11_00_01>(two))).cast_unsigned()
        }
    }

    #[inline(always)]
    unsafe fn add_integers(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn subtract_integers(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_sub_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn total(bits: __m256i) -> i32 {
        // SAFETY: as above.
        unsafe {
            let four = _mm_add_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256::<1>(bits));
            let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b_01_00_11_10>(four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b_10_11_00_01>(two)))
        }
    }

    #[inline(always)]
    unsafe fn store_lowest(bits: __m256i, to: *mut u8) {
        // SAFETY: as above, and there is room for 8 bytes.
        unsafe {
            let lowest = _mm256_and_si256(bits, _mm256_set1_epi32(0xff));
            let words = _mm_packus_epi32(_mm256_castsi256_si128(lowest), _mm256_extracti128_si256::<1>(lowest));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }

    #[inline(always)]
    unsafe fn call_with_bytes<C: ByteCode>(code: C) {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn by_itself<C: ByteCode>(code: C) {
            // SAFETY: the caller guarantees it.
            unsafe { code.run::<__m256>() }
        }
        // SAFETY: the caller has these instructions, and keeps the contract of the code.
        unsafe { by_itself(code) }
    }
}

impl Bytes for [f32; 4] {
    const BYTE_ROWS: usize = 2;
    const SUBTRACTS_128: bool = false;

    #[inline(always)]
    unsafe fn store_bits(bits: [u32; 4], to: *mut u32) {
        // SAFETY: the caller has room for 4 words.
        unsafe { to.cast::<[u32; 4]>().write_unaligned(bits) }
    }

    #[inline(always)]
    unsafe fn look_up_bytes(values: &[u8; 16], index: [u32; 4]) -> [u32; 4] {
        index.map(|index| u32::from_le_bytes(index.to_le_bytes().map(|index| values[usize::from(index % 16)])))
    }

    #[inline(always)]
    unsafe fn repeat(bytes: &[u8; 16]) -> [u32; 4] {
        std::array::from_fn(|lane| u32::from_le_bytes(std::array::from_fn(|byte| bytes[4 * lane + byte])))
    }

    #[inline(always)]
    unsafe fn add_products<const SMALL: bool>(sum: [u32; 4], unsigned: [u32; 4], signed: [u32; 4]) -> [u32; 4] {
        std::array::from_fn(|lane| {
            let products = unsigned[lane].to_le_bytes().into_iter().zip(signed[lane].to_le_bytes());
            let products = products.map(|(a, b)| i32::from(a) * i32::from(b.cast_signed()));
            products.sum::<i32>().cast_unsigned().wrapping_add(sum[lane])
        })
    }

    #[inline(always)]
    unsafe fn of_integers(bits: [u32; 4]) -> Self {
        bits.map(|bits| bits.cast_signed() as f32)
    }

    #[inline(always)]
    unsafe fn times(self, by: Self) -> Self {
        std::array::from_fn(|lane| self[lane] * by[lane])
    }

    #[inline(always)]
    unsafe fn to_bits(self) -> [u32; 4] {
        self.map(f32::to_bits)
    }

    #[inline(always)]
    unsafe fn larger(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        std::array::from_fn(|lane| a[lane].max(b[lane]))
    }

    #[inline(always)]
    unsafe fn largest(bits: [u32; 4]) -> u32 {
        bits.into_iter().fold(0, u32::max)
    }

    #[inline(always)]
    unsafe fn add_integers(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
    }

    #[inline(always)]
    unsafe fn subtract_integers(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        std::array::from_fn(|lane| a[lane].wrapping_sub(b[lane]))
    }

    #[inline(always)]
    unsafe fn total(bits: [u32; 4]) -> i32 {
        bits.into_iter().fold(0, u32::wrapping_add).cast_signed()
    }

    #[inline(always)]
    unsafe fn store_lowest(bits: [u32; 4], to: *mut u8) {
        // SAFETY: the caller has room for 4 bytes.
        unsafe { to.cast::<[u8; 4]>().write_unaligned(bits.map(|bits| bits.to_le_bytes()[0])) }
    }

    #[inline(always)]
    unsafe fn call_with_bytes<C: ByteCode>(code: C) {
        // SAFETY: the caller keeps the contract of the code.
        unsafe { code.run::<Self>() }
    }
}
