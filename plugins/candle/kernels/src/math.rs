//! Elementary functions and sums with a fixed order of operations: the same bits on every machine, and in a form that
//! the compiler turns into vector instructions. The mathematical library of the system promises neither.

/// `e^x`, within 2 units in the last place for `x` in [-87, 88]. Below, 0; above, `e^88`; NaN stays NaN.
///
/// `x = n·ln 2 + r` with `r` in [-ln 2 / 2, ln 2 / 2]; then the polynomial for `e^r` of Cephes' `expf`, times `2^n`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// 1.5 · 2^23: added to a small number, leaves it rounded to an integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Comparisons rather than `max` and `min`, which would swallow a NaN.
    let bounded = if x > 88.0 { 88.0 } else { x };
    let bounded = if bounded < -87.0 { -87.0 } else { bounded };
    let rounded = bounded.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, bounded));
    let mut p = 1.987_569_1e-4_f32;
    p = p.mul_add(r, 1.398_2e-3);
    p = p.mul_add(r, 8.333_452e-3);
    p = p.mul_add(r, 4.166_579_6e-2);
    p = p.mul_add(r, 1.666_666_5e-1);
    p = p.mul_add(r, 0.5);
    p = p.mul_add(r * r, r) + 1.0;
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    let value = p * power;
    if x < -87.0 { 0.0 } else { value }
}

/// `tanh x`, within 3 units in the last place. NaN stays NaN.
///
/// Near zero the polynomial of Cephes' `tanhf`; elsewhere `1 - 2 / (e^2x + 1)`, which loses digits near zero alone.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let square = x * x;
    let mut p = -5.704_988_7e-3_f32;
    p = p.mul_add(square, 2.063_909e-2);
    p = p.mul_add(square, -5.373_971_6e-2);
    p = p.mul_add(square, 1.333_144_2e-1);
    p = p.mul_add(square, -3.333_328e-1);
    let near = (p * square).mul_add(x, x);
    let far = (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x);
    if size < 0.625 { near } else { far }
}

/// Lanes of [`sum_of`] and [`highest_of`]: a number of our own choosing, so that it is the same on every machine.
const LANES: usize = 16;

/// `Σ f(x)`: sixteen sums, one for each place modulo sixteen, then added pairwise.
#[inline(always)]
pub(crate) fn sum_of(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += f(chunk[lane]);
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        *sum += f(value);
    }
    pairwise(sums)
}

#[inline(always)]
fn pairwise(mut sums: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The highest value; NaN is passed over.
#[inline(always)]
pub(crate) fn highest_of(values: &[f32]) -> f32 {
    let mut highest = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            highest[lane] = higher(highest[lane], chunk[lane]);
        }
    }
    for (highest, value) in highest.iter_mut().zip(rest) {
        *highest = higher(*highest, *value);
    }
    highest_lane(highest)
}

#[inline(always)]
fn higher(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[inline(always)]
fn highest_lane(mut highest: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            highest[lane] = higher(highest[lane], highest[lane + width]);
        }
        width /= 2;
    }
    highest[0]
}

/// Replaces each value by what `f` gives for it, and finds the highest of those; NaN is passed over.
#[inline(always)]
pub(crate) fn map_to_highest(values: &mut [f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut highest = [f32::NEG_INFINITY; LANES];
    on_lanes(values, |chunk| {
        for lane in 0..LANES {
            chunk[lane] = f(chunk[lane]);
            highest[lane] = higher(highest[lane], chunk[lane]);
        }
    });
    highest_lane(highest)
}

/// Replaces each value by `e^(value - highest)`, and sums those as [`sum_of`] does.
#[inline(always)]
pub(crate) fn exp_to_sum(values: &mut [f32], highest: f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    // In lanes that have no value, nothing is added.
    on_lanes(values, |chunk| {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - highest);
            sums[lane] += chunk[lane];
        }
    });
    pairwise(sums)
}

/// All values by sixteen. Where there are no more, lanes are -∞, and what becomes of them is not kept.
#[inline(always)]
fn on_lanes(values: &mut [f32], mut f: impl FnMut(&mut [f32; LANES])) {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    for chunk in chunks {
        f(chunk);
    }
    if !rest.is_empty() {
        let mut last = [f32::NEG_INFINITY; LANES];
        last[..rest.len()].copy_from_slice(rest);
        f(&mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_real_one() {
        let mut worst = 0.0f64;
        for step in 0..200_000 {
            let x = -87.0 + step as f32 * (175.0 / 200_000.0);
            let expected = f64::from(x).exp();
            worst = worst.max(((f64::from(exp(x)) - expected) / expected).abs());
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::INFINITY) > 1e38);
    }

    #[test]
    fn tanh_is_close_to_the_real_one() {
        let mut worst = 0.0f64;
        for step in -100_000..=100_000 {
            let x = step as f32 * 1e-4;
            let expected = f64::from(x).tanh();
            worst = worst.max((f64::from(tanh(x)) - expected).abs() / expected.abs().max(1e-30));
        }
        assert!(worst < 3.0 * f64::from(f32::EPSILON), "{worst}");
        assert_eq!((tanh(0.0), tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)), (0.0, 1.0, -1.0));
        assert!(tanh(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_in_two_passes_is_softmax_in_four() {
        for length in 1..70u16 {
            let values: Vec<f32> = (0..length).map(|i| f32::from(i * 37 % 61) / 7.0 - 3.0).collect();
            let scaled: Vec<f32> = values.iter().map(|value| value * 0.3).collect();
            let mut found = values;
            let highest = map_to_highest(&mut found, |value| value * 0.3);
            assert_eq!((&found, highest), (&scaled, highest_of(&scaled)));
            assert_eq!(highest, scaled.iter().copied().fold(f32::MIN, f32::max));
            let powers: Vec<f32> = scaled.iter().map(|value| exp(value - highest)).collect();
            let sum = exp_to_sum(&mut found, highest);
            assert_eq!((found, sum.to_bits()), (powers.clone(), sum_of(&powers, |value| value).to_bits()));
        }
        assert!(exp_to_sum(&mut [1.0, f32::NAN], 1.0).is_nan(), "what is no number is not hidden");
        assert!(exp_to_sum(&mut [f32::INFINITY], f32::INFINITY).is_nan());
    }

    #[test]
    fn sums_any_length() {
        for length in 0..70u16 {
            let values: Vec<f32> = (0..length).map(f32::from).collect();
            assert_eq!(sum_of(&values, |x| 2.0 * x), f32::from(length) * (f32::from(length.max(1)) - 1.0));
        }
    }
}
