//! Random numbers without a state: each is a function of what it is for, so that it does not matter who asks first.

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

/// FNV-1a, 64 bits. It only has to tell sample ids apart; Philox does the mixing.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The random numbers of one purpose: an answer, the initial values of a parameter, the order of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    seed: u64,
    sample: u64,
    repeat: u32,
}

impl Stream {
    /// The stream of a repetition of a sample, or of whatever else `purpose` names.
    pub fn new(seed: u64, purpose: &str, repeat: u32) -> Self {
        Stream { seed, sample: hash(purpose), repeat }
    }

    /// The number of a step, from 0 up to but not including 1.
    pub fn uniform(&self, step: u32) -> f64 {
        let counter = [step, self.repeat, self.sample as u32, (self.sample >> 32) as u32];
        let words = philox(counter, [self.seed as u32, (self.seed >> 32) as u32]);
        let bits = (u64::from(words[0]) << 32 | u64::from(words[1])) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
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
    }
}
