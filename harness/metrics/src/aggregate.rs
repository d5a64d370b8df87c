//! From the values of samples to one, and its standard error.
//!
//! Sums are taken in the order of the reference: Python's `sum` goes from left to right, NumPy's by [`pairwise_sum`]. Where the
//! result is compared with one of the reference, the order of samples must be the same, too, or the last digits differ.

use crate::unicode;

/// The sum as NumPy takes it: eight running sums of up to 128 values, halves of what is longer.
pub fn pairwise_sum(values: &[f64]) -> f64 {
    let count = values.len();
    if count < 8 {
        // NumPy begins with minus zero, so that a sum of minus zeros keeps its sign.
        return values.iter().fold(-0.0, |sum, value| sum + value);
    }
    if count > 128 {
        let half = count / 2;
        let (left, right) = values.split_at(half - half % 8);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let (chunks, rest) = values.as_chunks::<8>();
    let mut r = chunks[0];
    for chunk in &chunks[1..] {
        r.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    let sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    rest.iter().fold(sum, |sum, value| sum + value)
}

/// The sum from left to right.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

/// The mean; not a number where there are no values.
pub fn mean(values: &[f64]) -> f64 {
    sum(values.iter().copied()) / values.len() as f64
}

/// The mean of the values that are numbers; not a number where none is.
pub fn nan_mean(values: &[f64]) -> f64 {
    let count = values.iter().filter(|value| !value.is_nan()).count();
    let zeroed: Vec<f64> = values.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect();
    if count == 0 { f64::NAN } else { pairwise_sum(&zeroed) / count as f64 }
}

/// The value in the middle, the upper one of two; none where there are no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(values.len() / 2).copied()
}

/// The perplexity of log-likelihoods, each of a sample.
pub fn perplexity(loglikelihoods: &[f64]) -> f64 {
    (-mean(loglikelihoods)).exp()
}

/// Number of words of a text, as lm-evaluation-harness counts them for [`weighted_perplexity`]: one more than there are stretches of
/// white space, those at the ends of the text too.
pub fn word_count(text: &str) -> usize {
    let stretches = text.chars().scan(false, |was_space, c| {
        let is_space = unicode::is_space(u32::from(c));
        let begins = is_space && !*was_space;
        *was_space = is_space;
        Some(usize::from(begins))
    });
    1 + stretches.sum::<usize>()
}

/// The perplexity by a unit of text, words or bytes: of pairs of a log-likelihood and a number of units.
pub fn weighted_perplexity(pairs: &[(f64, f64)]) -> f64 {
    (-weighted_mean(pairs)).exp()
}

/// Bits by byte: of pairs of a log-likelihood in nats and a number of bytes.
pub fn bits_per_byte(pairs: &[(f64, f64)]) -> f64 {
    -weighted_mean(pairs) / std::f64::consts::LN_2
}

/// The sum of the first members by the sum of the second.
pub fn weighted_mean(pairs: &[(f64, f64)]) -> f64 {
    sum(pairs.iter().map(|pair| pair.0)) / sum(pairs.iter().map(|pair| pair.1))
}

fn squared_distances(values: &[f64]) -> f64 {
    let mean = mean(values);
    sum(values.iter().map(|value| (value - mean) * (value - mean)))
}

/// The standard deviation of all values there are.
pub fn population_deviation(values: &[f64]) -> f64 {
    (squared_distances(values) / values.len() as f64).sqrt()
}

/// The standard deviation of a sample; not a number for fewer than two values.
pub fn sample_deviation(values: &[f64]) -> f64 {
    match values.len() {
        0 | 1 => f64::NAN,
        count => (squared_distances(values) / (count - 1) as f64).sqrt(),
    }
}

/// The standard error of the mean; not a number for fewer than two values.
pub fn mean_error(values: &[f64]) -> f64 {
    sample_deviation(values) / (values.len() as f64).sqrt()
}

/// The value of a group of tasks: the mean of their values, weighted by their numbers of samples or not.
pub fn group_mean(values: &[f64], sizes: &[usize], weight_by_size: bool) -> f64 {
    let weight = |index: usize| if weight_by_size { sizes[index] as f64 } else { 1.0 };
    sum(values.iter().enumerate().map(|(index, value)| value * weight(index))) / sum((0..values.len()).map(weight))
}

/// The standard error of a group's value that is weighted by size, from the pooled variance of its tasks.
pub fn pooled_error(errors: &[f64], sizes: &[usize]) -> f64 {
    let all: usize = sizes.iter().sum();
    let squares = errors.iter().zip(sizes).map(|(error, size)| {
        let size = *size as f64;
        (size - 1.0) * (error * error) * size
    });
    let variance = sum(squares) / (all as f64 - sizes.len() as f64);
    (variance / all as f64).sqrt()
}

/// The standard error of a group's value that is not weighted.
pub fn unweighted_mean_error(errors: &[f64]) -> f64 {
    sum(errors.iter().map(|error| error * error)).sqrt() / errors.len() as f64
}

#[cfg(test)]
mod tests {
    use super::word_count;

    #[test]
    fn words_are_counted_between_runs_of_white_space() {
        for (text, count) in [("", 1), ("a", 1), ("a b", 2), (" a  b\n", 4), ("\u{a0}", 2), ("a\u{1c}b", 2)] {
            assert_eq!(word_count(text), count, "{text:?}");
        }
    }
}
