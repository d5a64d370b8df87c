//! What a local language model implements: tokens and a key/value cache in, logits at the asked positions out.

use examiner_api::{PluginError, Result};

/// How a decoder's key/value cache is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheLayout {
    /// Segments of one pass may have pasts of different lengths. Nothing is padded.
    Ragged,
    /// All segments of one pass must have pasts of equal length and the same number of tokens (an ONNX graph whose past
    /// is one tensor, say). The scheduler groups them.
    Rectangular,
}

/// A handle to the keys and values of one sequence. Only the decoder that made it knows what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheId(pub u64);

/// New tokens of one sequence.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The sequence's cache. The tokens have the positions after those it already holds; they are added to it. One
    /// cache occurs at most once in a pass.
    pub cache: CacheId,
    /// At least one token.
    pub tokens: &'a [u32],
    /// The indices in `tokens`, ascending, after which logits are wanted: logits at index `i` are those of the token that
    /// follows `tokens[i]`.
    pub wanted: &'a [usize],
}

impl Segment<'_> {
    /// Checks a segment that goes on after `past` positions of its cache.
    ///
    /// # Errors
    /// `BadInput` if it is empty or longer than what is left of the context, has a token outside of the vocabulary, or
    /// wants logits after a token that it has not.
    pub fn check(&self, past: usize, context_length: usize, vocabulary: usize) -> Result<()> {
        let tokens = self.tokens.len();
        if tokens == 0 || past + tokens > context_length {
            return Err(PluginError::bad_input(format!(
                "{tokens} tokens after {past} do not fit a model of {context_length} positions"
            )));
        }
        if let Some(token) = self.tokens.iter().find(|&&token| token as usize >= vocabulary) {
            return Err(PluginError::bad_input(format!("token {token} of a vocabulary of {vocabulary}")));
        }
        if let Some(index) = self.wanted.iter().find(|&&index| index >= tokens) {
            return Err(PluginError::bad_input(format!("logits wanted after token {index} of {tokens}")));
        }
        Ok(())
    }
}

/// Which token one row of logits follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The index of the segment in the pass.
    pub segment: usize,
    /// The index of the token in the segment.
    pub index: usize,
}

/// Receives logits: `rows.len()` rows of `vocabulary()` values each, row-major. Called any number of times during a
/// pass, so that full-vocabulary logits never exist for all positions at once.
pub type OnLogits<'a> = dyn FnMut(&[Row], &[f32]) -> Result<()> + 'a;

/// A causal language model with a key/value cache. It owns the memory of its caches.
pub trait Decoder: Send {
    /// Longest sequence, in tokens.
    fn context_length(&self) -> usize;

    /// Number of logits in a row.
    fn vocabulary(&self) -> usize;

    /// How caches are laid out.
    fn cache_layout(&self) -> CacheLayout;

    /// Whether [`Decoder::fork`] works. Without it, prefixes cannot be shared.
    fn can_fork(&self) -> bool;

    /// Whether the positions that a fork shares take no memory of their own. The bound on cached positions counts them
    /// once if so, and beginnings stay in caches for later batches; a decoder that copies them answers `false`.
    fn forks_share_memory(&self) -> bool {
        true
    }

    /// An empty cache.
    fn new_cache(&mut self) -> Result<CacheId>;

    /// A cache that begins with the first `length` positions of another. Neither changes the other afterwards.
    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId>;

    /// Gives a cache's memory back. Forks of it live on.
    fn free(&mut self, cache: CacheId);

    /// Bytes of key/value memory that one position takes.
    fn cache_bytes_per_token(&self) -> usize;

    /// Runs the segments, adds their keys and values to their caches, and passes the wanted logits to `on_logits`.
    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()>;
}

impl<D: Decoder + ?Sized> Decoder for Box<D> {
    fn context_length(&self) -> usize {
        (**self).context_length()
    }

    fn vocabulary(&self) -> usize {
        (**self).vocabulary()
    }

    fn cache_layout(&self) -> CacheLayout {
        (**self).cache_layout()
    }

    fn can_fork(&self) -> bool {
        (**self).can_fork()
    }

    fn forks_share_memory(&self) -> bool {
        (**self).forks_share_memory()
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        (**self).new_cache()
    }

    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        (**self).fork(from, length)
    }

    fn free(&mut self, cache: CacheId) {
        (**self).free(cache);
    }

    fn cache_bytes_per_token(&self) -> usize {
        (**self).cache_bytes_per_token()
    }

    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        (**self).forward(segments, on_logits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_does_not_fit_is_refused() {
        let check = |tokens: &[u32], wanted: &[usize], past| {
            let segment = Segment { cache: CacheId(0), tokens, wanted };
            segment.check(past, 8, 100).map_err(|error| error.message)
        };
        assert_eq!(check(&[1, 99], &[0, 1], 6), Ok(()));
        assert_eq!(check(&[1, 2], &[], 7), Err("2 tokens after 7 do not fit a model of 8 positions".to_owned()));
        assert!(check(&[], &[], 0).is_err());
        assert_eq!(check(&[1, 100], &[], 0), Err("token 100 of a vocabulary of 100".to_owned()));
        assert_eq!(check(&[1], &[1], 0), Err("logits wanted after token 1 of 1".to_owned()));
    }
}
