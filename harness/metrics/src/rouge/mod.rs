//! ROUGE, as the package `rouge-score` computes it.

mod porter;

use crate::error::{Result, unsupported};
use crate::unicode::lower;
use porter::stem;
use std::collections::{BTreeSet, HashMap};

/// A kind of ROUGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rouge {
    /// N-grams of so many tokens: `rouge1`, `rouge2`.
    Ngrams(usize),
    /// The longest common subsequence of the texts: `rougeL`.
    Longest,
    /// The longest common subsequences of their lines: `rougeLsum`.
    LongestOfLines,
}

impl Rouge {
    /// The kind of this name: `rouge1` to `rouge9`, `rougeL`, `rougeLsum`.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn named(name: &str) -> Result<Rouge> {
        match name.strip_prefix("rouge") {
            Some("L") => Ok(Rouge::Longest),
            Some("Lsum") => Ok(Rouge::LongestOfLines),
            Some(order) if order.len() == 1 && ("1"..="9").contains(&order) => {
                Ok(Rouge::Ngrams(order.bytes().map(|digit| usize::from(digit - b'0')).sum()))
            }
            _ => unsupported(format!("expected `rouge1` to `rouge9`, `rougeL` or `rougeLsum`, found `{name}`")),
        }
    }

    /// The score of a prediction beside a reference. `stemming` cuts the ends of English words off.
    pub fn score(self, reference: &str, prediction: &str, stemming: bool) -> Score {
        match self {
            Rouge::LongestOfLines => {
                let lines = |text: &str| -> Vec<Vec<String>> {
                    text.split('\n').filter(|line| !line.is_empty()).map(|line| tokens(line, stemming)).collect()
                };
                of_lines(&lines(reference), &lines(prediction))
            }
            Rouge::Longest => {
                let (reference, prediction) = (tokens(reference, stemming), tokens(prediction, stemming));
                if reference.is_empty() || prediction.is_empty() {
                    return Score::default();
                }
                let longest = lengths(&reference, &prediction).pop().and_then(|row| row.last().copied());
                Score::of(longest.unwrap_or_default(), prediction.len(), reference.len())
            }
            Rouge::Ngrams(order) => {
                let (reference, prediction) = (tokens(reference, stemming), tokens(prediction, stemming));
                let (of_reference, of_prediction) = (count(&reference, order), count(&prediction, order));
                let matching =
                    of_reference.iter().map(|(ngram, found)| *of_prediction.get(ngram).unwrap_or(&0).min(found));
                let ngrams = |tokens: &Vec<String>| (tokens.len() + 1).saturating_sub(order).max(1);
                Score::of(matching.sum(), ngrams(&prediction), ngrams(&reference))
            }
        }
    }

    /// The score beside the reference with the best F-measure, the first of equals.
    pub fn best(self, references: &[String], prediction: &str, stemming: bool) -> Score {
        let scores = references.iter().map(|reference| self.score(reference, prediction, stemming));
        scores.reduce(|best, score| if score.f_measure > best.f_measure { score } else { best }).unwrap_or_default()
    }
}

/// Precision, recall and F-measure, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// The matches among the tokens of the prediction.
    pub precision: f64,
    /// The matches among the tokens of the reference.
    pub recall: f64,
    /// Their harmonic mean.
    pub f_measure: f64,
}

impl Score {
    fn of(matching: usize, predicted: usize, wanted: usize) -> Score {
        let precision = matching as f64 / predicted as f64;
        let recall = matching as f64 / wanted as f64;
        let sum = precision + recall;
        let f_measure = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Score { precision, recall, f_measure }
    }
}

/// The runs of letters and digits of ASCII, in lower case.
fn tokens(text: &str, stemming: bool) -> Vec<String> {
    let lowered = lower(text);
    let tokens = lowered.split(|c: char| !matches!(c, 'a'..='z' | '0'..='9')).filter(|token| !token.is_empty());
    tokens.map(|token| if stemming && token.len() > 3 { stem(token) } else { token.to_owned() }).collect()
}

fn count(tokens: &[String], order: usize) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    tokens.windows(order).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

/// The lengths of the longest common subsequences of all beginnings.
fn lengths(reference: &[String], prediction: &[String]) -> Vec<Vec<usize>> {
    let mut rows = vec![vec![0; prediction.len() + 1]];
    for (i, one) in reference.iter().enumerate() {
        let mut row = vec![0; prediction.len() + 1];
        for (j, other) in prediction.iter().enumerate() {
            row[j + 1] = if one == other { rows[i][j] + 1 } else { rows[i][j + 1].max(row[j]) };
        }
        rows.push(row);
    }
    rows
}

/// The places in a reference of one of the longest common subsequences.
fn longest(reference: &[String], prediction: &[String]) -> Vec<usize> {
    let lengths = lengths(reference, prediction);
    let (mut i, mut j) = (reference.len(), prediction.len());
    let mut places = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == prediction[j - 1] {
            places.push(i - 1);
            (i, j) = (i - 1, j - 1);
        } else if lengths[i][j - 1] > lengths[i - 1][j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    places
}

/// Each line of the reference has as matches what any line of the prediction has in common with it; a token matches as often as it stands in
/// both texts.
fn of_lines(reference: &[Vec<String>], prediction: &[Vec<String>]) -> Score {
    let size = |lines: &[Vec<String>]| lines.iter().map(Vec::len).sum::<usize>();
    let (wanted, predicted) = (size(reference), size(prediction));
    if wanted == 0 || predicted == 0 {
        return Score::default();
    }
    let left = |lines: &[Vec<String>]| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        lines.iter().flatten().for_each(|token| *counts.entry(token.clone()).or_default() += 1);
        counts
    };
    let (mut of_reference, mut of_prediction) = (left(reference), left(prediction));
    let mut matching = 0;
    for line in reference {
        let common: BTreeSet<usize> = prediction.iter().flat_map(|other| longest(line, other)).collect();
        for place in common {
            let token = &line[place];
            if let (Some(one @ 1..), Some(other @ 1..)) = (of_prediction.get_mut(token), of_reference.get_mut(token)) {
                *one -= 1;
                *other -= 1;
                matching += 1;
            }
        }
    }
    Score::of(matching, predicted, wanted)
}
