//! Some of a great many requests, each of which is as likely to be among them.

use examiner_api::Ask;
use examiner_api::random::{Random, key_of};

/// Drawn from the requests of a pair, the same ones each time (Vitter's algorithm R, 1985).
#[derive(Debug, Clone)]
pub struct AskSample {
    asks: Vec<Ask>,
    seen: usize,
    random: Random,
}

impl Default for AskSample {
    fn default() -> Self {
        AskSample { asks: Vec::new(), seen: 0, random: Random::new(0, key_of("requests whose tokens are counted")) }
    }
}

impl AskSample {
    /// Most requests in a sample.
    pub const SIZE: usize = 64;

    pub(crate) fn see(&mut self, ask: &Ask) {
        self.seen += 1;
        if self.asks.len() < Self::SIZE {
            self.asks.push(ask.clone());
        } else if let Some(place) = self.asks.get_mut(self.random.below(self.seen)) {
            *place = ask.clone();
        }
    }

    /// The requests.
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// How many requests it was drawn from.
    pub fn seen(&self) -> u64 {
        self.seen as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::Span;

    #[test]
    fn few_are_taken_as_they_are_and_of_many_each_part_has_its_share() {
        let ask = |index: usize| Ask::Score {
            context: String::new(),
            turns: Default::default(),
            continuation: index.to_string(),
            span: Span::Continuation,
        };
        let of = |count: usize| {
            let mut sample = AskSample::default();
            (0..count).for_each(|index| sample.see(&ask(index)));
            assert_eq!(sample.seen(), count as u64);
            sample.asks().to_vec()
        };
        assert_eq!(of(AskSample::SIZE), (0..AskSample::SIZE).map(ask).collect::<Vec<_>>());
        let drawn = of(100_000);
        assert_eq!(drawn.len(), AskSample::SIZE);
        assert_eq!(drawn, of(100_000));
        let index = |ask: &Ask| match ask {
            Ask::Score { continuation, .. } => continuation.parse::<usize>().unwrap(),
            Ask::Generate { .. } => unreachable!(),
        };
        let early = drawn.iter().filter(|ask| index(ask) < 50_000).count();
        assert!((20..=44).contains(&early), "{early} of {} are of the first half", AskSample::SIZE);
    }
}
