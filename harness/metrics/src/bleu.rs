//! BLEU, as sacreBLEU 2 computes it.

use crate::corpus::CorpusMetric;
use crate::error::{Result, invalid, unsupported};
use crate::tokenize::{Tokenization, tokenized};
use crate::unicode::{lower, split, strip_end};
use std::collections::HashMap;

/// What is taken for the share of n-grams of which none matches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Smoothing {
    /// Nothing.
    None,
    /// So many matches.
    Floor(f64),
    /// So many more matches and n-grams, from pairs on.
    AddK(f64),
    /// A half, a quarter and so on of a match.
    Exponential,
}

impl Smoothing {
    /// The smoothing of this name, with its value or the default one: `none`, `floor`, `add-k`, `exp`.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn named(name: &str, value: Option<f64>) -> Result<Smoothing> {
        match name {
            "none" => Ok(Smoothing::None),
            "floor" => Ok(Smoothing::Floor(value.unwrap_or(0.1))),
            "add-k" => Ok(Smoothing::AddK(value.unwrap_or(1.0))),
            "exp" => Ok(Smoothing::Exponential),
            _ => unsupported(format!(
                "expected one of `exp`, `floor`, `add-k`, `none` as smoothing of BLEU, found `{name}`"
            )),
        }
    }
}

/// The options of BLEU; the default ones are those of sacreBLEU.
///
/// The statistics of a sample are the length of the prediction, the length of the reference that is closest to it, then for each order the
/// n-grams that match, and the n-grams of the prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bleu {
    /// How texts are split.
    pub tokenize: Tokenization,
    /// Case does not count.
    pub lowercase: bool,
    /// See [`Smoothing`].
    pub smoothing: Smoothing,
    /// Orders without n-grams are left out.
    pub effective_order: bool,
    /// The longest n-grams.
    pub max_order: usize,
}

impl Default for Bleu {
    fn default() -> Self {
        Bleu {
            tokenize: Tokenization::V13a,
            lowercase: false,
            smoothing: Smoothing::Exponential,
            effective_order: false,
            max_order: 4,
        }
    }
}

/// How often each n-gram of one order stands in a text.
type Counts<'t> = HashMap<&'t [&'t str], u64>;

fn count<'t>(tokens: &'t [&'t str], order: usize) -> Counts<'t> {
    let mut counts = Counts::new();
    tokens.windows(order).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

impl Bleu {
    fn prepared(&self, text: &str) -> String {
        let lowered = if self.lowercase { lower(text) } else { text.to_owned() };
        tokenized(strip_end(&lowered), self.tokenize)
    }
}

impl CorpusMetric for Bleu {
    fn statistics(&self, prediction: &str, references: &[String]) -> Result<Vec<f64>> {
        if references.is_empty() {
            return invalid("expected references for BLEU, found none");
        }
        let prediction = self.prepared(prediction);
        let prediction: Vec<&str> = split(&prediction).collect();
        let references: Vec<String> = references.iter().map(|text| self.prepared(text)).collect();
        let references: Vec<Vec<&str>> = references.iter().map(|text| split(text).collect()).collect();
        let closest = references.iter().map(Vec::len).min_by_key(|length| (length.abs_diff(prediction.len()), *length));
        let mut statistics = vec![prediction.len() as f64, closest.unwrap_or_default() as f64];
        let (mut correct, mut total) = (Vec::new(), Vec::new());
        for order in 1..=self.max_order {
            let mut known = Counts::new();
            for reference in &references {
                for (ngram, found) in count(reference, order) {
                    let most = known.entry(ngram).or_default();
                    *most = (*most).max(found);
                }
            }
            let counts = count(&prediction, order);
            total.push(counts.values().sum::<u64>() as f64);
            let matching = counts.iter().map(|(ngram, found)| *known.get(ngram).unwrap_or(&0).min(found));
            correct.push(matching.sum::<u64>() as f64);
        }
        statistics.extend(correct);
        statistics.extend(total);
        Ok(statistics)
    }

    fn value(&self, sums: &[f64]) -> f64 {
        let [predicted, reference, counts @ ..] = sums else { return f64::NAN };
        if counts.len() != 2 * self.max_order {
            return f64::NAN;
        }
        let (correct, total) = counts.split_at(self.max_order);
        let penalty = match () {
            () if predicted >= reference => 1.0,
            () if *predicted > 0.0 => (1.0 - reference / predicted).exp(),
            () => 0.0,
        };
        if correct.iter().all(|count| *count == 0.0) {
            return 0.0;
        }
        let mut precisions = vec![0.0; self.max_order];
        let mut orders = self.max_order;
        let mut halves = 1.0;
        for (index, (correct, total)) in correct.iter().zip(total).enumerate() {
            let more = match self.smoothing {
                Smoothing::AddK(k) if index > 0 => k,
                _ => 0.0,
            };
            let (correct, total) = (correct + more, total + more);
            if total == 0.0 {
                break;
            }
            if self.effective_order {
                orders = index + 1;
            }
            precisions[index] = match self.smoothing {
                _ if correct != 0.0 => 100.0 * correct / total,
                Smoothing::Exponential => {
                    halves *= 2.0;
                    100.0 / (halves * total)
                }
                Smoothing::Floor(floor) => 100.0 * floor / total,
                _ => 0.0,
            };
        }
        // The logarithm of nothing is so low that nothing is left of the product.
        let log = |precision: &f64| if *precision == 0.0 { -9_999_999_999.0 } else { precision.ln() };
        let sum = precisions[..orders].iter().map(log).fold(0.0, |sum, log| sum + log);
        penalty * (sum / orders as f64).exp()
    }
}
