//! What a local language model implements: tokens and a key/value cache in, logits at the asked positions out.

use examiner_api::Result;

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
    /// The sequence's cache. The tokens stand at the positions after those it already holds; they are added to it. One
    /// cache occurs at most once in a pass.
    pub cache: CacheId,
    /// At least one token.
    pub tokens: &'a [u32],
    /// The places in `tokens`, ascending, after which logits are wanted: logits at place `i` are those of the token that
    /// follows `tokens[i]`.
    pub wanted: &'a [usize],
}

/// Where one row of logits belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The index of the segment in the pass.
    pub segment: usize,
    /// The place in the segment's tokens.
    pub place: usize,
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
    /// once if so; a decoder that copies them answers `false`.
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

    /// Runs the segments, adds their keys and values to their caches, and hands over the wanted logits.
    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()>;
}
