//! What outlives a batch: beginnings of sequences whose keys and values later batches may share.
//!
//! A sequence shares with a kept one what both begin with, wherever that ends. The greatest of it is found beside the
//! place that the sequence would have among the kept ones in their order.

use crate::CacheId;
use crate::log_softmax::TokenScore;
use crate::prefix_tree::common_length;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

/// Shorter beginnings are computed sooner than kept.
const SHORTEST: usize = 16;

/// By position: what was scored of the token there. Positions at its end may be left out.
pub(crate) type Scores = Vec<Option<TokenScore>>;

/// The beginnings that are kept.
#[derive(Default)]
pub(crate) struct Kept {
    beginnings: BTreeMap<Vec<u32>, Beginning>,
    /// Number of uses so far.
    uses: u64,
}

struct Beginning {
    cache: CacheId,
    scores: Scores,
    /// Which of all uses was the last one of it.
    used: u64,
}

/// A beginning that spares the computation of some tokens.
pub(crate) struct Spared {
    pub(crate) cache: CacheId,
    /// How many.
    pub(crate) count: usize,
    /// What is known of each of them, and of those behind them that are kept, too.
    pub(crate) scores: Scores,
}

impl Kept {
    /// Whether a beginning may be worth its place.
    pub(crate) fn is_worth(length: usize) -> bool {
        length >= SHORTEST
    }

    /// The kept beginning that spares most of the tokens of `path` from `start` on. How many it spares is said by
    /// `spared`, which gets what is known of each token that it could spare.
    pub(crate) fn find(
        &mut self,
        path: &[u32],
        start: usize,
        spared: impl Fn(&[Option<TokenScore>]) -> usize,
    ) -> Option<Spared> {
        let before = self.beginnings.range::<[u32], _>((Bound::Unbounded, Bound::Included(path))).next_back();
        let after = self.beginnings.range::<[u32], _>((Bound::Excluded(path), Bound::Unbounded)).next();
        let found = before.into_iter().chain(after).filter_map(|(tokens, beginning)| {
            let common = common_length(tokens, path);
            let of = |position: usize| beginning.scores.get(position).copied().flatten();
            let scores: Scores = (start..common).map(of).collect();
            let (count, cache) = (spared(&scores), beginning.cache);
            (count > 0).then(|| (tokens.clone(), Spared { cache, count, scores }))
        });
        let (tokens, spared) = found.max_by_key(|(_, spared)| spared.count)?;
        self.renew(&tokens, &[]);
        Some(spared)
    }

    /// Notes that a beginning is used, and what is known of its tokens besides. Whether it is kept.
    pub(crate) fn renew(&mut self, tokens: &[u32], scores: &[Option<TokenScore>]) -> bool {
        self.uses += 1;
        let Some(beginning) = self.beginnings.get_mut(tokens) else { return false };
        beginning.used = self.uses;
        if beginning.scores.len() < scores.len() {
            beginning.scores.resize(scores.len(), None);
        }
        for (known, score) in beginning.scores.iter_mut().zip(scores) {
            *known = known.or(*score);
        }
        true
    }

    /// Adds a beginning that is not kept yet, in a cache that holds it. What is known of a beginning of its own is
    /// known of it, too.
    pub(crate) fn insert(&mut self, tokens: Vec<u32>, cache: CacheId, mut scores: Scores) {
        self.uses += 1;
        let before = (Bound::Unbounded, Bound::Excluded(tokens.as_slice()));
        if let Some((before, beginning)) = self.beginnings.range::<[u32], _>(before).next_back() {
            let common = common_length(before, &tokens).min(beginning.scores.len());
            scores.resize(scores.len().max(common), None);
            for (known, score) in scores.iter_mut().zip(&beginning.scores[..common]) {
                *known = known.or(*score);
            }
        }
        self.beginnings.insert(tokens, Beginning { cache, scores, used: self.uses });
    }

    /// Takes out the beginning that was not used for the longest time, one that is `preferred` before all others.
    pub(crate) fn evict(&mut self, preferred: impl Fn(CacheId) -> bool) -> Option<CacheId> {
        let order = |beginning: &Beginning| (!preferred(beginning.cache), beginning.used);
        let oldest = self.beginnings.iter().min_by_key(|(_, beginning)| order(beginning))?.0.clone();
        self.beginnings.remove(&oldest).map(|beginning| beginning.cache)
    }

    /// The caches that beginnings are in.
    pub(crate) fn caches(&self) -> HashSet<CacheId> {
        self.beginnings.values().map(|beginning| beginning.cache).collect()
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.beginnings.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score(number: u32) -> Option<TokenScore> {
        Some(TokenScore { logprob: -(number as f32), is_greedy: number.is_multiple_of(2) })
    }

    #[test]
    fn what_is_known_of_a_beginning_grows_and_the_oldest_goes_first() {
        let mut kept = Kept::default();
        kept.insert(vec![1, 2, 3], CacheId(1), Vec::new());
        kept.insert(vec![1, 2, 4], CacheId(2), vec![None, score(2)]);
        assert!(kept.renew(&[1, 2, 3], &[None, None, score(3)]));
        assert!(!kept.renew(&[1, 2], &[]));
        let scored = |known: &[Option<TokenScore>]| known.iter().take_while(|score| score.is_some()).count();
        let found = kept.find(&[1, 2, 3, 9], 2, scored).map(|found| (found.cache, found.count, found.scores));
        assert_eq!(found, Some((CacheId(1), 1, vec![score(3)])));
        let first = |known: &[Option<TokenScore>]| known.len().min(1);
        let found = kept.find(&[1, 2, 4], 0, first).map(|found| (found.count, found.scores));
        assert_eq!(found, Some((1, vec![None, score(2), None])), "what follows is known, too");
        assert!(kept.find(&[1, 2, 3, 9], 1, scored).is_some_and(|found| found.cache == CacheId(2)));
        kept.insert(vec![5], CacheId(3), Vec::new());
        assert_eq!(kept.evict(|cache| cache == CacheId(3)), Some(CacheId(3)));
        assert_eq!([(); 3].map(|()| kept.evict(|_| false)), [Some(CacheId(1)), Some(CacheId(2)), None]);
    }

    proptest! {
        /// Against a comparison with each of them.
        #[test]
        fn none_has_more_in_common(
            all in prop::collection::btree_set(prop::collection::vec(0_u32..3, 1..8), 1..20),
            path in prop::collection::vec(0_u32..3, 1..8),
            start in 0_usize..3,
        ) {
            let mut kept = Kept::default();
            for (number, tokens) in all.iter().enumerate() {
                kept.insert(tokens.clone(), CacheId(number as u64), Vec::new());
            }
            let common = all.iter().map(|tokens| tokens.iter().zip(&path).take_while(|(a, b)| a == b).count());
            let most = common.max().unwrap().saturating_sub(start);
            let found = kept.find(&path, start, <[_]>::len);
            prop_assert_eq!(found.map_or(0, |found| found.count), most);
        }
    }
}
