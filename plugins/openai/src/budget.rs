//! What was spent, and a cap that is kept before spending.
//!
//! The most that a request can cost is set aside before it is sent: a token has at least one byte, so that the prompt's bytes
//! bound its tokens, and `max_new_tokens` bounds the answer's. When the answer comes, what the server counted takes the
//! place of what was set aside. Requests in flight at the same time can therefore not exceed the cap together.

use crate::options::{Options, Price};
use examiner_api::{ErrorCode, PluginError};
use std::fmt;

/// Tokens, as the server counted them or as they are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tokens {
    pub(crate) read: u64,
    pub(crate) generated: u64,
}

impl Tokens {
    pub(crate) fn total(self) -> u64 {
        self.read + self.generated
    }
}

/// The account of a model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget {
    price: Option<Price>,
    max_cost: Option<f64>,
    max_tokens: Option<u64>,
    /// What answers took.
    pub(crate) counted: Tokens,
    /// What attempts without an answer may have taken, at most.
    uncertain: Tokens,
    reserved: Tokens,
    pub(crate) requests: u64,
    pub(crate) retries: u64,
}

/// What is set aside for a request.
#[derive(Debug)]
#[must_use]
pub(crate) struct Reservation(Tokens);

impl Budget {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { price, max_cost, max_tokens_total, .. } = options;
        Budget { price: *price, max_cost: *max_cost, max_tokens: *max_tokens_total, ..Budget::default() }
    }

    /// Sets aside what a request can take at most, or says that it could exceed a cap.
    pub(crate) fn reserve(&mut self, most: Tokens) -> Option<Reservation> {
        let all = sum([self.counted, self.uncertain, self.reserved, most]);
        let too_much = self.max_tokens.is_some_and(|cap| all.total() > cap)
            || self.max_cost.is_some_and(|cap| self.cost(all).is_some_and(|cost| cost > cap));
        if too_much {
            return None;
        }
        self.reserved = sum([self.reserved, most]);
        Some(Reservation(most))
    }

    /// The server answered and said what it counted; where it did not, all that was set aside is taken for spent.
    pub(crate) fn settle(&mut self, reservation: Reservation, counted: Option<Tokens>) {
        self.free(reservation.0);
        match counted {
            Some(tokens) => self.counted = sum([self.counted, tokens]),
            None => self.uncertain = sum([self.uncertain, reservation.0]),
        }
    }

    /// Nothing was spent.
    pub(crate) fn release(&mut self, reservation: Reservation) {
        self.free(reservation.0);
    }

    /// Requests in flight are given up: they may be charged all the same.
    pub(crate) fn give_up_all(&mut self) {
        self.uncertain = sum([self.uncertain, self.reserved]);
        self.reserved = Tokens::default();
    }

    fn free(&mut self, tokens: Tokens) {
        self.reserved.read = self.reserved.read.saturating_sub(tokens.read);
        self.reserved.generated = self.reserved.generated.saturating_sub(tokens.generated);
    }

    pub(crate) fn cost(&self, tokens: Tokens) -> Option<f64> {
        let Price { input_per_million, output_per_million } = self.price?;
        Some((tokens.read as f64 * input_per_million + tokens.generated as f64 * output_per_million) / 1e6)
    }

    /// Why a request of this size is not sent.
    pub(crate) fn refusal(&self, most: Tokens) -> PluginError {
        let cap = match (self.max_cost, self.max_tokens) {
            (Some(cost), None) => format!("`max_cost: {cost}`"),
            (None, Some(tokens)) => format!("`max_tokens_total: {tokens}`"),
            (cost, tokens) => {
                format!("`max_cost: {}` or `max_tokens_total: {}`", cost.unwrap_or(0.0), tokens.unwrap_or(0))
            }
        };
        let next = match self.cost(most) {
            Some(cost) => format!("{} tokens or {cost:.6}", most.total()),
            None => format!("{} tokens", most.total()),
        };
        let message = format!("the next request could take {next}, which would exceed {cap}: {self}");
        PluginError::new(ErrorCode::Quota, message)
            .with_help("raise the cap and run again: what has been answered is not asked again")
    }
}

fn sum<const N: usize>(tokens: [Tokens; N]) -> Tokens {
    tokens.iter().fold(Tokens::default(), |sum, next| Tokens {
        read: sum.read.saturating_add(next.read),
        generated: sum.generated.saturating_add(next.generated),
    })
}

impl fmt::Display for Budget {
    /// `12 requests (1 of them retries), 340 + 560 tokens, cost 0.012`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Budget { requests, retries, counted, uncertain, .. } = self;
        write!(formatter, "{requests} requests ({retries} of them retries), ")?;
        write!(formatter, "{} tokens read and {} generated", counted.read, counted.generated)?;
        if let Some(cost) = self.cost(*counted) {
            write!(formatter, ", cost {cost:.6}")?;
        }
        if uncertain.total() > 0 {
            write!(formatter, "; attempts without an answer may have taken up to {} tokens more", uncertain.total())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn budget(max_cost: f64) -> Budget {
        let price = Price { input_per_million: 1e6, output_per_million: 2e6 };
        Budget { price: Some(price), max_cost: Some(max_cost), ..Budget::default() }
    }

    fn tokens(read: u64, generated: u64) -> Tokens {
        Tokens { read, generated }
    }

    #[test]
    fn sets_aside_and_settles() {
        let mut budget = budget(100.0);
        let first = budget.reserve(tokens(20, 30)).unwrap();
        assert!(budget.reserve(tokens(0, 11)).is_none(), "80 + 22 exceed 100");
        budget.settle(first, Some(tokens(10, 5)));
        let second = budget.reserve(tokens(20, 30)).unwrap();
        budget.release(second);
        let third = budget.reserve(tokens(80, 0)).unwrap();
        budget.settle(third, None);
        assert!(budget.reserve(tokens(1, 0)).is_none());
        let error = budget.refusal(tokens(1, 0));
        assert_eq!(error.code, ErrorCode::Quota);
        assert!(error.message.contains("cost 20.000000") && error.message.contains("80 tokens more"), "{error}");
    }

    proptest! {
        /// Whatever is in flight at the same time, and however it ends within its bound: never above the cap.
        #[test]
        fn the_cap_holds(cap in 0.0..2000.0_f64, steps in prop::collection::vec((0_u64..50, 0_u64..50, 0_u8..4), 1..200)) {
            let mut budget = budget(cap);
            let mut open = Vec::new();
            let mut charged = Tokens::default();
            for (read, generated, what) in steps {
                match what {
                    0 | 1 => open.extend(budget.reserve(tokens(read, generated))),
                    _ if open.is_empty() => {}
                    2 => {
                        let reservation = open.swap_remove(read as usize % open.len());
                        let most = reservation.0;
                        let counted = tokens(most.read.min(generated), most.generated.min(read));
                        charged = sum([charged, counted]);
                        budget.settle(reservation, Some(counted));
                    }
                    _ => {
                        let reservation = open.swap_remove(0);
                        charged = sum([charged, reservation.0]);
                        budget.settle(reservation, None);
                    }
                }
                let under_way = open.iter().fold(charged, |all, reservation| sum([all, reservation.0]));
                prop_assert!(budget.cost(under_way).unwrap() <= cap + 1e-9);
            }
        }
    }
}
