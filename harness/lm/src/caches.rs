//! The caches in use, and how many positions they hold.

use crate::{CacheId, Decoder};
use examiner_api::Result;
use std::collections::HashMap;
use std::rc::Rc;

/// Positions that are kept as long as any cache goes through them.
struct Stretch {
    length: usize,
}

/// Borrows a decoder and frees every cache made through it, also after an error.
pub(crate) struct Caches<'d, D: Decoder + ?Sized> {
    pub(crate) decoder: &'d mut D,
    live: HashMap<CacheId, Vec<Rc<Stretch>>>,
    held: usize,
}

impl<'d, D: Decoder + ?Sized> Caches<'d, D> {
    pub(crate) fn new(decoder: &'d mut D) -> Self {
        Caches { decoder, live: HashMap::new(), held: 0 }
    }

    /// Positions that all caches together may grow to. Those that forks share count once if the decoder shares their
    /// memory.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Positions that one cache may grow to.
    pub(crate) fn length(&self, cache: CacheId) -> usize {
        self.live.get(&cache).map_or(0, |stretches| stretches.iter().map(|stretch| stretch.length).sum())
    }

    /// An empty cache that may grow to `length` positions.
    pub(crate) fn make(&mut self, length: usize) -> Result<CacheId> {
        let cache = self.decoder.new_cache()?;
        self.live.insert(cache, Vec::new());
        self.reserve(cache, length);
        Ok(cache)
    }

    /// A cache with all `shared` positions of another, which may grow to `length`.
    pub(crate) fn fork(&mut self, from: CacheId, shared: usize, length: usize) -> Result<CacheId> {
        let cache = self.decoder.fork(from, shared)?;
        let stretches = if self.decoder.forks_share_memory() { self.live.get(&from).cloned() } else { None };
        self.live.insert(cache, stretches.unwrap_or_default());
        self.reserve(cache, length);
        Ok(cache)
    }

    /// Lets a cache grow to `length` positions.
    pub(crate) fn reserve(&mut self, cache: CacheId, length: usize) {
        let more = length.saturating_sub(self.length(cache));
        if let Some(stretches) = self.live.get_mut(&cache) {
            stretches.push(Rc::new(Stretch { length: more }));
            self.held += more;
        }
    }

    pub(crate) fn free(&mut self, cache: CacheId) {
        if let Some(stretches) = self.live.remove(&cache) {
            let freed = stretches.into_iter().filter_map(Rc::into_inner).map(|stretch| stretch.length);
            self.held -= freed.sum::<usize>();
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
