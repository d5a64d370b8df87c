//! The normalizing constant of a row of logits, in one pass for its maximum and one for its sum.

use examiner_api::{ErrorCode, PluginError};

/// What is needed of a row to know the log-probability of any of its tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowSummary {
    max: f32,
    /// ln of the sum of exp(logit - max).
    log_sum: f64,
    /// The index of the greatest logit, the first of equals.
    pub(crate) argmax: u32,
}

impl RowSummary {
    /// What the row, which was summarized, says of a token.
    pub(crate) fn score(&self, row: &[f32], token: u32) -> TokenScore {
        TokenScore { logprob: self.log_probability(row[token as usize]), is_greedy: self.argmax == token }
    }

    /// Log-probability, in nats, of a token with this logit.
    pub(crate) fn log_probability(&self, logit: f32) -> f32 {
        (f64::from(logit - self.max) - self.log_sum) as f32
    }
}

/// What a model says of a token, given those before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TokenScore {
    /// In nats.
    pub(crate) logprob: f32,
    /// Whether it is the token that greedy decoding would take.
    pub(crate) is_greedy: bool,
}

/// A logit that is not a finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NonFinite {
    pub(crate) token: usize,
    pub(crate) logit: f32,
}

/// The error of a request for which the model computed no number.
pub(crate) fn not_finite(position: usize, found: NonFinite) -> PluginError {
    let NonFinite { token, logit } = found;
    PluginError::new(
        ErrorCode::Numeric,
        format!("expected finite logits, found {logit} for token {token} after position {position} of the sequence"),
    )
    .with_help("the weights may be damaged, or too large for the number type the model computes in")
}

const LANES: usize = 8;

/// Summarizes a row: exp in f32 of logits less their maximum, summed in f64, always in the same order.
pub(crate) fn summarize(row: &[f32]) -> Result<RowSummary, NonFinite> {
    let argmax = argmax(row)?;
    let max = row[argmax];
    let mut sums = [0_f64; LANES];
    let chunks = row.chunks_exact(LANES);
    let mut sum: f64 = chunks.remainder().iter().map(|&logit| f64::from(exp(logit - max))).sum();
    for chunk in chunks {
        for (sum, &logit) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(exp(logit - max));
        }
    }
    sum += sums.iter().sum::<f64>();
    Ok(RowSummary { max, log_sum: sum.ln(), argmax: argmax as u32 })
}

/// The index of the greatest logit, the first of equals.
pub(crate) fn argmax(row: &[f32]) -> Result<usize, NonFinite> {
    let mut greatest = [f32::NEG_INFINITY; LANES];
    // Stays 0 unless a logit is not finite: infinity times 0 is not a number.
    let mut zero = [0_f32; LANES];
    let chunks = row.chunks_exact(LANES);
    for (lane, &logit) in chunks.remainder().iter().enumerate() {
        zero[lane] += logit * 0.0;
        greatest[lane] = logit;
    }
    for chunk in chunks {
        for ((&logit, greatest), zero) in chunk.iter().zip(&mut greatest).zip(&mut zero) {
            *zero += logit * 0.0;
            *greatest = if logit > *greatest { logit } else { *greatest };
        }
    }
    if zero.iter().any(|zero| zero.is_nan()) || row.is_empty() {
        let token = row.iter().position(|logit| !logit.is_finite()).unwrap_or(0);
        return Err(NonFinite { token, logit: row.get(token).copied().unwrap_or(f32::NAN) });
    }
    let greatest = greatest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    Ok(row.iter().position(|&logit| logit == greatest).unwrap_or(0))
}

/// exp of a number that is at most 0, within 2e-7 of itself.
///
/// It is written out because the compiler can then work on many logits at once, and because the mathematics libraries of
/// two machines may round differently. 2^n * e^r with |r| <= ln(2)/2; the polynomial's coefficients are those of Cephes
/// (`expf`, S. Moshier), ln(2) comes in two parts so that r keeps its low bits.
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to the nearest whole number, which then is in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x > -87.0 { x } else { -87.0 };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4_f32;
    for coefficient in [1.398_2e-3_f32, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.0e-1] {
        p = p * r + coefficient;
    }
    let e = p * r * r + r + 1.0;
    e * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_single_precision() {
        for step in 0..=870_000 {
            let x = -(step as f32) * 1e-4;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2e-7, "exp({x}) is off by {error}");
        }
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn log_probabilities_are_those_of_the_formula() {
        // log p_i = x_i - max - ln(sum_j exp(x_j - max)), in f64.
        let row: Vec<f32> = (0..1003).map(|i| ((i * 7919) % 1000) as f32 / 40.0 - 12.0).collect();
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&x| f64::from(x - max).exp()).sum();
        let summary = summarize(&row).unwrap();
        for &logit in &row {
            let expected = f64::from(logit) - f64::from(max) - sum.ln();
            assert!((f64::from(summary.log_probability(logit)) - expected).abs() < 2e-6);
        }
    }

    #[test]
    fn the_first_of_equals_is_the_greatest() {
        let mut row = vec![0.0; 50];
        row[37] = 2.0;
        row[20] = 2.0;
        assert_eq!(summarize(&row).unwrap().argmax, 20);
    }

    #[test]
    fn what_is_not_finite_is_named() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut row = vec![0.0; 50];
            row[41] = bad;
            let found = summarize(&row).unwrap_err();
            assert_eq!((found.token, found.logit.to_bits()), (41, bad.to_bits()));
        }
    }
}
