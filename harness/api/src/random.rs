//! Random numbers without a hidden state: each is a function of what it is for, so that threads, batches and the order of
//! requests cannot change it, and the same seed gives the same numbers in every version.
//!
//! There are two generators, and which one a number comes from is part of every recorded result:
//!
//! - [`Stream`] (Philox) gives the number of a *step*: the tokens of an answer, initial weights, orders of rows. Any step can
//!   be asked for at any time.
//! - [`Random`] (SplitMix64) gives one number after another: bootstrap samples, permutation tests, few-shot examples.
//!
//! Names become keys by the FNV-1a hash: those of samples and purposes for [`Stream`], and by [`key_of`] for [`Random`].

/// The random numbers of one purpose: an answer, the initial values of a parameter, the order of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    seed: u64,
    purpose: u64,
    repeat: u32,
}

impl Stream {
    /// The stream of a repetition of a sample, or of whatever else `purpose` names.
    pub fn new(seed: u64, purpose: &str, repeat: u32) -> Self {
        Stream { seed, purpose: fnv1a(purpose), repeat }
    }

    /// The number of a step, from 0 up to but not including 1.
    pub fn uniform(&self, step: u32) -> f64 {
        let counter = [step, self.repeat, self.purpose as u32, (self.purpose >> 32) as u32];
        let words = philox(counter, [self.seed as u32, (self.seed >> 32) as u32]);
        let bits = (u64::from(words[0]) << 32 | u64::from(words[1])) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    /// A number of the standard normal distribution (Box and Muller, 1958), made of the uniform numbers `2 · step` and
    /// `2 · step + 1`; steps from 2^31 on repeat the ones before.
    pub fn normal(&self, step: u32) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform(step.wrapping_mul(2))).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(step.wrapping_mul(2).wrapping_add(1))).cos()
    }

    /// The numbers below `count` in random order (Fisher and Yates), made of the uniform numbers of the steps below it.
    pub fn permutation(&self, count: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count as u32).collect();
        for last in (1..count).rev() {
            let other = (self.uniform(last as u32) * (last + 1) as f64) as usize;
            order.swap(last, other.min(last));
        }
        order
    }
}

/// Random numbers one after another, as a function of seed, stream and how many came before.
///
/// The function is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): the
/// finalizer of a counter that steps by the golden ratio.
#[derive(Debug, Clone)]
pub struct Random {
    key: u64,
    counter: u64,
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

/// A number for a name, for use as a seed or a stream of [`Random`]: the FNV-1a hash with a finalizer.
pub fn key_of(name: &str) -> u64 {
    finalize(fnv1a(name))
}

/// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): four random words
/// for each counter and key.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's.
fn finalize(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// FNV-1a, 64 bits. It only has to tell names apart: Philox, or the finalizer, does the mixing.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_numbers() {
        // The known answers that come with the authors' Random123.
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn splitmix64_gives_the_published_numbers() {
        // The reference implementation, started at 1234567, gives these numbers.
        let mut random = Random { key: 1_234_567, counter: 0 };
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    /// What runs of earlier versions recorded depends on these.
    #[test]
    fn derived_numbers_stay_as_they_are() {
        let stream = Stream::new(7, "order", 1);
        assert_eq!(stream.uniform(3).to_bits(), 0x3faa_6331_4e91_c980);
        assert_eq!(stream.normal(3).to_bits(), 0xbfb4_cb22_fa4a_bc62);
        assert_eq!(stream.permutation(8), [1, 6, 7, 0, 3, 4, 5, 2]);
        assert_eq!((key_of("d/sample-1"), Random::new(7, 3).bits()), (0x349d_8e92_7c2d_878a, 0x6bfc_273d_bace_04e7));
    }

    #[test]
    fn streams_differ_in_each_part_of_their_key() {
        let number = |seed, id, repeat, step| Stream::new(seed, id, repeat).uniform(step);
        let base = number(1, "a", 0, 0);
        assert!((0.0..1.0).contains(&base));
        assert_eq!(base, number(1, "a", 0, 0));
        for other in [number(2, "a", 0, 0), number(1 << 40, "a", 0, 0), number(1, "b", 0, 0), number(1, "a", 1, 0)] {
            assert_ne!(base, other);
        }
        assert_ne!(base, number(1, "a", 0, 1));
        let mean = (0..10_000).map(|step| number(7, "mean", 0, step)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
        let mut all = Stream::new(7, "all", 0).permutation(100);
        assert_ne!(all, (0..100).collect::<Vec<_>>());
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_in_sequence_are_uniform_and_differ_between_streams() {
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
