//! How many tokens what is to be asked has.

use crate::evaluate::AskSample;
use examiner_api::{Ask, ErrorCode, Model, PluginError, Result, TokenCount};

/// Where nobody knows a model's tokens, one is taken for so many bytes of UTF-8. English has four and more, numbers and other scripts
/// have fewer: what is paid for is rather less than what is guessed.
const BYTES_PER_TOKEN: usize = 3;

/// The tokens of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Those that the model reads.
    pub read: u64,
    /// The most that it writes.
    pub written: u64,
    /// How they are known.
    pub known: Known,
}

/// How tokens are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// All were counted by the model's tokenizer.
    Counted,
    /// Those of a sample of the requests were counted by the model's tokenizer.
    Sampled,
    /// The model does not count tokens: they are guessed from the number of bytes.
    Guessed,
}

/// The tokens of the requests that a sample was drawn from.
///
/// # Errors
/// The model cannot count although it does not say so.
pub(super) fn tokens(model: &mut dyn Model, sample: &AskSample) -> Result<Tokens> {
    let asks = sample.asks();
    if asks.is_empty() {
        return Ok(Tokens { read: 0, written: 0, known: Known::Counted });
    }
    let is_whole = sample.seen() == asks.len() as u64;
    let (counts, known) = match model.count_tokens(asks) {
        Ok(counts) if counts.len() == asks.len() => (counts, if is_whole { Known::Counted } else { Known::Sampled }),
        Ok(counts) => {
            let message =
                format!("expected the tokens of {} requests of the model, found those of {}", asks.len(), counts.len());
            return Err(PluginError::new(ErrorCode::Protocol, message));
        }
        Err(error) if error.code == ErrorCode::Unsupported => (asks.iter().map(guessed).collect(), Known::Guessed),
        Err(error) => return Err(error),
    };
    let all = |of: fn(&TokenCount) -> u64| {
        let sum: u128 = counts.iter().map(|count| u128::from(of(count))).sum();
        (sum * u128::from(sample.seen()) / asks.len() as u128) as u64
    };
    Ok(Tokens { read: all(|count| count.read), written: all(|count| count.written), known })
}

fn guessed(ask: &Ask) -> TokenCount {
    let (bytes, written) = match ask {
        Ask::Score { context, continuation, .. } => (context.len() + continuation.len(), 0),
        Ask::Generate { prompt, sampling, .. } => (prompt.len(), u64::from(sampling.max_new_tokens)),
    };
    TokenCount { read: bytes.div_ceil(BYTES_PER_TOKEN) as u64, written }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::{ModelInfo, Sampling};

    struct Counting(Result<Vec<TokenCount>>);

    impl Model for Counting {
        fn info(&self) -> Result<ModelInfo> {
            Ok(ModelInfo::default())
        }

        fn count_tokens(&mut self, _: &[Ask]) -> Result<Vec<TokenCount>> {
            self.0.clone()
        }
    }

    fn sample(count: usize) -> AskSample {
        let mut sample = AskSample::default();
        let sampling = Sampling { max_new_tokens: 7, ..Sampling::default() };
        let ask = Ask::Generate { prompt: "12345".to_owned(), turns: Default::default(), sampling };
        (0..count).for_each(|_| sample.see(&ask));
        sample
    }

    #[test]
    fn tokens_of_a_sample_stand_for_all_and_those_of_no_tokenizer_are_guessed() {
        let counts = |count: usize| Ok(vec![TokenCount { read: 10, written: 3 }; count]);
        let of = |answer, count| tokens(&mut Counting(answer), &sample(count));
        assert_eq!(of(counts(2), 2), Ok(Tokens { read: 20, written: 6, known: Known::Counted }));
        assert_eq!(
            of(counts(AskSample::SIZE), 1000),
            Ok(Tokens { read: 10_000, written: 3_000, known: Known::Sampled })
        );
        assert_eq!(of(counts(0), 0), Ok(Tokens { read: 0, written: 0, known: Known::Counted }));
        let unsupported = Err(PluginError::unsupported("no"));
        assert_eq!(of(unsupported, 3), Ok(Tokens { read: 6, written: 21, known: Known::Guessed }));
        assert_eq!(of(counts(1), 2).map_err(|error| error.code), Err(ErrorCode::Protocol));
        let broken = Err(PluginError::bad_input("b"));
        assert_eq!(of(broken.clone(), 1), broken.map(|_: Vec<TokenCount>| unreachable!()));
    }
}
