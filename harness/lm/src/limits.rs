//! How much of a decoder a batch may use.

use crate::{CacheLayout, Decoder, LocalOptions};

/// Bytes of keys and values that are kept if the suite sets no limit.
const DEFAULT_CACHE_BYTES: usize = 2 << 30;

/// One of so many positions may stay in caches between batches.
const KEPT_PART: usize = 4;

/// What a walk may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Tokens in one pass.
    pub(crate) batch_tokens: usize,
    /// Positions in all caches together. At least the `peak` of every root.
    pub(crate) cache_tokens: usize,
    /// Nodes that run at the same time.
    pub(crate) sequences: usize,
    /// Of the positions, those that may stay in caches when a walk is over.
    pub(crate) kept_tokens: usize,
}

impl Limits {
    /// What the options leave to a decoder.
    pub(crate) fn new<D: Decoder + ?Sized>(decoder: &D, options: &LocalOptions) -> Self {
        let fit = DEFAULT_CACHE_BYTES / decoder.cache_bytes_per_token().max(1);
        let cache_tokens = options.max_cache_tokens.unwrap_or(fit).max(decoder.context_length());
        let keeps = options.share_prefixes
            && decoder.can_fork()
            && decoder.forks_share_memory()
            && decoder.cache_layout() == CacheLayout::Ragged;
        Limits {
            batch_tokens: options.max_batch_tokens,
            cache_tokens,
            sequences: options.max_sequences,
            kept_tokens: if keeps { cache_tokens / KEPT_PART } else { 0 },
        }
    }
}
