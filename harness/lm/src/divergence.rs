//! How far the probabilities of two models for the next token are apart.

use crate::log_softmax::{NonFinite, not_finite};
use examiner_api::{ErrorCode, PluginError};

/// What two models say of one next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowDivergence {
    /// KL(base || model), in nats; at least 0.
    pub(crate) nats: f64,
    /// Whether both have the same most probable token, the first of equals.
    pub(crate) same_top: bool,
}

/// Why there is no divergence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NoDivergence {
    /// A logit of the model is no number, or all are minus infinity.
    OfModel(NonFinite),
    /// The same of the base.
    OfBase(NonFinite),
    /// The model rules a token out that the base does not.
    Infinite { token: usize },
}

impl NoDivergence {
    /// The error of a sequence that has it after a position.
    pub(crate) fn error(self, position: usize) -> PluginError {
        match self {
            NoDivergence::OfModel(found) => not_finite(position, found),
            NoDivergence::OfBase(found) => {
                let mut error = not_finite(position, found);
                error.message = format!("the model of `divergence_from`: {}", error.message);
                error
            }
            NoDivergence::Infinite { token } => PluginError::new(
                ErrorCode::Numeric,
                format!(
                    "expected a finite divergence from the model of `divergence_from`, found none: after position {position} of the \
                     sequence the model gives token {token} the probability 0, and that model does not"
                ),
            )
            .with_help("compare models that give every token a probability above 0, or leave out `divergence_from`"),
        }
    }
}

/// The Kullback-Leibler divergence of a model from its base, of whose logits each has a row of the same length: the sum over all
/// tokens of p_base (ln p_base - ln p_model), where a token of p_base = 0 adds nothing.
///
/// With b and m for logits less the greatest of their row it is
/// sum(exp(b) (b - m)) / sum(exp(b)) - ln sum(exp(b)) + ln sum(exp(m)), which is computed in 64 bits, always in the same order.
pub(crate) fn divergence(model: &[f32], base: &[f32]) -> Result<RowDivergence, NoDivergence> {
    let model_top = greatest(model).map_err(NoDivergence::OfModel)?;
    let base_top = greatest(base).map_err(NoDivergence::OfBase)?;
    let (model_max, base_max) = (f64::from(model[model_top]), f64::from(base[base_top]));
    let (mut model_sum, mut base_sum, mut weighted) = (0.0, 0.0, 0.0);
    for (token, (&model, &base)) in model.iter().zip(base).enumerate() {
        let (model, base) = (f64::from(model) - model_max, f64::from(base) - base_max);
        model_sum += model.exp();
        if base == f64::NEG_INFINITY {
            continue;
        }
        if model == f64::NEG_INFINITY {
            return Err(NoDivergence::Infinite { token });
        }
        let weight = base.exp();
        base_sum += weight;
        weighted += weight * (base - model);
    }
    let nats = weighted / base_sum + (model_sum / base_sum).ln();
    // What rounding takes below 0 is 0. Both sums are at least 1, so it is a number.
    Ok(RowDivergence { nats: nats.max(0.0), same_top: model_top == base_top })
}

/// The index of the greatest logit, the first of equals; the first that is no number or infinite, if there is one. Minus infinity is a
/// logit like others, as long as not all are.
fn greatest(row: &[f32]) -> Result<usize, NonFinite> {
    let (mut greatest, mut at) = (f32::NEG_INFINITY, None);
    for (token, &logit) in row.iter().enumerate() {
        if logit.is_nan() || logit == f32::INFINITY {
            return Err(NonFinite { token, logit });
        }
        if logit > greatest {
            (greatest, at) = (logit, Some(token));
        }
    }
    at.ok_or(NonFinite { token: 0, logit: row.first().copied().unwrap_or(f32::NAN) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From the definition: softmax of both in 64 bits, then the sum.
    fn direct(model: &[f32], base: &[f32]) -> f64 {
        let softmax = |row: &[f32]| {
            let max = row.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
            row.iter().map(|&logit| (f64::from(logit) - max).exp() / sum).collect::<Vec<f64>>()
        };
        let terms = softmax(base).into_iter().zip(softmax(model));
        terms.filter(|(base, _)| *base > 0.0).map(|(base, model)| base * (base.ln() - model.ln())).sum()
    }

    /// A row of logits with minus infinity at some places.
    fn rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        let pair = (-20.0_f32..20.0, -20.0_f32..20.0, 0_u8..8);
        prop::collection::vec(pair, 1..300).prop_map(|pairs| {
            let model = pairs.iter().map(|(model, _, _)| *model).collect();
            let base = pairs.iter().map(|(_, base, kind)| if *kind == 0 { f32::NEG_INFINITY } else { *base }).collect();
            (model, base)
        })
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says((model, base) in rows()) {
            match divergence(&model, &base) {
                Ok(found) => {
                    let expected = direct(&model, &base);
                    prop_assert!((found.nats - expected).abs() <= 1e-12 * expected.max(1.0), "{} {expected}", found.nats);
                    let top = |row: &[f32]| row.iter().position(|logit| row.iter().all(|other| other <= logit));
                    prop_assert_eq!(found.same_top, top(&model) == top(&base));
                }
                Err(found) => {
                    prop_assert!(base.iter().all(|logit| *logit == f32::NEG_INFINITY));
                    prop_assert!(matches!(found, NoDivergence::OfBase(_)));
                }
            }
        }

        #[test]
        fn a_model_does_not_diverge_from_itself((model, _) in rows(), shift in -4_i8..5) {
            prop_assert_eq!(divergence(&model, &model), Ok(RowDivergence { nats: 0.0, same_top: true }));
            // Logits mean the same where all are greater by one number.
            let shifted: Vec<f32> = model.iter().map(|logit| logit + f32::from(shift) * 64.0).collect();
            let unshifted: Vec<f32> = shifted.iter().map(|logit| logit - f32::from(shift) * 64.0).collect();
            prop_assert!(divergence(&unshifted, &shifted).unwrap().nats < 1e-12);
        }
    }

    /// A model with the probabilities 3/4 and 1/4, and a base with 1/2 and 1/2.
    #[test]
    fn a_small_one_by_hand() {
        let (half, skewed) = ([0.0_f32, 0.0], [3.0_f32.ln(), 0.0]);
        let expected = 0.5 * (0.5_f64 / 0.75).ln() + 0.5 * (0.5_f64 / 0.25).ln();
        let found = divergence(&skewed, &half).unwrap();
        assert!((found.nats - expected).abs() < 1e-7, "{}", found.nats);
        assert!(found.same_top, "the first of equals");
        // The other way round it is another number.
        let expected = 0.75 * (0.75_f64 / 0.5).ln() + 0.25 * (0.25_f64 / 0.5).ln();
        assert!((divergence(&half, &skewed).unwrap().nats - expected).abs() < 1e-7);
    }

    #[test]
    fn logits_of_any_size_have_one() {
        let found = divergence(&[3e38, -3e38, 0.0], &[-3e38, 3e38, 0.0]).unwrap();
        assert!(found.nats > 5e38 && found.nats.is_finite() && !found.same_top, "{found:?}");
        assert_eq!(divergence(&[1e4, -1e4], &[1e4, -1e4]).unwrap().nats, 0.0);
    }

    #[test]
    fn what_has_none_is_named() {
        let infinite = divergence(&[0.0, f32::NEG_INFINITY], &[0.0, -80.0]);
        assert_eq!(infinite, Err(NoDivergence::Infinite { token: 1 }));
        let message = infinite.unwrap_err().error(7).to_string();
        assert!(message.contains("after position 7") && message.contains("token 1 the probability 0"), "{message}");
        let both = divergence(&[0.0, f32::NEG_INFINITY], &[0.0, f32::NEG_INFINITY]);
        assert_eq!(both, Ok(RowDivergence { nats: 0.0, same_top: true }));
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(
                matches!(divergence(&[0.0, bad], &[0.0, 0.0]), Err(NoDivergence::OfModel(found)) if found.token == 1)
            );
            let of_base = divergence(&[0.0, 0.0], &[0.0, bad]).unwrap_err();
            assert!(matches!(of_base, NoDivergence::OfBase(found) if found.token == 1));
            assert!(of_base.error(0).message.starts_with("the model of `divergence_from`: expected finite logits"));
        }
        let nothing = [f32::NEG_INFINITY; 2];
        assert!(matches!(divergence(&[0.0, 0.0], &nothing), Err(NoDivergence::OfBase(_))));
        assert!(matches!(divergence(&nothing, &[0.0, 0.0]), Err(NoDivergence::OfModel(_))));
    }
}
