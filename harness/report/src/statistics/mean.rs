//! Means with their standard errors and intervals.
//!
//! Values are summed in passes, one after the other, so that they need not be in memory: first a [`Sum`], then their squared deviations
//! from its average, or the sums of deviations of each cluster.

use super::Z_95;
use std::collections::BTreeMap;

/// An estimate and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error; none if the data is not sufficient (a single sample).
    pub stderr: Option<f64>,
    /// Lower and upper end of the 95 % interval; none if the data is not sufficient.
    pub interval: Option<(f64, f64)>,
}

/// The mean of independent values; none of an empty slice.
///
/// The standard error is `s / sqrt(n)` with the sample standard deviation (divisor `n - 1`). Where all values are 0 or
/// 1 the interval is [`wilson`]'s, else `mean ± 1.96 standard errors`.
pub fn mean(values: &[f64]) -> Option<Estimate> {
    let sum = Sum::of(values);
    let average = sum.average()?;
    let squares = values.iter().map(|value| squared_deviation(*value, average)).sum();
    sum.estimate(squares)
}

/// The mean of values that come in groups (several questions on one passage, several answers to one question); none of
/// an empty slice. `clusters` holds one label for each value.
///
/// The standard error is `sqrt(G / (G - 1) * sum over clusters of (sum of deviations)^2) / n` with `G` clusters (Liang
/// and Zeger 1986, with the usual small-sample factor; Miller, "Adding error bars to evals", 2024, section 2.2). It
/// is that of [`mean`] if every cluster holds one value. For values of 0 and 1 the interval is Wilson's with the
/// effective sample size `p (1 - p) / stderr^2`, which is at most the number of values, and the number of clusters
/// where all values are equal.
pub fn clustered_mean(values: &[f64], clusters: &[u64]) -> Option<Estimate> {
    let sum = Sum::of(values);
    let average = sum.average()?;
    if all_different(clusters) {
        // Summed in the order of the values, so that labels cannot change the rounding.
        return mean(values);
    }
    let mut sums: BTreeMap<u64, f64> = BTreeMap::new();
    for (value, cluster) in values.iter().zip(clusters) {
        *sums.entry(*cluster).or_default() += value - average;
    }
    let mut between = Between::default();
    sums.into_values().for_each(|deviations| between.add(deviations));
    sum.clustered_estimate(between)
}

/// The first pass over values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) n: u64,
    pub(crate) sum: f64,
    /// Whether all are 0 or 1.
    is_binary: bool,
}

impl Default for Sum {
    /// As [`Iterator::sum`] begins: -0 is what changes no number that is added to it.
    fn default() -> Self {
        Sum { n: 0, sum: -0.0, is_binary: true }
    }
}

impl Sum {
    fn of(values: &[f64]) -> Self {
        let mut sum = Sum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
        self.is_binary &= value == 0.0 || value == 1.0;
    }

    pub(crate) fn average(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// The mean of independent values, of which `squares` is the sum of all [`squared_deviation`]s.
    pub(crate) fn estimate(&self, squares: f64) -> Option<Estimate> {
        let value = self.average()?;
        let n = self.n as f64;
        let stderr = (self.n > 1).then(|| (squares / (n - 1.0) / n).sqrt());
        Some(Estimate { value, stderr, interval: self.interval(value, stderr, n) })
    }

    /// The mean of values in clusters.
    pub(crate) fn clustered_estimate(&self, between: Between) -> Option<Estimate> {
        let value = self.average()?;
        let (n, groups) = (self.n as f64, between.clusters as f64);
        let stderr = (between.clusters > 1).then(|| (groups / (groups - 1.0) * between.squares).sqrt() / n);
        let spread = value * (1.0 - value);
        let effective = match stderr {
            Some(stderr) if spread > 0.0 => (spread / (stderr * stderr)).min(n),
            _ => groups,
        };
        Some(Estimate { value, stderr, interval: self.interval(value, stderr, effective) })
    }

    fn interval(&self, average: f64, stderr: Option<f64>, effective: f64) -> Option<(f64, f64)> {
        if self.is_binary {
            return Some(wilson(average, effective));
        }
        stderr.map(|stderr| (average - Z_95 * stderr, average + Z_95 * stderr))
    }
}

/// How far clusters are from what their values would be on average.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between {
    clusters: u64,
    squares: f64,
}

impl Default for Between {
    /// As [`Iterator::sum`] begins.
    fn default() -> Self {
        Between { clusters: 0, squares: -0.0 }
    }
}

impl Between {
    /// Adds a cluster, by the sum of its values' deviations from the average of all. The order of clusters is that of their labels.
    pub(crate) fn add(&mut self, deviations: f64) {
        self.clusters += 1;
        self.squares += deviations * deviations;
    }
}

pub(crate) fn squared_deviation(value: f64, average: f64) -> f64 {
    (value - average) * (value - average)
}

/// The 95 % score interval of a proportion: `p` of `n` trials, where `n` need not be whole (Wilson, "Probable
/// inference", 1927).
pub fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z2 = Z_95 * Z_95;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // At the ends the formula gives exactly 0 and 1, but for rounding.
    let low = if p == 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if p == 1.0 { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

fn all_different(labels: &[u64]) -> bool {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn mean_of_plain_numbers_has_the_sample_standard_error() {
        // Mean 3, squared deviations 4 + 1 + 0 + 1 + 4 = 10, sample variance 2.5, standard error sqrt(2.5 / 5).
        let estimate = mean(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!(close(estimate.value, 3.0));
        assert!(close(estimate.stderr.unwrap(), 0.5_f64.sqrt()));
        let (low, high) = estimate.interval.unwrap();
        assert!(close(low, 3.0 - Z_95 * 0.5_f64.sqrt()) && close(high, 3.0 + Z_95 * 0.5_f64.sqrt()));
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[2.5]).unwrap().stderr, None);
        assert_eq!(mean(&[2.5]).unwrap().interval, None);
    }

    #[test]
    fn wilson_gives_published_intervals() {
        // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        for (successes, n, low, high) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ] {
            let (found_low, found_high) = wilson(successes / n, n);
            assert!((found_low - low).abs() < 5e-5, "{successes}/{n}: {found_low}");
            assert!((found_high - high).abs() < 5e-5, "{successes}/{n}: {found_high}");
        }
        assert_eq!(wilson(1.0, 20.0).1, 1.0);
    }

    #[test]
    fn clusters_of_one_change_nothing() {
        let values = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
        assert_eq!(clustered_mean(&values, &[9, 2, 4, 7, 1, 3]), mean(&values));
    }

    #[test]
    fn equal_values_within_clusters_are_worth_one_value_each() {
        // Each of five values twice: the standard error is that of the five, and not of ten.
        let single = [1.0, 2.0, 3.0, 4.0, 5.0];
        let twice: Vec<f64> = single.iter().flat_map(|&value| [value, value]).collect();
        let clusters: Vec<u64> = (0..5).flat_map(|label| [label, label]).collect();
        let estimate = clustered_mean(&twice, &clusters).unwrap();
        assert!(close(estimate.stderr.unwrap(), mean(&single).unwrap().stderr.unwrap()));
    }

    #[test]
    fn clustered_proportion_by_hand() {
        // p = 1/2, deviations by cluster: (.5 + .5), (.5 - .5), (-.5 - .5): squares 1 + 0 + 1 = 2;
        // standard error sqrt(3/2 * 2) / 6.
        let estimate = clustered_mean(&[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], &[1, 1, 2, 2, 3, 3]).unwrap();
        let stderr = 3.0_f64.sqrt() / 6.0;
        assert!(close(estimate.stderr.unwrap(), stderr));
        // Effective size .25 / (3 / 36) = 3.
        assert_eq!(estimate.interval, Some(wilson(0.5, 0.25 / (stderr * stderr))));
        // All right: as sure as three values can be.
        assert_eq!(clustered_mean(&[1.0; 6], &[1, 1, 2, 2, 3, 3]).unwrap().interval, Some(wilson(1.0, 3.0)));
        // A single cluster tells no standard error.
        assert_eq!(clustered_mean(&[1.0, 0.0], &[1, 1]).unwrap().stderr, None);
    }
}
