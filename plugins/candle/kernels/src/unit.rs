//! Matrix units: what multiplies pairs of `bf16`, several times as many in a step as of 32 bits.

use super::elements::Pair;
use super::pairs::STEPS;

/// What multiplies pairs of `bf16` on this machine. Values come from [`Unit::available`] and [`Unit::best`] alone, so that holding
/// one proves that its instructions can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit(pub(super) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Registers of AVX-512: `vdpbf16ps`, twice the products of 32 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Tiles of 16 rows of 64 bytes: `tdpbf16ps`, 16 times the products of 32 bits.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// What `Amx` computes, in plain Rust.
    #[cfg(test)]
    LikeAmx,
}

impl Unit {
    /// The fastest of this machine, if it has one.
    pub fn best() -> Option<Unit> {
        Self::available().first().copied()
    }

    /// Those that this machine has, the fastest first.
    pub fn available() -> Vec<Unit> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut, reason = "x86-64 alone has any"))]
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if amx::available() {
                found.push(Unit(Kind::Amx));
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16") {
                found.push(Unit(Kind::Avx512));
            }
        }
        found
    }

    /// Its name: `amx` or `avx512_bf16`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512_bf16",
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => "amx",
            #[cfg(test)]
            Kind::LikeAmx => "like amx",
        }
    }

    /// Whether six products of `bf16` take less time than one of 32 bits.
    pub fn gains_from_splitting(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => false,
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => true,
            #[cfg(test)]
            Kind::LikeAmx => true,
        }
    }
}

/// Rows and columns of one tile of sums.
pub(super) const TILE: usize = 16;

/// Two by two tiles: `[row][column]`, [`TILE`] rows and columns each.
pub(super) type Sums = [[[[f32; TILE]; TILE]; 2]; 2];

/// What goes into [`Sums`].
#[derive(Clone, Copy)]
pub(super) struct Factors {
    /// Two times [`TILE`] rows of inputs, and how many pairs the rows are apart.
    pub(super) x: [*const Pair; 2],
    pub(super) stride: usize,
    /// Two column blocks.
    pub(super) w: [*const Pair; 2],
    /// How many blocks of [`STEPS`] pairs are multiplied.
    pub(super) blocks: usize,
}

/// `sums += x · w`. In each block of [`STEPS`] pairs, the products of first halves are summed, and those of second ones; then both are
/// added to the sum.
///
/// # Safety
/// What `factors` points to is there, and the unit is one with tiles.
pub(super) unsafe fn multiply_add(unit: Unit, factors: Factors, sums: &mut Sums) {
    match unit.0 {
        // SAFETY: the caller guarantees it, and a unit exists only where its instructions do.
        #[cfg(target_arch = "x86_64")]
        Kind::Amx => unsafe { amx::multiply_add(factors, sums) },
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unreachable!("a unit without tiles"),
        // SAFETY: the caller guarantees it.
        #[cfg(test)]
        Kind::LikeAmx => unsafe { like_amx(factors, sums) },
    }
}

/// As the manual of the instruction has it.
#[cfg(test)]
unsafe fn like_amx(factors: Factors, sums: &mut Sums) {
    let halves = |pair: Pair| [pair.0 << 16, pair.0 & 0xffff_0000].map(f32::from_bits);
    for block in 0..factors.blocks {
        for (a, b, m, n) in
            (0..2 * TILE).flat_map(|row| (0..2 * TILE).map(move |n| (row / TILE, n / TILE, row % TILE, n % TILE)))
        {
            let mut parts = [0.0f32; 2];
            for k in block * STEPS..(block + 1) * STEPS {
                // SAFETY: the caller has these rows, columns and pairs.
                let (x, w) = unsafe {
                    (halves(*factors.x[a].add(m * factors.stride + k)), halves(*factors.w[b].add(k * TILE + n)))
                };
                parts = [x[0].mul_add(w[0], parts[0]), x[1].mul_add(w[1], parts[1])];
            }
            sums[a][b][m][n] += parts[0] + parts[1];
        }
    }
}

/// Intel's Advanced Matrix Extensions.
#[cfg(target_arch = "x86_64")]
mod amx {
    use super::{Factors, STEPS, Sums, TILE};
    use crate::tile::COLUMN_BLOCK;
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::sync::OnceLock;

    /// `arch_prctl`: asks Linux for leave to use a part of the processor's state.
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    /// The contents of tiles.
    const XFEATURE_XTILEDATA: libc::c_long = 18;

    /// Whether the processor has the instructions, the system saves the registers, and this process may use them.
    pub(super) fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| processor_has_it() && permitted())
    }

    fn processor_has_it() -> bool {
        const OSXSAVE: u32 = 1 << 27;
        const AMX_BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
        let (last, first) = (__cpuid(0).eax, __cpuid(1).ecx);
        last >= 7 && first & OSXSAVE != 0 && __cpuid_count(7, 0).edx & AMX_BF16_AND_TILE == AMX_BF16_AND_TILE
    }

    #[cfg(target_os = "linux")]
    fn permitted() -> bool {
        // SAFETY: a call that changes nothing but what this process may use.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
    }

    #[cfg(not(target_os = "linux"))]
    fn permitted() -> bool {
        false
    }

    /// Rows and bytes in a row of each tile, as `ldtilecfg` reads them.
    #[repr(C, align(64))]
    struct Configuration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    static FULL_TILES: Configuration = Configuration {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    /// # Safety
    /// [`available`], and what `factors` points to is there.
    pub(super) unsafe fn multiply_add(factors: Factors, sums: &mut Sums) {
        if factors.blocks == 0 {
            return;
        }
        const { assert!(TILE == COLUMN_BLOCK && STEPS * 4 == 64, "a tile is 16 rows of 64 bytes") };
        // SAFETY: the tiles are configured before they are used and released after it, in this one block; the caller
        // guarantees that all rows that are read are there.
        unsafe {
            asm!(
                "ldtilecfg [{configuration}]",
                "tileloadd tmm0, [{sums} + {line}]",
                "tileloadd tmm1, [{sums} + {line} + 1024]",
                "tileloadd tmm2, [{sums} + {line} + 2048]",
                "tileloadd tmm3, [{sums} + {line} + 3072]",
                "2:",
                "tileloadd tmm4, [{x0} + {stride}]",
                "tileloadd tmm6, [{w0} + {line}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{w1} + {line}]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{x1} + {stride}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {x0}, 64",
                "add {x1}, 64",
                "add {w0}, 1024",
                "add {w1}, 1024",
                "dec {blocks}",
                "jnz 2b",
                "tilestored [{sums} + {line}], tmm0",
                "tilestored [{sums} + {line} + 1024], tmm1",
                "tilestored [{sums} + {line} + 2048], tmm2",
                "tilestored [{sums} + {line} + 3072], tmm3",
                "tilerelease",
                configuration = in(reg) &raw const FULL_TILES,
                sums = in(reg) sums.as_mut_ptr(),
                x0 = inout(reg) factors.x[0] => _,
                x1 = inout(reg) factors.x[1] => _,
                w0 = inout(reg) factors.w[0] => _,
                w1 = inout(reg) factors.w[1] => _,
                stride = in(reg) factors.stride * 4,
                line = in(reg) 64usize,
                blocks = inout(reg) factors.blocks => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// What would fault where the processor or the system lacks it.
        #[test]
        fn a_machine_without_it_is_told_from_one_with_it() {
            let listed = std::fs::read_to_string("/proc/cpuinfo").unwrap();
            let flags = listed.lines().find(|line| line.starts_with("flags")).unwrap();
            let has = ["amx_bf16", "amx_tile"].iter().all(|flag| flags.split(' ').any(|found| found == *flag));
            assert_eq!(processor_has_it(), has);
            assert!(has || !available());
            if !available() {
                examiner_test_support::skipped("this machine lacks AMX, whose kernel is not run");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::COLUMN_BLOCK;
    use half::bf16;

    /// The instructions of tiles against their manual, bit for bit.
    #[test]
    fn tiles_compute_what_their_manual_says() {
        let pairs = |count: usize, step: usize| {
            let number = |i: usize| bf16::from_f32(((i * step) % 1009) as f32 / 300.0 - 1.7);
            (0..count).map(|i| Pair::new(number(2 * i), number(2 * i + 1))).collect::<Vec<_>>()
        };
        let blocks = 5;
        let (x, w) = (pairs(2 * TILE * STEPS * blocks, 31), pairs(2 * STEPS * blocks * COLUMN_BLOCK, 57));
        let stride = STEPS * blocks;
        let factors = Factors {
            x: [x.as_ptr(), x[TILE * stride..].as_ptr()],
            stride,
            w: [w.as_ptr(), w[stride * COLUMN_BLOCK..].as_ptr()],
            blocks,
        };
        let mut expected: Sums = [[[[0.25; TILE]; TILE]; 2]; 2];
        // SAFETY: the factors are as large as they say.
        unsafe { multiply_add(Unit(Kind::LikeAmx), factors, &mut expected) };
        let plain: f32 = (0..2 * stride).map(|k| half_of(&x, 0, stride, k) * half_of_column(&w, 3, k)).sum();
        assert!((expected[0][0][0][3] - 0.25 - plain).abs() < 1e-3 * plain.abs().max(1.0));
        for unit in Unit::available().into_iter().filter(|unit| unit.gains_from_splitting()) {
            let mut found: Sums = [[[[0.25; TILE]; TILE]; 2]; 2];
            // SAFETY: as above.
            unsafe { multiply_add(unit, factors, &mut found) };
            let bits = |sums: &Sums| {
                sums.as_flattened().as_flattened().as_flattened().iter().map(|sum| sum.to_bits()).collect::<Vec<_>>()
            };
            assert!(bits(&found) == bits(&expected), "{}", unit.name());
        }
    }

    fn half(pair: Pair, k: usize) -> f32 {
        f32::from_bits(if k.is_multiple_of(2) { pair.0 << 16 } else { pair.0 & 0xffff_0000 })
    }

    fn half_of(x: &[Pair], row: usize, stride: usize, k: usize) -> f32 {
        half(x[row * stride + k / 2], k)
    }

    fn half_of_column(w: &[Pair], column: usize, k: usize) -> f32 {
        half(w[k / 2 * COLUMN_BLOCK + column], k)
    }
}
