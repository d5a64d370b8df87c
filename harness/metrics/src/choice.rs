//! Multiple choice by log-likelihoods: the rules of lm-evaluation-harness.

use crate::aggregate::pairwise_sum;
use crate::error::{Result, invalid};

/// What a choice's log-likelihood is divided by before the best one is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Nothing: `acc`.
    One,
    /// Its characters: `acc_norm`.
    Characters,
    /// Its bytes in UTF-8: `acc_bytes`.
    Bytes,
}

/// The place of the largest value, the first of equals; a value that is not a number is larger than any, as in NumPy.
pub fn argmax(values: &[f64]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, value) in values.iter().enumerate() {
        match best {
            Some(known) if values[known].is_nan() || *value <= values[known] => {}
            _ => best = Some(index),
        }
    }
    best
}

/// The choice that is taken.
///
/// # Errors
/// There are no choices, or not as many as log-likelihoods.
pub fn chosen(loglikelihoods: &[f64], choices: &[String], by: Length) -> Result<usize> {
    if loglikelihoods.len() != choices.len() {
        return invalid(format!("expected {} log-likelihoods, found {}", choices.len(), loglikelihoods.len()));
    }
    let length = |choice: &String| match by {
        Length::One => 1.0,
        Length::Characters => choice.chars().count() as f64,
        Length::Bytes => choice.len() as f64,
    };
    let values: Vec<f64> = loglikelihoods.iter().zip(choices).map(|(sum, choice)| sum / length(choice)).collect();
    argmax(&values).ok_or(()).or_else(|()| invalid("expected choices, found none"))
}

/// The choice that gains most from its context: `acc_mutual_info`.
///
/// # Errors
/// There are no choices, or not as many log-likelihoods without context as with it.
pub fn chosen_by_mutual_information(loglikelihoods: &[f64], unconditional: &[f64]) -> Result<usize> {
    if loglikelihoods.len() != unconditional.len() {
        return invalid(format!("expected {} log-likelihoods, found {}", loglikelihoods.len(), unconditional.len()));
    }
    let gains: Vec<f64> = loglikelihoods.iter().zip(unconditional).map(|(given, alone)| given - alone).collect();
    argmax(&gains).ok_or(()).or_else(|()| invalid("expected choices, found none"))
}

/// The probabilities of choices, which add up to 1.
pub fn softmax(loglikelihoods: &[f64]) -> Vec<f64> {
    let largest = loglikelihoods.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = loglikelihoods.iter().map(|value| (value - largest).exp()).collect();
    let sum = pairwise_sum(&powers);
    powers.into_iter().map(|power| power / sum).collect()
}

/// The Brier score of a sample: the squared distance of the probabilities from the right choice. The score of a task is the mean.
///
/// # Errors
/// There is no choice `gold`.
pub fn brier(probabilities: &[f64], gold: usize) -> Result<f64> {
    if gold >= probabilities.len() {
        return invalid(format!("expected a right choice below {}, found {gold}", probabilities.len()));
    }
    let aim = |index| if index == gold { 1.0 } else { 0.0 };
    let squares: Vec<f64> = probabilities.iter().enumerate().map(|(i, p)| (p - aim(i)) * (p - aim(i))).collect();
    Ok(pairwise_sum(&squares))
}
