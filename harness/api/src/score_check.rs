//! What holds for every log-likelihood, whoever computed it.

use crate::{ErrorCode, PluginError, Result, ScoreResult};

/// How far above 0 rounding can lift a log-probability. It is the difference of two numbers of the size of a logit, and
/// near 100 numbers of 32 bits lie 7.6e-6 apart.
const ROUNDING: f64 = 1e-5;
/// How far `sum` may be from the sum of its tokens, in nats; beyond 1 nat, as a share of it. A server adds up more digits than it
/// shows, and tokens are kept in 32 bits.
const SUM_TOLERANCE: f64 = 1e-4;
/// How far below 0 rounding can take a token's divergence, in nats, where logits are of 32 bits.
const DIVERGENCE_ROUNDING: f64 = 1e-6;
/// So many characters of a text are shown in a message.
const SHOWN: usize = 60;

impl ScoreResult {
    /// Checks that this can be the log-likelihood of `continuation`: every number is finite and none is above 0, there is one
    /// log-probability for each scored token, they add up to the sum, and a text that is not empty has a scored token; a divergence,
    /// if there is one, is finite, not below 0, and counts no more tokens than are scored.
    ///
    /// The program checks every response of every model. A plugin checks its own before it keeps them elsewhere.
    ///
    /// # Errors
    /// [`ErrorCode::Numeric`] for a number that is impossible, [`ErrorCode::Protocol`] for counts that do not fit together.
    pub fn check(&self, continuation: &str) -> Result<()> {
        let (code, fault, help) = match (self.wrong_number(), self.wrong_count(continuation)) {
            (Some(fault), _) => {
                (ErrorCode::Numeric, fault, "look at the model's weights and number type, or its server")
            }
            (_, Some(fault)) => (ErrorCode::Protocol, fault, "this is an error in the model's plugin, tell its author"),
            (None, None) => return Ok(()),
        };
        let mut shown: String = continuation.chars().take(SHOWN).collect();
        if shown.len() < continuation.len() {
            shown.push('…');
        }
        Err(PluginError::new(code, format!("the model's log-likelihood of {shown:?} cannot be right: {fault}"))
            .with_help(help))
    }

    fn wrong_number(&self) -> Option<String> {
        let logprobs = || self.token_logprobs.iter().map(|value| f64::from(*value)).enumerate();
        if !self.sum.is_finite() {
            return Some(format!("expected a finite number, found {}", self.sum));
        }
        if let Some((index, value)) = logprobs().find(|(_, value)| !value.is_finite()) {
            return Some(format!("expected finite numbers, found {value} for its token {index}, counted from 0"));
        }
        if let Some((index, value)) = logprobs().find(|(_, value)| *value > ROUNDING) {
            return Some(format!("expected at most 0, found {value} for its token {index}, counted from 0"));
        }
        if self.sum > ROUNDING * f64::from(self.scored_tokens.max(1)) {
            return Some(format!("expected at most 0, found {}", self.sum));
        }
        let total: f64 = logprobs().map(|(_, value)| value).sum();
        let is_complete = self.token_logprobs.len() == self.scored_tokens as usize;
        if is_complete && (self.sum - total).abs() > SUM_TOLERANCE * total.abs().max(1.0) {
            return Some(format!("expected the sum of its tokens, {total}, found {}", self.sum));
        }
        let nats = self.divergence?.nats;
        let least = -DIVERGENCE_ROUNDING * f64::from(self.scored_tokens);
        let is_possible = nats.is_finite() && nats >= least;
        (!is_possible).then(|| format!("expected a divergence that is finite and at least 0, found {nats}"))
    }

    fn wrong_count(&self, continuation: &str) -> Option<String> {
        let ScoreResult { scored_tokens, total_tokens, truncated_tokens, .. } = *self;
        let (ids, logprobs) = (self.tokens.len(), self.token_logprobs.len());
        if logprobs != scored_tokens as usize {
            return Some(format!("expected a log-probability for each of {scored_tokens} tokens, found {logprobs}"));
        }
        if ids != 0 && ids != logprobs {
            return Some(format!("expected the ids of {scored_tokens} tokens or none, found {ids}"));
        }
        if let Some(same_top) =
            self.divergence.map(|divergence| divergence.same_top).filter(|same| *same > scored_tokens)
        {
            return Some(format!(
                "expected the same most probable token at {scored_tokens} places at most, found it at {same_top}"
            ));
        }
        if scored_tokens == 0 && !continuation.is_empty() {
            return Some("expected at least one token, found none".to_owned());
        }
        let left = total_tokens.checked_sub(truncated_tokens);
        left.is_none_or(|left| left < scored_tokens).then(|| {
            format!(
                "expected at most {total_tokens} tokens, {truncated_tokens} of them cut off, found {scored_tokens} scored ones"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Divergence;

    fn result(logprobs: &[f32]) -> ScoreResult {
        ScoreResult {
            sum: logprobs.iter().map(|value| f64::from(*value)).sum(),
            token_logprobs: logprobs.to_vec(),
            scored_tokens: logprobs.len() as u32,
            total_tokens: 9,
            ..ScoreResult::default()
        }
    }

    fn fault(result: ScoreResult) -> String {
        let error = result.check(" blue").unwrap_err();
        let fault = error.message.strip_prefix("the model's log-likelihood of \" blue\" cannot be right: ").unwrap();
        format!("{:?}: {fault}", error.code)
    }

    #[test]
    fn what_rounding_makes_of_a_good_number_is_good() {
        result(&[-1.5, -0.25]).check(" blue").unwrap();
        // A certain token: a naive log-softmax of logits near 64 gives this much.
        result(&[7.6e-6, 0.0]).check(" blue").unwrap();
        result(&[]).check("").unwrap();
        let long = vec![-8.000_123_f32; 4096];
        ScoreResult { sum: result(&long).sum * (1.0 + 5e-5), total_tokens: 5000, ..result(&long) }.check("x").unwrap();
        ScoreResult { tokens: vec![1, 2], truncated_tokens: 7, ..result(&[-1.0, -2.0]) }.check(" blue").unwrap();
    }

    #[test]
    fn an_impossible_number_is_named() {
        let with = |sum, logprobs: &[f32]| ScoreResult { sum, ..result(logprobs) };
        assert_eq!(fault(with(f64::NAN, &[-1.0])), "Numeric: expected a finite number, found NaN");
        assert_eq!(
            fault(with(-1.0, &[-1.0, f32::NEG_INFINITY])),
            "Numeric: expected finite numbers, found -inf for its token 1, counted from 0"
        );
        assert_eq!(fault(result(&[-1.0, 5.0])), "Numeric: expected at most 0, found 5 for its token 1, counted from 0");
        assert_eq!(fault(with(20.0, &[-1.0])), "Numeric: expected at most 0, found 20");
        assert_eq!(fault(with(-1.5, &[-1.0])), "Numeric: expected the sum of its tokens, -1, found -1.5");
        assert_eq!(fault(with(-1.0002, &[-1.0])), "Numeric: expected the sum of its tokens, -1, found -1.0002");
    }

    #[test]
    fn counts_that_do_not_fit_together_are_named() {
        let one = || result(&[-1.0]);
        assert_eq!(
            fault(ScoreResult { scored_tokens: 2, ..one() }),
            "Protocol: expected a log-probability for each of 2 tokens, found 1"
        );
        assert_eq!(
            fault(ScoreResult { tokens: vec![1, 2], ..one() }),
            "Protocol: expected the ids of 1 tokens or none, found 2"
        );
        assert_eq!(fault(result(&[])), "Protocol: expected at least one token, found none");
        let few = "Protocol: expected at most 9 tokens, 9 of them cut off, found 1 scored ones";
        assert_eq!(fault(ScoreResult { truncated_tokens: 9, ..one() }), few);
        assert!(fault(ScoreResult { truncated_tokens: 10, ..one() }).contains("10 of them cut off"));
    }

    #[test]
    fn a_divergence_is_held_against_what_is_possible() {
        let with =
            |nats, same_top| ScoreResult { divergence: Some(Divergence { nats, same_top }), ..result(&[-1.5, -0.25]) };
        for good in [with(0.0, 2), with(12.5, 0), with(-1e-9, 1)] {
            good.check(" blue").unwrap();
        }
        for bad in [f64::NAN, f64::INFINITY, -1e-5] {
            let expected = format!("Numeric: expected a divergence that is finite and at least 0, found {bad}");
            assert_eq!(fault(with(bad, 0)), expected);
        }
        assert_eq!(
            fault(with(0.5, 3)),
            "Protocol: expected the same most probable token at 2 places at most, found it at 3"
        );
    }

    #[test]
    fn a_long_text_is_shown_by_its_beginning() {
        let error = result(&[1.0]).check(&"ä".repeat(500)).unwrap_err();
        assert!(error.message.contains("ää…\"") && error.message.chars().count() < 200, "{error}");
    }
}
