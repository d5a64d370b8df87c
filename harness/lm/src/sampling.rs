//! From a row of logits to a token.

use crate::log_softmax::{NonFinite, argmax};
use examiner_api::{PluginError, Result, Sampling};

/// Checks that a token can be chosen so.
///
/// # Errors
/// `BadInput` names the field, and what it may be.
pub(crate) fn check(sampling: &Sampling) -> Result<()> {
    let Sampling { temperature, top_p, repetition_penalty, .. } = *sampling;
    let wrong = |field: &str, expected: &str, found: f32| {
        Err(PluginError::bad_input(format!("expected `{field}` to be {expected}, found `{found}`")))
    };
    if !(temperature >= 0.0 && temperature.is_finite()) {
        return wrong("temperature", "0 or more", temperature);
    }
    if !(top_p > 0.0 && top_p <= 1.0) {
        return wrong("top_p", "more than 0 and at most 1", top_p);
    }
    if !(repetition_penalty > 0.0 && repetition_penalty.is_finite()) {
        return wrong("repetition_penalty", "more than 0", repetition_penalty);
    }
    if sampling.stop.iter().any(String::is_empty) {
        return Err(PluginError::bad_input("a stop string is empty, so every answer would end before it begins"));
    }
    Ok(())
}

/// Chooses the next token.
///
/// The order is that of Hugging Face transformers: repetition penalty on the tokens `seen` so far (prompt and answer,
/// each once however often it occurs), temperature, `top_k`, `top_p`. `uniform` is a random number from 0 up to but not
/// including 1; at temperature 0 it is not used.
///
/// # Errors
/// Names the first logit that is not finite.
pub(crate) fn choose(
    logits: &[f32],
    sampling: &Sampling,
    seen: impl Iterator<Item = u32>,
    uniform: f64,
) -> Result<u32, NonFinite> {
    if sampling.repetition_penalty == 1.0 {
        return choose_penalized(logits, sampling, uniform);
    }
    let mut penalized = logits.to_vec();
    for token in seen {
        let Some(&logit) = logits.get(token as usize) else { continue };
        let penalty = sampling.repetition_penalty;
        penalized[token as usize] = if logit < 0.0 { logit * penalty } else { logit / penalty };
    }
    choose_penalized(&penalized, sampling, uniform)
}

fn choose_penalized(logits: &[f32], sampling: &Sampling, uniform: f64) -> Result<u32, NonFinite> {
    let greatest = argmax(logits)?;
    if sampling.temperature == 0.0 || sampling.top_k == 1 {
        return Ok(greatest as u32);
    }
    // Greatest first, of equals the one with the smaller id.
    let order = |&a: &u32, &b: &u32| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b));
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    let top_k = sampling.top_k as usize;
    if top_k > 0 && top_k < tokens.len() {
        tokens.select_nth_unstable_by(top_k - 1, order);
        tokens.truncate(top_k);
    }
    let max = logits[greatest];
    let weight = |&token: &u32| (f64::from(logits[token as usize] - max) / f64::from(sampling.temperature)).exp();
    if sampling.top_p < 1.0 {
        tokens.sort_unstable_by(order);
        let total: f64 = tokens.iter().map(weight).sum();
        let mut sum = 0.0;
        let reached = tokens.iter().position(|token| {
            sum += weight(token);
            sum >= f64::from(sampling.top_p) * total
        });
        tokens.truncate(reached.map_or(tokens.len(), |last| last + 1));
    } else {
        // Selection leaves no order of its own, and the choice must not depend on how it works.
        tokens.sort_unstable();
    }
    let weights: Vec<f64> = tokens.iter().map(weight).collect();
    let mut left = uniform * weights.iter().sum::<f64>();
    for (token, weight) in tokens.iter().zip(&weights) {
        if left < *weight {
            return Ok(*token);
        }
        left -= weight;
    }
    // Rounding may leave a little over.
    Ok(greatest as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::random::Stream;
    use std::collections::BTreeSet;

    fn sampling(temperature: f32, top_k: u32, top_p: f32, repetition_penalty: f32) -> Sampling {
        Sampling { temperature, top_k, top_p, repetition_penalty, ..Sampling::default() }
    }

    fn drawn(logits: &[f32], sampling: &Sampling, draws: u32) -> Vec<u32> {
        let stream = Stream::new(5, "draws", 0);
        (0..draws).map(|step| choose(logits, sampling, [].into_iter(), stream.uniform(step)).unwrap()).collect()
    }

    #[test]
    fn greedy_takes_the_first_of_equals() {
        assert_eq!(drawn(&[0.0, 3.0, 3.0, -1.0], &sampling(0.0, 0, 1.0, 1.0), 3), [1, 1, 1]);
    }

    #[test]
    fn frequencies_are_the_softmax() {
        let logits = [1.0_f32, 0.0, -1.0, 2.0];
        for temperature in [0.5_f64, 1.0, 2.0] {
            let sum: f64 = logits.iter().map(|&x| (f64::from(x) / temperature).exp()).sum();
            let tokens = drawn(&logits, &sampling(temperature as f32, 0, 1.0, 1.0), 20_000);
            for (token, &logit) in logits.iter().enumerate() {
                let expected = (f64::from(logit) / temperature).exp() / sum;
                let found = tokens.iter().filter(|&&t| t == token as u32).count() as f64 / 20_000.0;
                assert!((found - expected).abs() < 0.015, "{temperature} {token}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn top_k_and_top_p_keep_the_most_probable() {
        let kept = |top_k, top_p| -> BTreeSet<u32> {
            // Probabilities 0.1, 0.4, 0.2, 0.3.
            let logits = [0.1_f32, 0.4, 0.2, 0.3].map(f32::ln);
            drawn(&logits, &sampling(1.0, top_k, top_p, 1.0), 500).into_iter().collect()
        };
        assert_eq!(kept(0, 1.0), BTreeSet::from([0, 1, 2, 3]));
        assert_eq!(kept(2, 1.0), BTreeSet::from([1, 3]));
        assert_eq!(kept(0, 0.65), BTreeSet::from([1, 3]));
        assert_eq!(kept(0, 0.75), BTreeSet::from([1, 2, 3]));
        assert_eq!(kept(0, 0.01), BTreeSet::from([1]));
        // Of the two left by `top_k`, the first has 4/7 of the probability.
        assert_eq!(kept(2, 0.5), BTreeSet::from([1]));
        assert_eq!(kept(1, 1.0), BTreeSet::from([1]));
    }

    #[test]
    fn repetition_is_penalized_once_for_each_token() {
        let penalized = |logits: &[f32], seen: &[u32]| {
            choose(logits, &sampling(0.0, 0, 1.0, 2.0), seen.iter().copied(), 0.0).unwrap()
        };
        assert_eq!(penalized(&[3.0, 2.0], &[]), 0);
        assert_eq!(penalized(&[3.0, 2.0], &[0]), 1);
        assert_eq!(penalized(&[5.0, 2.0], &[0, 0, 0]), 0);
        assert_eq!(penalized(&[-1.0, -1.5], &[0]), 1);
        assert_eq!(penalized(&[3.0, 2.0], &[0, 7]), 1);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(choose(&[0.0, f32::NAN], &sampling(1.0, 0, 1.0, 1.0), [].into_iter(), 0.5).is_err());
        assert!(check(&Sampling::default()).is_ok());
        for wrong in [sampling(-1.0, 0, 1.0, 1.0), sampling(f32::NAN, 0, 1.0, 1.0), sampling(1.0, 0, 0.0, 1.0)] {
            assert!(check(&wrong).is_err());
        }
        assert!(check(&sampling(1.0, 0, 1.5, 1.0)).is_err());
        assert!(check(&sampling(1.0, 0, 1.0, 0.0)).is_err());
        assert!(check(&Sampling { stop: vec![String::new()], ..Sampling::default() }).is_err());
    }
}
