//! The caches in use, and how many positions they hold.

use crate::{CacheId, Decoder};
use examiner_api::Result;
use std::collections::HashMap;

/// Borrows a decoder and gives back every cache made through it, whatever way the work ends.
pub(crate) struct Caches<'d, D: Decoder + ?Sized> {
    pub(crate) decoder: &'d mut D,
    live: HashMap<CacheId, usize>,
    held: usize,
}

impl<'d, D: Decoder + ?Sized> Caches<'d, D> {
    pub(crate) fn new(decoder: &'d mut D) -> Self {
        Caches { decoder, live: HashMap::new(), held: 0 }
    }

    /// Positions that all caches may grow to, those shared by forks counted for each: a decoder may copy them.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Positions that one cache may grow to.
    pub(crate) fn length(&self, cache: CacheId) -> usize {
        self.live.get(&cache).copied().unwrap_or(0)
    }

    /// An empty cache that may grow to `length` positions.
    pub(crate) fn make(&mut self, length: usize) -> Result<CacheId> {
        let cache = self.decoder.new_cache()?;
        self.reserve(cache, length);
        Ok(cache)
    }

    /// A cache with the first `shared` positions of another, which may grow to `length`.
    pub(crate) fn fork(&mut self, from: CacheId, shared: usize, length: usize) -> Result<CacheId> {
        let cache = self.decoder.fork(from, shared)?;
        self.reserve(cache, length);
        Ok(cache)
    }

    /// Lets a cache grow to `length` positions.
    pub(crate) fn reserve(&mut self, cache: CacheId, length: usize) {
        let before = self.live.insert(cache, length).unwrap_or(0);
        self.held = self.held - before + length;
    }

    pub(crate) fn free(&mut self, cache: CacheId) {
        if let Some(length) = self.live.remove(&cache) {
            self.held -= length;
            self.decoder.free(cache);
        }
    }
}

impl<D: Decoder + ?Sized> Drop for Caches<'_, D> {
    fn drop(&mut self) {
        for (cache, _) in self.live.drain() {
            self.decoder.free(cache);
        }
    }
}
