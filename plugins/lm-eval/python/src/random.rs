//! `random.Random` of CPython 3.11: the Mersenne Twister, and what is made of its numbers.

use num_bigint::{BigInt, BigUint};

const LENGTH: usize = 624;
const PERIOD: usize = 397;

/// A generator of random numbers, equal to `random.Random(seed)` of CPython.
#[derive(Clone)]
pub struct Random {
    state: [u32; LENGTH],
    index: usize,
}

impl std::fmt::Debug for Random {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Random")
    }
}

impl Random {
    /// `random.Random(seed)` for a whole number.
    pub fn new(seed: i64) -> Self {
        Random::from_big(&BigInt::from(seed))
    }

    /// `random.Random(seed)` for a whole number of any size; its sign does not matter.
    pub fn from_big(seed: &BigInt) -> Self {
        let mut key = seed.magnitude().to_u32_digits();
        if key.is_empty() {
            key.push(0);
        }
        Random::from_key(&key)
    }

    /// `random.Random(seed)` for a text.
    pub fn from_text(seed: &str) -> Self {
        use sha2::{Digest, Sha512};
        let hash = Sha512::digest(seed.as_bytes());
        let bytes = [seed.as_bytes(), &hash[..]].concat();
        Random::from_key(&BigUint::from_bytes_be(&bytes).to_u32_digits())
    }

    fn from_key(key: &[u32]) -> Self {
        let mut state = [0_u32; LENGTH];
        state[0] = 19_650_218;
        for i in 1..LENGTH {
            let previous = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..LENGTH.max(key.len()) {
            let previous = state[i - 1];
            state[i] = (state[i] ^ (previous ^ (previous >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            j += 1;
            if i >= LENGTH {
                state[0] = state[LENGTH - 1];
                i = 1;
            }
            if j >= key.len() {
                j = 0;
            }
        }
        for _ in 0..LENGTH - 1 {
            let previous = state[i - 1];
            state[i] = (state[i] ^ (previous ^ (previous >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i >= LENGTH {
                state[0] = state[LENGTH - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Random { state, index: LENGTH }
    }

    fn next_u32(&mut self) -> u32 {
        if self.index >= LENGTH {
            for i in 0..LENGTH {
                let mixed = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % LENGTH] & 0x7fff_ffff);
                let twist = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + PERIOD) % LENGTH] ^ (mixed >> 1) ^ twist;
            }
            self.index = 0;
        }
        let mut number = self.state[self.index];
        self.index += 1;
        number ^= number >> 11;
        number ^= (number << 7) & 0x9d2c_5680;
        number ^= (number << 15) & 0xefc6_0000;
        number ^ (number >> 18)
    }

    /// `random()`: a float from 0 up to but without 1.
    pub fn random(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) * (1.0 / 9_007_199_254_740_992.0)
    }

    /// `getrandbits(bits)` for up to 64 bits.
    pub fn bits(&mut self, bits: u32) -> u64 {
        match bits {
            0 => 0,
            1..=32 => u64::from(self.next_u32() >> (32 - bits)),
            _ => {
                let low = u64::from(self.next_u32());
                let high = u64::from(self.next_u32() >> (64 - bits.min(64)));
                low | high << 32
            }
        }
    }

    /// A whole number from 0 up to but without `limit`, which is what `choice`, `shuffle` and `sample` begin with.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 {
            return 0;
        }
        let bits = u64::BITS - limit.leading_zeros();
        loop {
            let number = self.bits(bits);
            if number < limit {
                return number;
            }
        }
    }

    fn index_below(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap_or_default()
    }

    /// The index that `choice` takes from a sequence; none from an empty one.
    pub fn choice(&mut self, length: usize) -> Option<usize> {
        (length > 0).then(|| self.index_below(length))
    }

    /// `shuffle(items)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.index_below(i + 1);
            items.swap(i, j);
        }
    }

    /// The indices that `sample(population, count)` takes from a population; none where it is too small.
    pub fn sample(&mut self, length: usize, count: usize) -> Option<Vec<usize>> {
        if count > length {
            return None;
        }
        // Where a set would be larger than the population as a list, Python takes from a list.
        let mut set_size = 21_usize;
        if count > 5 {
            let exponent = ((count as f64 * 3.0).ln() / 4.0_f64.ln()).ceil();
            set_size += 4_usize.saturating_pow(exponent as u32);
        }
        let mut taken = Vec::with_capacity(count);
        if length <= set_size {
            let mut pool: Vec<usize> = (0..length).collect();
            for i in 0..count {
                let j = self.index_below(length - i);
                taken.push(pool[j]);
                pool[j] = pool[length - i - 1];
            }
        } else {
            let mut selected = std::collections::HashSet::new();
            while taken.len() < count {
                let j = self.index_below(length);
                if selected.insert(j) {
                    taken.push(j);
                }
            }
        }
        Some(taken)
    }

    /// `randint(low, high)`, both of them included; none where there is no such number.
    pub fn randint(&mut self, low: i64, high: i64) -> Option<i64> {
        let width = u64::try_from(i128::from(high) - i128::from(low) + 1).ok().filter(|width| *width > 0)?;
        i64::try_from(i128::from(low) + i128::from(self.below(width))).ok()
    }
}
