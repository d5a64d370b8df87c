//! Metrics of a whole corpus, by sufficient statistics of its samples.

use crate::error::Result;

/// A metric whose value is computed from the sum of what it counts in each sample.
pub trait CorpusMetric: Send + Sync {
    /// What is counted in a sample. All samples have the same number of counts.
    ///
    /// # Errors
    /// There is no reference.
    fn statistics(&self, prediction: &str, references: &[String]) -> Result<Vec<f64>>;

    /// The value from the sums of the counts.
    fn value(&self, sums: &[f64]) -> f64;

    /// Whether more is better.
    fn higher_is_better(&self) -> bool {
        true
    }

    /// The value of a corpus.
    fn corpus(&self, samples: &[Vec<f64>]) -> f64 {
        self.value(&sums(samples))
    }
}

/// The sums of the counts of all samples, in their order.
pub fn sums(samples: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![0.0; samples.first().map_or(0, Vec::len)];
    for sample in samples {
        sums.iter_mut().zip(sample).for_each(|(sum, count)| *sum += count);
    }
    sums
}
