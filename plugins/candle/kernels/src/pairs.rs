//! Numbers of 32 bits as one or three of `bf16`, in pairs, as matrix units take them.

mod weights;

pub(super) use weights::Pairs;

use super::elements::Pair;
use super::isa::Isa;
use super::lanes::for_each_isa;
use super::scratch::Scratch;
use half::bf16;
use rayon::prelude::*;

/// Pairs that a matrix unit takes at a time. Columns and rows are filled up with zeros to a multiple.
pub(super) const STEPS: usize = 16;

/// Pairs in a column of so many weights.
pub(super) fn steps_of(inputs: usize) -> usize {
    inputs.div_ceil(2).next_multiple_of(STEPS)
}

/// How many numbers of `bf16` stand for one of `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terms {
    /// The nearest.
    One,
    /// The nearest, the nearest to what is left, and again: 24 bits, as many as `f32` has.
    Three,
}

impl Terms {
    pub(super) fn count(self) -> usize {
        match self {
            Terms::One => 1,
            Terms::Three => 3,
        }
    }

    /// The term of that index, the largest first. What is not finite has no others.
    #[inline(always)]
    pub(super) fn of(self, value: f32, term: usize) -> bf16 {
        match self {
            Terms::One => nearest(value),
            Terms::Three => {
                let mut rest = value;
                for _ in 0..term {
                    let largest = upper(rest).to_f32();
                    rest = if largest.is_finite() { rest - largest } else { 0.0 };
                }
                upper(rest)
            }
        }
    }
}

/// The nearest number, of two the even one; no number stays none.
#[inline(always)]
fn nearest(value: f32) -> bf16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    bf16::from_bits(if value.is_nan() { bits >> 16 | 0x40 } else { rounded } as u16)
}

/// The nearest number, but no infinite one for a finite one.
#[inline(always)]
fn upper(value: f32) -> bf16 {
    let nearest = nearest(value);
    if nearest.is_infinite() && value.is_finite() { bf16::from_bits((value.to_bits() >> 16) as u16) } else { nearest }
}

/// Rows of inputs as a matrix unit takes them: for each term `[rows][steps]`.
pub(super) struct PairRows {
    pairs: Scratch<Pair>,
    /// With those that fill up the last block of [`STEPS`].
    pub(super) rows: usize,
}

impl PairRows {
    /// Rounds rows, `[rows, inputs]`.
    pub(super) fn of(isa: Isa, terms: Terms, input: &[f32], inputs: usize) -> PairRows {
        let (steps, rows) = (steps_of(inputs), (input.len() / inputs.max(1)).next_multiple_of(STEPS));
        let mut pairs = Scratch::take(terms.count() * rows * steps);
        if steps > 0 {
            for (term, pairs) in pairs.as_mut_slice().chunks_exact_mut(rows * steps).enumerate() {
                pairs.par_chunks_mut(steps).enumerate().with_min_len(8).for_each(|(row, pairs)| {
                    let input = input.get(row * inputs..(row + 1) * inputs).unwrap_or_default();
                    round(isa, terms, term, input, pairs);
                });
            }
        }
        PairRows { pairs, rows }
    }

    /// For each term `[rows][steps]`.
    pub(super) fn pairs(&self) -> &[Pair] {
        self.pairs.as_slice()
    }
}

for_each_isa! {
    fn round(terms: Terms, term: usize, input: &[f32], into: &mut [Pair]) = round_body
}

#[inline(always)]
fn round_body(terms: Terms, term: usize, input: &[f32], into: &mut [Pair]) {
    let (whole, rest) = input.as_chunks::<2>();
    for (into, [first, second]) in into.iter_mut().zip(whole) {
        *into = Pair::new(terms.of(*first, term), terms.of(*second, term));
    }
    into[whole.len()..].fill(Pair::default());
    if let [last] = rest {
        into[whole.len()] = Pair::new(terms.of(*last, term), bf16::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_term_is_the_nearest(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            let (found, expected) = (Terms::One.of(value, 0), bf16::from_f32(value));
            prop_assert!(found == expected || found.is_nan() && value.is_nan());
        }

        #[test]
        fn three_terms_are_the_number_itself(value in -1e30f32..1e30, small in -100i32..100) {
            let value = value * 2f32.powi(small);
            // Below, the smallest term has no number of its own.
            prop_assume!(value == 0.0 || value.is_finite() && value.abs() > 2f32.powi(-100));
            let terms = [2, 1, 0].map(|term| Terms::Three.of(value, term).to_f32());
            prop_assert_eq!(terms.iter().sum::<f32>().to_bits(), (value + 0.0).to_bits());
        }
    }

    #[test]
    fn what_is_not_finite_shows_and_the_largest_stay_finite() {
        assert!(Terms::Three.of(f32::NAN, 0).is_nan());
        assert_eq!([0, 1, 2].map(|term| Terms::Three.of(f32::INFINITY, term).to_f32()), [f32::INFINITY, 0.0, 0.0]);
        let terms = [0, 1, 2].map(|term| f64::from(Terms::Three.of(f32::MAX, term).to_f32()));
        assert_eq!(terms.iter().sum::<f64>(), f64::from(f32::MAX));
    }

    #[test]
    fn rows_and_columns_are_filled_up_with_zeros() {
        let rows = PairRows::of(Isa::best(), Terms::One, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
        assert_eq!((rows.rows, rows.pairs().len()), (STEPS, STEPS * STEPS));
        let pair = |first: f32, second: f32| Pair::new(bf16::from_f32(first), bf16::from_f32(second));
        assert_eq!(rows.pairs()[..3], [pair(1.0, 2.0), pair(3.0, 0.0), pair(0.0, 0.0)]);
        assert_eq!(rows.pairs()[STEPS..STEPS + 2], [pair(4.0, 5.0), pair(6.0, 0.0)]);
        assert!(rows.pairs()[STEPS + 2..].iter().all(|pair| *pair == Pair::default()));
    }
}
