//! Key/value caches as chains of shared blocks.
//!
//! A fork shares its parent's blocks and copies nothing: a chain says how much of each block is its own, and a
//! chain writes only into a last block that no other chain holds. What goes on after a shared block gets a block of its
//! own, exactly as large as it must be; only a sequence that grows token by token gets some room in advance.

use examiner_api::{PluginError, Result};
use examiner_lm::CacheId;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Most positions that are reserved in advance.
const MOST_SPARE: usize = 32;

/// What all blocks of a model hold for each position: a key and a value for each layer and head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheShape {
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    /// Width of a head.
    pub(crate) width: usize,
}

impl CacheShape {
    /// Values that one position takes, keys and values together.
    pub(crate) fn values_per_token(&self) -> usize {
        2 * self.layers * self.heads * self.width
    }
}

/// The keys and values of one sequence, in the order of positions.
pub(crate) struct Chain<B> {
    links: Vec<Link<B>>,
}

struct Link<B> {
    block: Arc<B>,
    used: usize,
    capacity: usize,
}

impl<B> Chain<B> {
    /// Number of positions.
    pub(crate) fn length(&self) -> usize {
        self.links.iter().map(|link| link.used).sum()
    }

    /// The blocks and how many positions of each belong to the sequence.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (&B, usize)> {
        self.links.iter().map(|link| (&*link.block, link.used))
    }

    /// A chain of the first `length` positions that shares this one's blocks.
    fn fork(&self, length: usize) -> Self {
        let mut left = length;
        let mut links = Vec::new();
        for link in &self.links {
            let used = link.used.min(left);
            if used == 0 {
                break;
            }
            left -= used;
            links.push(Link { block: Arc::clone(&link.block), used, capacity: link.capacity });
        }
        Chain { links }
    }

    /// Adds room for `tokens` positions; `make` gives a block of a capacity. The new positions hold nothing of use
    /// until [`Chain::write`] has filled them.
    pub(crate) fn grow(&mut self, tokens: usize, mut make: impl FnMut(usize) -> Result<B>) -> Result<()> {
        let mut left = tokens;
        if let Some(last) = self.links.last_mut()
            && Arc::get_mut(&mut last.block).is_some()
        {
            let taken = left.min(last.capacity - last.used);
            last.used += taken;
            left -= taken;
        }
        if left > 0 {
            let own = self.links.iter().rev().take_while(|link| Arc::strong_count(&link.block) == 1);
            let own: usize = own.map(|link| link.used).sum();
            let capacity = left.max(own.min(MOST_SPARE));
            self.links.push(Link { block: Arc::new(make(capacity)?), used: left, capacity });
        }
        Ok(())
    }

    /// Removes what comes after the first `length` positions.
    pub(crate) fn truncate(&mut self, length: usize) {
        let mut left = length;
        for link in &mut self.links {
            link.used = link.used.min(left);
            left -= link.used;
        }
        self.links.retain(|link| link.used > 0);
    }

    /// Passes on the blocks that hold the positions from `from` on, which were added by [`Chain::grow`]: the block,
    /// the index of the first position within it, and which of the new positions they are, from 0.
    pub(crate) fn write(
        &mut self,
        from: usize,
        mut put: impl FnMut(&mut B, usize, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let mut begin = 0;
        for link in &mut self.links {
            let end = begin + link.used;
            if end > from {
                let first = begin.max(from);
                let block = Arc::get_mut(&mut link.block).ok_or_else(|| {
                    PluginError::bad_input("a shared block of a key/value cache was to be written to")
                })?;
                put(block, first - begin, first - from..end - from)?;
            }
            begin = end;
        }
        Ok(())
    }
}

/// All caches of a model.
pub(crate) struct Caches<B> {
    chains: HashMap<CacheId, Chain<B>>,
    next: u64,
}

impl<B> Caches<B> {
    pub(crate) fn new() -> Self {
        Caches { chains: HashMap::new(), next: 0 }
    }

    fn insert(&mut self, chain: Chain<B>) -> CacheId {
        let id = CacheId(self.next);
        self.next += 1;
        self.chains.insert(id, chain);
        id
    }

    /// An empty cache.
    pub(crate) fn create(&mut self) -> CacheId {
        self.insert(Chain { links: Vec::new() })
    }

    /// A cache that shares the first `length` positions of another.
    pub(crate) fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        let chain = self.chains.get(&from).ok_or_else(|| unknown(from))?;
        if length > chain.length() {
            return Err(PluginError::bad_input(format!(
                "cannot fork {length} positions of a cache that holds {}",
                chain.length()
            )));
        }
        let fork = chain.fork(length);
        Ok(self.insert(fork))
    }

    /// Drops a cache; blocks that no other one holds go with it.
    pub(crate) fn free(&mut self, cache: CacheId) {
        self.chains.remove(&cache);
    }

    /// Takes a cache out, to be put back after a pass.
    pub(crate) fn take(&mut self, cache: CacheId) -> Result<Chain<B>> {
        self.chains.remove(&cache).ok_or_else(|| unknown(cache))
    }

    /// Puts a cache back.
    pub(crate) fn put(&mut self, cache: CacheId, chain: Chain<B>) {
        self.chains.insert(cache, chain);
    }
}

fn unknown(cache: CacheId) -> PluginError {
    PluginError::bad_input(format!("there is no cache {}, or it occurs twice in one pass", cache.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of numbers: as many as there is room for.
    fn add(chain: &mut Chain<Vec<u32>>, tokens: &[u32]) {
        let from = chain.length();
        chain.grow(tokens.len(), |capacity| Ok(vec![0; capacity])).unwrap();
        let put = |block: &mut Vec<u32>, at: usize, new: Range<usize>| {
            block[at..at + new.len()].copy_from_slice(&tokens[new]);
            Ok(())
        };
        chain.write(from, put).unwrap();
    }

    fn read(chain: &Chain<Vec<u32>>) -> Vec<u32> {
        chain.blocks().flat_map(|(block, used)| block[..used].to_vec()).collect()
    }

    #[test]
    fn forks_share_blocks_and_do_not_disturb_each_other() {
        let mut caches = Caches::new();
        let parent = caches.create();
        let mut chain = caches.take(parent).unwrap();
        add(&mut chain, &[1, 2, 3, 4, 5]);
        caches.put(parent, chain);
        let child = caches.fork(parent, 3).unwrap();
        let (mut a, mut b) = (caches.take(parent).unwrap(), caches.take(child).unwrap());
        assert!(Arc::ptr_eq(&a.links[0].block, &b.links[0].block));
        add(&mut a, &[6]);
        add(&mut b, &[7, 8]);
        assert_eq!((read(&a), read(&b)), (vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3, 7, 8]));
        assert_eq!(b.links.iter().map(|link| link.capacity).collect::<Vec<_>>(), [5, 2]);
        drop(a);
        assert_eq!(read(&b), [1, 2, 3, 7, 8]);
        assert!(caches.take(parent).is_err(), "taken twice");
    }

    #[test]
    fn a_sequence_that_grows_token_by_token_wastes_little() {
        let mut chain = Chain { links: Vec::new() };
        for token in 0..500 {
            add(&mut chain, &[token]);
            let reserved: usize = chain.links.iter().map(|link| link.capacity).sum();
            assert!(reserved <= 2 * chain.length() && reserved < chain.length() + MOST_SPARE);
        }
        assert_eq!(read(&chain), (0..500).collect::<Vec<_>>());
        assert!(chain.links.len() < 24);
    }

    #[test]
    fn truncation_makes_room_that_is_used_again() {
        let mut chain = Chain { links: Vec::new() };
        add(&mut chain, &[1, 2, 3]);
        add(&mut chain, &[4, 5]);
        chain.truncate(2);
        add(&mut chain, &[9, 8]);
        assert_eq!(read(&chain), [1, 2, 9, 8]);
    }

    #[test]
    fn forks_no_more_than_there_is() {
        let mut caches: Caches<()> = Caches::new();
        let cache = caches.create();
        assert_eq!(caches.fork(cache, 1).unwrap_err().message, "cannot fork 1 positions of a cache that holds 0");
        caches.free(cache);
        assert!(caches.fork(cache, 0).is_err());
    }
}
