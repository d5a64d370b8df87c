//! Tests between two models on the same samples.

use super::{Z_95, mean};
use examiner_api::random::Random;
use std::collections::{BTreeMap, BTreeSet};

/// How a [`PairedTest`] was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// McNemar's exact test, for values of 0 and 1.
    McNemarExact,
    /// Every assignment of signs was tried.
    PermutationExact,
    /// This many random assignments of signs were tried.
    Permutation(u32),
}

/// The result of a paired test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedTest {
    /// Mean of the differences, second model minus first.
    pub difference: f64,
    /// 95 % interval of the difference; none if the data is not sufficient.
    pub interval: Option<(f64, f64)>,
    /// Two-sided p-value of "there is no difference".
    pub p_value: f64,
    /// How it was computed.
    pub method: Method,
}

/// Random assignments of signs that a permutation test tries where there are too many to try all.
const PERMUTATIONS: u32 = 10_000;
/// Up to so many non-zero differences, all assignments are tried.
const EXACT_UP_TO: usize = 14;

/// Compares two models' values on the same samples; none for no samples. `clusters` holds one label for each sample
/// where samples come in groups.
///
/// Values of 0 and 1 without clusters get [`mcnemar_exact`], with the interval of Bonett and Price ("Adjusted Wald
/// confidence interval for a difference of binomial proportions based on paired data", 2012); everything else gets
/// [`paired_permutation`].
pub fn compare_paired(first: &[f64], second: &[f64], clusters: Option<&[u64]>, seed: u64) -> Option<PairedTest> {
    let clusters = clusters.filter(|labels| labels.iter().collect::<BTreeSet<_>>().len() < labels.len());
    let binary = |values: &[f64]| values.iter().all(|&value| value == 0.0 || value == 1.0);
    if first.is_empty() || clusters.is_some() || !binary(first) || !binary(second) {
        return paired_permutation(first, second, clusters, seed);
    }
    let n = first.len() as f64;
    let gained = first.iter().zip(second).filter(|(first, second)| first < second).count() as u64;
    let lost = first.iter().zip(second).filter(|(first, second)| first > second).count() as u64;
    let (g, l) = ((gained as f64 + 1.0) / (n + 2.0), (lost as f64 + 1.0) / (n + 2.0));
    let half = Z_95 * ((g + l - (g - l) * (g - l)) / (n + 2.0)).sqrt();
    Some(PairedTest {
        difference: (gained as f64 - lost as f64) / n,
        interval: Some(((g - l - half).max(-1.0), (g - l + half).min(1.0))),
        p_value: mcnemar_exact(gained, lost),
        method: Method::McNemarExact,
    })
}

/// The two-sided p-value of McNemar's exact test: `gained` samples only the second model has right, `lost` only the
/// first. Twice the lower tail of a binomial with probability 1/2 (McNemar 1947; Fagerland, Lydersen and Laake 2013).
pub fn mcnemar_exact(gained: u64, lost: u64) -> f64 {
    let n = gained + lost;
    // Terms are summed as logarithms, since 2^-n is 0 from n = 1075 on.
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=gained.min(lost) {
        tail += term.exp();
        term += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

/// The sign-flipping test of "differences are symmetric around 0" (Fisher 1935; Good, "Permutation tests", 1994), and
/// the mean difference with the interval of [`mean`], or of the clustered mean. None for no samples.
///
/// With up to 14 non-zero differences all assignments of signs are tried; else 10,000 random ones, and the p-value
/// is `(1 + as extreme) / (1 + tried)`, which is never 0 (Phipson and Smyth 2010). The signs of a cluster flip together.
pub fn paired_permutation(first: &[f64], second: &[f64], clusters: Option<&[u64]>, seed: u64) -> Option<PairedTest> {
    let differences: Vec<f64> = first.iter().zip(second).map(|(first, second)| second - first).collect();
    let estimate = match clusters {
        Some(clusters) => super::clustered_mean(&differences, clusters),
        None => mean(&differences),
    }?;
    let interval = estimate.stderr.map(|e| (estimate.value - Z_95 * e, estimate.value + Z_95 * e));
    let units: Vec<f64> = match clusters {
        Some(clusters) => sums_in_order(&differences, clusters),
        None => differences,
    };
    let units: Vec<f64> = units.into_iter().filter(|unit| *unit != 0.0).collect();
    let observed = units.iter().sum::<f64>().abs();
    // Sums of the same numbers in another order differ in their last digits; they must count as equal.
    let threshold = observed - 1e-9 * units.iter().map(|unit| unit.abs()).sum::<f64>();
    let (p_value, method) = if units.len() <= EXACT_UP_TO {
        let all = 1_u64 << units.len();
        let extreme =
            (0..all).filter(|signs| flipped(&units, |index| signs >> index & 1 == 1).abs() >= threshold).count();
        (extreme as f64 / all as f64, Method::PermutationExact)
    } else {
        let extreme = (0..PERMUTATIONS).filter(|&round| random_sum(&units, seed, round).abs() >= threshold).count();
        ((extreme as f64 + 1.0) / (f64::from(PERMUTATIONS) + 1.0), Method::Permutation(PERMUTATIONS))
    };
    Some(PairedTest { difference: estimate.value, interval, p_value, method })
}

/// Compares two models by the unweighted mean over `strata` (the tasks of a benchmark, for example) of their mean values; none
/// for no samples. `strata` and `clusters` hold a label for each sample; clusters lie within strata.
///
/// The p-value is that of [`paired_permutation`] on differences that weigh as much as they do in the mean. The interval
/// is `difference ± 1.96 * sqrt(sum of squared standard errors of the strata) / strata`: the tasks of a benchmark are
/// given, and no sample of all tasks that could be.
pub fn paired_macro(
    first: &[f64],
    second: &[f64],
    strata: &[u64],
    clusters: Option<&[u64]>,
    seed: u64,
) -> Option<PairedTest> {
    let mut indices: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, stratum) in strata.iter().enumerate() {
        indices.entry(*stratum).or_default().push(index);
    }
    let count = indices.len() as f64;
    let (mut difference, mut variance) = (0.0, Some(0.0));
    let mut weights = vec![0.0; first.len()];
    for indices in indices.values() {
        let differences: Vec<f64> = indices.iter().map(|&index| second[index] - first[index]).collect();
        let estimate = match clusters {
            Some(labels) => {
                let labels: Vec<u64> = indices.iter().map(|&index| labels[index]).collect();
                super::clustered_mean(&differences, &labels)
            }
            None => mean(&differences),
        }?;
        difference += estimate.value / count;
        variance = variance.zip(estimate.stderr).map(|(sum, stderr)| sum + stderr * stderr / (count * count));
        let weight = first.len() as f64 / (count * indices.len() as f64);
        indices.iter().for_each(|&index| weights[index] = weight);
    }
    let weighted =
        |values: &[f64]| values.iter().zip(&weights).map(|(value, weight)| value * weight).collect::<Vec<_>>();
    let test = paired_permutation(&weighted(first), &weighted(second), clusters, seed)?;
    let interval = variance.map(|variance| (difference - Z_95 * variance.sqrt(), difference + Z_95 * variance.sqrt()));
    Some(PairedTest { difference, interval, ..test })
}

/// P-values adjusted for their number, in the order given: the step-down method that controls the chance of any false
/// finding (Holm, "A simple sequentially rejective multiple test procedure", 1979).
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut highest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        highest = highest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[index] = highest;
    }
    adjusted
}

fn flipped(units: &[f64], flip: impl Fn(usize) -> bool) -> f64 {
    units.iter().enumerate().map(|(index, unit)| if flip(index) { -unit } else { *unit }).sum()
}

fn random_sum(units: &[f64], seed: u64, round: u32) -> f64 {
    let mut random = Random::new(seed, u64::from(round));
    let mut sum = 0.0;
    for chunk in units.chunks(64) {
        let bits = random.bits();
        sum += flipped(chunk, |index| bits >> index & 1 == 1);
    }
    sum
}

fn sums_in_order(differences: &[f64], clusters: &[u64]) -> Vec<f64> {
    let mut indices: BTreeMap<u64, usize> = BTreeMap::new();
    let mut sums = Vec::new();
    for (difference, cluster) in differences.iter().zip(clusters) {
        let index = *indices.entry(*cluster).or_insert_with(|| {
            sums.push(0.0);
            sums.len() - 1
        });
        sums[index] += difference;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn mcnemar_by_hand() {
        // 2 * (C(10,0) + C(10,1) + C(10,2)) / 1024 = 112 / 1024.
        assert!(close(mcnemar_exact(8, 2), 112.0 / 1024.0));
        assert!(close(mcnemar_exact(2, 8), 112.0 / 1024.0));
        assert_eq!(mcnemar_exact(0, 0), 1.0);
        assert_eq!(mcnemar_exact(5, 5), 1.0);
        // Large counts, where 2^-n underflows: computed with exact fractions.
        assert!(
            (mcnemar_exact(800, 700) / 0.010_559_255_466_711_544 - 1.0).abs() < 1e-9,
            "{}",
            mcnemar_exact(800, 700)
        );
    }

    /// `scipy.stats.binomtest(gained, gained + lost, 0.5).pvalue` of scipy 1.17.1.
    #[test]
    fn mcnemar_by_scipy() {
        for ((gained, lost), p) in [
            ((15, 5), 0.041_389_465_332_031_25),
            ((1, 0), 1.0),
            ((0, 7), 0.015_625),
            ((31, 17), 0.059_463_375_253_770_34),
            ((120, 90), 0.045_114_087_864_840_696),
            ((3, 40), 3.021_341_399_289_667_6e-9),
        ] {
            let found = mcnemar_exact(gained, lost);
            assert!((found / p - 1.0).abs() < 1e-9, "{gained}, {lost}: {found}");
        }
    }

    #[test]
    fn binary_values_without_clusters_get_mcnemar() {
        let mut first = vec![0.0; 20];
        let mut second = vec![0.0; 20];
        second[..8].fill(1.0);
        first[18..].fill(1.0);
        let test = compare_paired(&first, &second, None, 0).unwrap();
        assert_eq!(test.method, Method::McNemarExact);
        assert!(close(test.difference, 0.3) && close(test.p_value, 112.0 / 1024.0));
        // (9 - 3) / 22 -+ 1.96 * sqrt((12/22 - (6/22)^2) / 22).
        let half = Z_95 * ((12.0_f64 / 22.0 - 36.0 / 484.0) / 22.0).sqrt();
        let (low, high) = test.interval.unwrap();
        assert!(close(low, 6.0 / 22.0 - half) && close(high, 6.0 / 22.0 + half));
        assert_eq!(compare_paired(&[], &[], None, 0), None);
    }

    #[test]
    fn small_permutation_tests_are_exact() {
        // Differences 1, 2, 3: of the eight sums only +6 and -6 are as extreme as 6.
        let test = paired_permutation(&[0.0; 4], &[1.0, 2.0, 3.0, 0.0], None, 0).unwrap();
        assert_eq!(test.method, Method::PermutationExact);
        assert!(close(test.p_value, 0.25) && close(test.difference, 1.5));
        assert_eq!(paired_permutation(&[1.0; 3], &[1.0; 3], None, 0).unwrap().p_value, 1.0);
    }

    #[test]
    fn large_permutation_tests_come_close_to_the_exact_one() {
        // 15 gains and 5 losses: McNemar's exact p-value is the limit.
        let second: Vec<f64> = (0..20).map(|i| if i < 15 { 1.0 } else { -1.0 }).collect();
        let test = paired_permutation(&[0.0; 20], &second, None, 5).unwrap();
        assert_eq!(test.method, Method::Permutation(10_000));
        assert!((test.p_value - mcnemar_exact(15, 5)).abs() < 0.005, "{test:?}");
        assert_eq!(paired_permutation(&[0.0; 20], &second, None, 5), Some(test));
    }

    #[test]
    fn clusters_flip_together() {
        // Twelve gains in two clusters are two independent gains: half of the four assignments are as extreme.
        let clusters: Vec<u64> = (0..12).map(|i| i / 6).collect();
        let test = compare_paired(&[0.0; 12], &[1.0; 12], Some(&clusters), 0).unwrap();
        assert!(close(test.p_value, 0.5), "{test:?}");
        // Clusters of one are no clusters.
        let alone: Vec<u64> = (0..12).collect();
        assert_eq!(compare_paired(&[0.0; 12], &[1.0; 12], Some(&alone), 0).unwrap().method, Method::McNemarExact);
    }

    #[test]
    fn every_stratum_weighs_the_same() {
        // Differences 1, 1, 0, 0 and -1: means 1/2 and -1 of the two strata, and their mean.
        let strata = [1, 1, 1, 1, 2, 2];
        let second = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let first = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        let test = paired_macro(&first, &second, &strata, None, 0).unwrap();
        assert!(close(test.difference, -0.25), "{test:?}");
        // Weighted differences 3/4, 3/4, -3/2, -3/2 have the sum -3/2. Of the 16 assignments of signs all are at least as
        // far from 0 but the four in which each pair cancels itself.
        assert!(close(test.p_value, 12.0 / 16.0), "{test:?}");
        // Only the first stratum varies: its standard error is sqrt(1/3 / 4), half of which counts.
        let half = Z_95 * (1.0_f64 / 12.0).sqrt() / 2.0;
        let (low, high) = test.interval.unwrap();
        assert!(close(low, -0.25 - half) && close(high, -0.25 + half), "{test:?}");
        assert_eq!(paired_macro(&[0.0], &[1.0], &[1], None, 0).unwrap().interval, None);
        assert_eq!(paired_macro(&[], &[], &[], None, 0), None);
    }

    #[test]
    fn strata_of_one_size_are_no_strata() {
        let first: Vec<f64> = (0..40).map(|i| f64::from(i % 3 == 0)).collect();
        let second: Vec<f64> = (0..40).map(|i| f64::from(i % 2 == 0)).collect();
        let strata: Vec<u64> = (0..40).map(|i| i / 10).collect();
        let plain = paired_permutation(&first, &second, None, 3).unwrap();
        let test = paired_macro(&first, &second, &strata, None, 3).unwrap();
        assert!(close(test.difference, plain.difference) && close(test.p_value, plain.p_value), "{test:?} {plain:?}");
    }

    #[test]
    fn holm_by_hand() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!(close(*found, expected), "{adjusted:?}");
        }
        assert_eq!(holm(&[0.6, 0.9]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
