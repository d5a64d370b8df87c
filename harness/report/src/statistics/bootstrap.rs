//! The bootstrap, for metrics that are not means.

use examiner_api::random::Random;
use std::collections::BTreeMap;

/// The uncertainty of a number by the bootstrap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Standard deviation of the resampled numbers.
    pub stderr: f64,
    /// 95 % percentile interval.
    pub interval: (f64, f64),
}

/// Resamples `n` independent samples `resamples` times. `statistic` gets the indices of the `n` samples drawn.
/// None for fewer than two samples or resamples.
///
/// Efron and Tibshirani, "An introduction to the bootstrap", 1993: standard error by their algorithm 6.1, interval by
/// percentiles (chapter 13).
///
/// # Errors
/// Returns the first error of `statistic`.
pub fn bootstrap<E>(
    n: usize,
    resamples: usize,
    seed: u64,
    statistic: impl FnMut(&[usize]) -> Result<f64, E>,
) -> Result<Option<Bootstrap>, E> {
    let units: Vec<Vec<usize>> = (0..n).map(|index| vec![index]).collect();
    resample(&units, resamples, seed, statistic)
}

/// As [`bootstrap`], but draws whole clusters, one label for each sample. The number of samples drawn varies if
/// clusters differ in size.
///
/// # Errors
/// Returns the first error of `statistic`.
pub fn clustered_bootstrap<E>(
    clusters: &[u64],
    resamples: usize,
    seed: u64,
    statistic: impl FnMut(&[usize]) -> Result<f64, E>,
) -> Result<Option<Bootstrap>, E> {
    // Clusters are in the order of their first sample, so that the result does not depend on labels.
    let mut indices: BTreeMap<u64, usize> = BTreeMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (index, &cluster) in clusters.iter().enumerate() {
        let unit = *indices.entry(cluster).or_insert_with(|| {
            units.push(Vec::new());
            units.len() - 1
        });
        units[unit].push(index);
    }
    resample(&units, resamples, seed, statistic)
}

fn resample<E>(
    units: &[Vec<usize>],
    resamples: usize,
    seed: u64,
    mut statistic: impl FnMut(&[usize]) -> Result<f64, E>,
) -> Result<Option<Bootstrap>, E> {
    if units.len() < 2 || resamples < 2 {
        return Ok(None);
    }
    let mut drawn = Vec::new();
    let mut values = Vec::with_capacity(resamples);
    for round in 0..resamples {
        let mut random = Random::new(seed, round as u64);
        drawn.clear();
        for _ in 0..units.len() {
            drawn.extend_from_slice(&units[random.below(units.len())]);
        }
        values.push(statistic(&drawn)?);
    }
    let Some(spread) = super::mean(&values) else { return Ok(None) };
    let stderr = spread.stderr.unwrap_or(0.0) * (values.len() as f64).sqrt();
    values.sort_by(f64::total_cmp);
    Ok(Some(Bootstrap { stderr, interval: (percentile(&values, 0.025), percentile(&values, 0.975)) }))
}

/// The value below which the share `p` of sorted values lies, with linear interpolation between neighbours (definition 7 of
/// Hyndman and Fan, "Sample quantiles in statistical packages", 1996). NaN of an empty slice.
pub fn percentile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = p.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn mean_of(values: &[f64]) -> impl Fn(&[usize]) -> Result<f64, Infallible> {
        move |indices| Ok(indices.iter().map(|&index| values[index]).sum::<f64>() / indices.len() as f64)
    }

    #[test]
    fn percentiles_interpolate() {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.5);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.025), 1.075);
        assert_eq!(percentile(&[5.0], 0.975), 5.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn agrees_with_the_formula_for_a_mean() {
        // The bootstrap's standard error of a mean tends to sqrt(population variance / n): 0.5 / sqrt(200) here.
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 2)).collect();
        let found = bootstrap(200, 4000, 1, mean_of(&values)).unwrap().unwrap();
        let expected = 0.5 / 200_f64.sqrt();
        assert!((found.stderr / expected - 1.0).abs() < 0.05, "{found:?} {expected}");
        assert!((found.interval.0 - (0.5 - 1.96 * expected)).abs() < 0.01, "{found:?}");
        assert!((found.interval.1 - (0.5 + 1.96 * expected)).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn depends_on_the_seed_alone() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let run = |seed| bootstrap(50, 200, seed, mean_of(&values)).unwrap().unwrap();
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn clusters_are_drawn_whole() {
        // Ten clusters of twenty equal values carry the information of ten values.
        let values: Vec<f64> = (0..200).map(|i| f64::from((i / 20) % 2)).collect();
        let clusters: Vec<u64> = (0..200).map(|i| 1000 - i / 20).collect();
        let found = clustered_bootstrap(&clusters, 4000, 1, mean_of(&values)).unwrap().unwrap();
        assert!((found.stderr / (0.5 / 10_f64.sqrt()) - 1.0).abs() < 0.05, "{found:?}");
    }

    #[test]
    fn a_failing_statistic_ends_it() {
        assert_eq!(bootstrap(5, 10, 0, |_| Err::<f64, _>("no")), Err("no"));
        assert_eq!(bootstrap::<Infallible>(1, 10, 0, |_| Ok(0.0)), Ok(None));
    }
}
