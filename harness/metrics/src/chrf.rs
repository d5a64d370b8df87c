//! chrF and chrF++, as sacreBLEU 2 computes them.

use crate::corpus::CorpusMetric;
use crate::error::{Result, invalid};
use crate::unicode::{is_space, lower, split};
use std::collections::HashMap;
use std::hash::Hash;

/// The options of chrF; the default ones are those of sacreBLEU.
///
/// The statistics of a sample are for each order the n-grams of the prediction, those of the reference with which the sample's score is best,
/// and those that match.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chrf {
    /// The longest n-grams of characters.
    pub char_order: usize,
    /// The longest n-grams of words: 2 for chrF++.
    pub word_order: usize,
    /// How much more recall counts than precision.
    pub beta: f64,
    /// Case does not count.
    pub lowercase: bool,
    /// White space counts.
    pub whitespace: bool,
}

impl Default for Chrf {
    fn default() -> Self {
        Chrf { char_order: 6, word_order: 0, beta: 2.0, lowercase: false, whitespace: false }
    }
}

impl Chrf {
    /// chrF++: with words and pairs of words.
    pub fn plus_plus() -> Self {
        Chrf { word_order: 2, ..Chrf::default() }
    }
}

/// A text as characters, and as words if they count.
struct Text {
    chars: Vec<char>,
    words: Vec<String>,
}

/// The counts of n-grams of each order.
struct Ngrams<'t> {
    chars: Vec<HashMap<&'t [char], u64>>,
    words: Vec<HashMap<&'t [String], u64>>,
}

impl Chrf {
    fn prepared(&self, text: &str) -> Text {
        let text = if self.lowercase { lower(text) } else { text.to_owned() };
        let kept = |c: &char| self.whitespace || !is_space(u32::from(*c));
        let words = if self.word_order > 0 { words(&text) } else { Vec::new() };
        Text { chars: text.chars().filter(kept).collect(), words }
    }

    fn ngrams<'t>(&self, text: &'t Text) -> Ngrams<'t> {
        Ngrams {
            chars: (1..=self.char_order).map(|order| count(&text.chars, order)).collect(),
            words: (1..=self.word_order).map(|order| count(&text.words, order)).collect(),
        }
    }

    /// The score of counts, from 0 to 100.
    fn f_score(&self, counts: &[f64]) -> f64 {
        let factor = self.beta * self.beta;
        let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
        for counts in counts.as_chunks::<3>().0 {
            let [predicted, reference, matching] = *counts;
            if predicted > 0.0 && reference > 0.0 {
                precision += matching / predicted;
                recall += matching / reference;
                orders += 1.0;
            }
        }
        if orders == 0.0 {
            return 0.0;
        }
        precision /= orders;
        recall /= orders;
        if precision + recall == 0.0 {
            return 0.0;
        }
        100.0 * ((1.0 + factor) * precision * recall / ((factor * precision) + recall))
    }
}

fn count<T: Eq + Hash>(items: &[T], order: usize) -> HashMap<&[T], u64> {
    let mut counts = HashMap::new();
    items.windows(order).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

/// Words, with one sign of punctuation split off at the end, or else at the start.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in split(text) {
        let ends = (word.chars().next(), word.chars().next_back());
        match ends {
            _ if word.chars().nth(1).is_none() => words.push(word.to_owned()),
            (_, Some(last)) if last.is_ascii_punctuation() => {
                words.extend([word[..word.len() - 1].to_owned(), last.to_string()]);
            }
            (Some(first), _) if first.is_ascii_punctuation() => words.extend([first.to_string(), word[1..].to_owned()]),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn matches<T: Eq + Hash + ?Sized>(predicted: &HashMap<&T, u64>, reference: &HashMap<&T, u64>) -> [f64; 3] {
    let matching: u64 = predicted.iter().map(|(ngram, found)| *reference.get(*ngram).unwrap_or(&0).min(found)).sum();
    let sum = |counts: &HashMap<&T, u64>| counts.values().sum::<u64>() as f64;
    // Without n-grams in the reference, those of the prediction do not count.
    let predicted = if reference.is_empty() { 0.0 } else { sum(predicted) };
    [predicted, sum(reference), matching as f64]
}

impl CorpusMetric for Chrf {
    fn statistics(&self, prediction: &str, references: &[String]) -> Result<Vec<f64>> {
        let prediction = self.prepared(prediction);
        let prediction = self.ngrams(&prediction);
        let mut best: Option<(f64, Vec<f64>)> = None;
        for reference in references {
            let reference = self.prepared(reference);
            let reference = self.ngrams(&reference);
            let chars = prediction.chars.iter().zip(&reference.chars).map(|(one, other)| matches(one, other));
            let words = prediction.words.iter().zip(&reference.words).map(|(one, other)| matches(one, other));
            let counts: Vec<f64> = chars.chain(words).flatten().collect();
            let score = self.f_score(&counts);
            if best.as_ref().is_none_or(|(known, _)| score > *known) {
                best = Some((score, counts));
            }
        }
        match best {
            Some((_, counts)) => Ok(counts),
            None => invalid("expected references for chrF, found none"),
        }
    }

    fn value(&self, sums: &[f64]) -> f64 {
        self.f_score(sums)
    }
}
