//! The smallest difference that a dataset can show.

use super::{Z_95, Z_POWER_80};

/// The smallest difference between two models' accuracies that a paired test on `n` samples finds with power 0.8 at
/// the two-sided level 0.05. None for no samples; at most `discordant`, since no difference can be larger.
///
/// `discordant` is the share of samples that exactly one of the two models answers correctly. 0.5 is the worst case of
/// two models that answer independently with accuracy 0.5; related models (a base model and its fine-tuned version)
/// usually show 0.1 to 0.3. The formula is Connor's ("Sample size for testing differences in proportions for the
/// paired-sample design", 1987), `z_a sqrt(d) + z_b sqrt(d - x^2) = x sqrt(n)`, solved for the difference `x`.
pub fn smallest_paired_difference(n: u64, discordant: f64) -> Option<f64> {
    if n == 0 {
        return None;
    }
    let n = n as f64;
    let (a2, b2) = (Z_95 * Z_95, Z_POWER_80 * Z_POWER_80);
    let root = (n - a2 + b2).max(0.0).sqrt();
    let difference = discordant.sqrt() * (n.sqrt() * Z_95 + Z_POWER_80 * root) / (n + b2);
    Some(difference.min(discordant))
}

/// The smallest difference between two models' accuracies, each on `n` samples of its own, that is found with power 0.8
/// at the two-sided level 0.05, in the worst case of accuracies around 0.5. None for no samples; at most 1.
///
/// `(z_a + z_b) sqrt(2 p (1 - p) / n)` with `p = 0.5` (Fleiss, "Statistical methods for rates and proportions", 1981,
/// chapter 3, without continuity correction).
pub fn smallest_unpaired_difference(n: u64) -> Option<f64> {
    (n > 0).then(|| ((Z_95 + Z_POWER_80) * (0.5 / n as f64).sqrt()).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paired_difference_solves_connors_equation() {
        for (n, discordant) in [(1319, 0.5), (1319, 0.2), (250, 0.3), (100, 0.5)] {
            let x = smallest_paired_difference(n, discordant).unwrap();
            let left = Z_95 * discordant.sqrt() + Z_POWER_80 * (discordant - x * x).sqrt();
            assert!((left - x * (n as f64).sqrt()).abs() < 1e-9, "{n} {discordant}: {x}");
        }
    }

    #[test]
    fn known_sizes() {
        // 2.80159 * sqrt(0.5 / 1319) = 0.05455.
        assert!((smallest_unpaired_difference(1319).unwrap() - 0.054_547).abs() < 1e-5);
        assert!(smallest_paired_difference(1319, 0.5).unwrap() < smallest_unpaired_difference(1319).unwrap());
        assert_eq!(smallest_unpaired_difference(0), None);
        assert_eq!(smallest_paired_difference(0, 0.5), None);
        assert_eq!(smallest_paired_difference(2, 0.1), Some(0.1));
    }
}
