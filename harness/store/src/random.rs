//! Counter-based random numbers.

/// Random numbers that are a function of (seed, stream, counter), so that any of them can be had without the others
/// and threads cannot change them.
///
/// The function is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): the
/// finalizer of a counter that steps by the golden ratio.
#[derive(Debug, Clone)]
pub struct Random {
    key: u64,
    counter: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn finalize(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Random {
    /// The generator of this seed and stream, at its first number.
    pub fn new(seed: u64, stream: u64) -> Self {
        // Two rounds keep neighbouring seeds and streams apart.
        let key = finalize(finalize(seed.wrapping_add(GOLDEN)).wrapping_add(stream.wrapping_mul(GOLDEN)));
        Random { key, counter: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        finalize(self.key.wrapping_add(self.counter.wrapping_mul(GOLDEN)))
    }

    /// A whole number below `bound`, which must not be 0. Its bias is below `bound / 2^64` (Lemire's multiplication).
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }
}

/// A number for a name, for use as a seed or a stream. FNV-1a with a finalizer; stable across versions.
pub fn key_of(name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    finalize(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_numbers_of_splitmix64() {
        // The reference implementation, started at 1234567, gives these numbers.
        let mut random = Random { key: 1_234_567, counter: 0 };
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn is_uniform_and_differs_between_streams() {
        let mut random = Random::new(7, 0);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[random.below(10)] += 1;
        }
        // Five standard deviations of a binomial count are 474.
        assert!(counts.iter().all(|&count| (9_526..=10_474).contains(&count)), "{counts:?}");
        assert_ne!(Random::new(7, 0).bits(), Random::new(7, 1).bits());
        assert_ne!(Random::new(7, 1).bits(), Random::new(8, 0).bits());
    }
}
