//! The caches in use, how many positions they hold, and which of them stay for later batches.

use crate::kept::{Kept, Scores, Spared};
use crate::log_softmax::TokenScore;
use crate::{CacheId, Decoder};
use examiner_api::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// Positions that are kept as long as any cache goes through them.
struct Stretch {
    length: usize,
}

/// What a cache may grow to.
struct Extent {
    length: usize,
    /// In their order, each with how many of its positions are the cache's. It may hold more, of the one that this was
    /// forked from.
    stretches: Vec<(Arc<Stretch>, usize)>,
}

/// What a decoder's caches hold. Between batches, that is what is kept.
#[derive(Default)]
pub(crate) struct Holdings {
    live: HashMap<CacheId, Extent>,
    held: usize,
    kept: Kept,
}

impl Holdings {
    /// Frees all caches.
    pub(crate) fn clear<D: Decoder + ?Sized>(&mut self, decoder: &mut D) {
        self.kept = Kept::default();
        drop(Caches::new(decoder, self, 0));
    }
}

/// Borrows a decoder, and frees every cache made through it that is not kept, also after an error.
pub(crate) struct Caches<'d, D: Decoder + ?Sized> {
    pub(crate) decoder: &'d mut D,
    holdings: &'d mut Holdings,
    /// Most positions that are kept for later batches.
    most_kept: usize,
}

impl<'d, D: Decoder + ?Sized> Caches<'d, D> {
    pub(crate) fn new(decoder: &'d mut D, holdings: &'d mut Holdings, most_kept: usize) -> Self {
        Caches { decoder, holdings, most_kept }
    }

    /// Positions that all caches together may grow to. Those that forks share count once if the decoder shares their
    /// memory.
    pub(crate) fn held(&self) -> usize {
        self.holdings.held
    }

    /// Positions that one cache may grow to.
    pub(crate) fn length(&self, cache: CacheId) -> usize {
        self.holdings.live.get(&cache).map_or(0, |extent| extent.length)
    }

    /// An empty cache that may grow to `length` positions.
    pub(crate) fn make(&mut self, length: usize) -> Result<CacheId> {
        let cache = self.decoder.new_cache()?;
        self.holdings.live.insert(cache, Extent { length: 0, stretches: Vec::new() });
        self.reserve(cache, length);
        Ok(cache)
    }

    /// A cache with the first `shared` positions of another, which may grow to `length`.
    pub(crate) fn fork(&mut self, from: CacheId, shared: usize, length: usize) -> Result<CacheId> {
        let cache = self.decoder.fork(from, shared)?;
        let mut extent = Extent { length: 0, stretches: Vec::new() };
        if self.decoder.forks_share_memory() {
            for (stretch, used) in self.holdings.live.get(&from).map_or(&[][..], |extent| &extent.stretches) {
                let used = (*used).min(shared - extent.length);
                if used > 0 {
                    extent.stretches.push((Arc::clone(stretch), used));
                    extent.length += used;
                }
            }
        }
        self.holdings.live.insert(cache, extent);
        self.reserve(cache, length);
        Ok(cache)
    }

    /// Lets a cache grow to `length` positions.
    pub(crate) fn reserve(&mut self, cache: CacheId, length: usize) {
        if let Some(extent) = self.holdings.live.get_mut(&cache) {
            let more = length.saturating_sub(extent.length);
            extent.stretches.push((Arc::new(Stretch { length: more }), more));
            extent.length += more;
            self.holdings.held += more;
        }
    }

    pub(crate) fn free(&mut self, cache: CacheId) {
        if let Some(extent) = self.holdings.live.remove(&cache) {
            let freed = extent
                .stretches
                .into_iter()
                .filter_map(|(stretch, _)| Arc::into_inner(stretch))
                .map(|stretch| stretch.length);
            self.holdings.held -= freed.sum::<usize>();
            self.decoder.free(cache);
        }
    }

    /// Keeps the first `length` positions of a cache for later batches, if that may be worth it: `what` says which
    /// tokens they are, and what is known of them. That takes no further memory, and is given up again as soon as
    /// something else needs the room.
    pub(crate) fn keep(&mut self, length: usize, from: CacheId, what: impl FnOnce() -> (Vec<u32>, Scores)) {
        if length > self.most_kept || !Kept::is_worth(length) {
            return;
        }
        let (tokens, scores) = what();
        if self.holdings.kept.renew(&tokens, &scores) {
            return;
        }
        // What cannot be kept is computed again.
        let Ok(cache) = self.fork(from, length, length) else { return };
        self.holdings.kept.insert(tokens, cache, scores);
        while self.kept().0 > self.most_kept && self.evict() {}
    }

    /// Positions that are kept for later batches, and how many of them are held for nothing else.
    fn kept(&self) -> (usize, usize) {
        let extents = self.holdings.kept.caches().into_iter().filter_map(|cache| self.holdings.live.get(&cache));
        let mut uses: HashMap<*const Stretch, (&Arc<Stretch>, usize)> = HashMap::new();
        for (stretch, _) in extents.flat_map(|extent| &extent.stretches) {
            uses.entry(Arc::as_ptr(stretch)).or_insert((stretch, 0)).1 += 1;
        }
        let all = uses.values().map(|(stretch, _)| stretch.length).sum();
        let only = uses.values().filter(|(stretch, uses)| Arc::strong_count(stretch) == *uses);
        (all, only.map(|(stretch, _)| stretch.length).sum())
    }

    /// Positions that would be free if nothing were kept.
    pub(crate) fn evictable(&self) -> usize {
        self.kept().1
    }

    /// What is kept of a sequence from the position `start` on: see [`Kept::find`].
    pub(crate) fn find(
        &mut self,
        path: &[u32],
        start: usize,
        spared: impl Fn(&[Option<TokenScore>]) -> usize,
    ) -> Option<Spared> {
        self.holdings.kept.find(path, start, spared)
    }

    /// Whether anything is kept.
    pub(crate) fn keeps_anything(&self) -> bool {
        !self.holdings.kept.is_empty()
    }

    /// Gives up what was kept and not used for the longest time, of that by which something becomes free, if there is
    /// anything.
    pub(crate) fn evict(&mut self) -> bool {
        let is_alone = |(stretch, _): &(Arc<Stretch>, usize)| stretch.length > 0 && Arc::strong_count(stretch) == 1;
        let live = &self.holdings.live;
        let frees = |cache: CacheId| live.get(&cache).is_some_and(|extent| extent.stretches.iter().any(is_alone));
        let evicted = self.holdings.kept.evict(frees);
        evicted.into_iter().for_each(|cache| self.free(cache));
        evicted.is_some()
    }
}

impl<D: Decoder + ?Sized> Drop for Caches<'_, D> {
    fn drop(&mut self) {
        let kept = self.holdings.kept.caches();
        let others: Vec<CacheId> = self.holdings.live.keys().filter(|cache| !kept.contains(cache)).copied().collect();
        for cache in others {
            self.free(cache);
        }
    }
}
