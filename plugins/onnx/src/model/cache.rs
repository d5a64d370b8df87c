//! Which keys and values belong to which sequence.
//!
//! A call of the graph leaves the keys and values of all its rows in one tensor for each layer: a group. A sequence's cache
//! is a row of a group and the positions there that are its own; others are padding, or were cut off when it was forked.
//! So a fork copies nothing, and rows that go on together go on in place. Which rows and positions are whose is kept here; the tensors
//! themselves are moved by [`super::assemble`].

use super::batches::Extent;
use examiner_api::{PluginError, Result};
use examiner_lm::CacheId;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Positions of a row, as ranges in ascending order that do not touch.
pub(crate) type Positions = Vec<Range<usize>>;

/// The keys and values of several sequences, of `rows` rows of `length` positions.
pub(crate) struct Group<T> {
    pub(crate) tensors: Vec<T>,
    pub(crate) rows: usize,
    pub(crate) length: usize,
    /// How many caches use each row.
    held: Vec<usize>,
}

impl<T> Group<T> {
    /// A group with one cache in each row.
    pub(crate) fn of(tensors: Vec<T>, rows: usize, length: usize) -> Self {
        Group { tensors, rows, length, held: vec![1; rows] }
    }
}

/// A sequence's cache.
#[derive(Debug, Clone, Default)]
struct Cache {
    /// None as long as it is empty.
    location: Option<(u64, usize)>,
    seen: Positions,
}

/// The rows of one group that a call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) group: u64,
    pub(crate) rows: Vec<usize>,
    /// The positions that any of them sees.
    pub(crate) columns: Positions,
}

/// All caches, and the groups that they are in.
pub(crate) struct Caches<T> {
    caches: HashMap<CacheId, Cache>,
    groups: BTreeMap<u64, Group<T>>,
    next: u64,
}

impl<T> Caches<T> {
    pub(crate) fn new() -> Self {
        Caches { caches: HashMap::new(), groups: BTreeMap::new(), next: 1 }
    }

    fn insert(&mut self, cache: Cache) -> CacheId {
        let id = CacheId(self.next);
        self.next += 1;
        if let Some((group, row)) = cache.location
            && let Some(group) = self.groups.get_mut(&group)
        {
            group.held[row] += 1;
        }
        self.caches.insert(id, cache);
        id
    }

    fn get(&self, id: CacheId) -> Result<&Cache> {
        self.caches.get(&id).ok_or_else(|| PluginError::bad_input(format!("there is no cache {}", id.0)))
    }

    /// An empty cache.
    pub(crate) fn create(&mut self) -> CacheId {
        self.insert(Cache::default())
    }

    /// A cache of the first `length` positions of another.
    pub(crate) fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        let cache = self.get(from)?;
        let there = count(&cache.seen);
        if length > there {
            return Err(PluginError::bad_input(format!(
                "cannot fork {length} positions of a cache that holds {there}"
            )));
        }
        let seen = first(&cache.seen, length);
        let location = cache.location.filter(|_| length > 0);
        Ok(self.insert(Cache { location, seen }))
    }

    /// Drops a cache. Where most rows of its group are unused now, gives the ones that are left.
    pub(crate) fn free(&mut self, id: CacheId) -> Option<Source> {
        let (group, row) = self.caches.remove(&id)?.location?;
        self.leave(group, row);
        let there = self.groups.get(&group)?;
        let rows: Vec<usize> = (0..there.rows).filter(|&row| there.held[row] > 0).collect();
        (2 * rows.len() <= there.rows).then(|| {
            let own = self.caches.values().filter(|cache| cache.location.is_some_and(|location| location.0 == group));
            let columns = union(own.flat_map(|cache| cache.seen.iter().cloned()));
            Source { group, rows, columns }
        })
    }

    fn leave(&mut self, group: u64, row: usize) {
        if let Some(there) = self.groups.get_mut(&group) {
            there.held[row] -= 1;
            if there.held.iter().all(|&held| held == 0) {
                self.groups.remove(&group);
            }
        }
    }

    /// Number of positions of a cache.
    pub(crate) fn length(&self, id: CacheId) -> Result<usize> {
        Ok(count(&self.get(id)?.seen))
    }

    /// What a segment that goes on in a cache takes of a call.
    pub(crate) fn extent(&self, id: CacheId, tokens: usize) -> Result<Extent> {
        let cache = self.get(id)?;
        let past = match (cache.seen.first(), cache.seen.last()) {
            (Some(first), Some(last)) => last.end - first.start,
            _ => 0,
        };
        Ok(Extent { past, tokens, neighbours: cache.location.unwrap_or_default() })
    }

    pub(crate) fn group(&self, group: u64) -> Result<&Group<T>> {
        self.groups.get(&group).ok_or_else(|| PluginError::bad_input(format!("there is no group of caches {group}")))
    }

    /// Where the rows of a call come from; consecutive ones of one group together. Empty caches have none, and must
    /// be the first.
    pub(crate) fn sources(&self, members: &[CacheId]) -> Result<Vec<Source>> {
        let mut sources: Vec<Source> = Vec::new();
        for &id in members {
            let cache = self.get(id)?;
            let Some((group, row)) = cache.location else { continue };
            match sources.last_mut().filter(|source| source.group == group) {
                Some(source) => {
                    source.rows.push(row);
                    source.columns.extend(cache.seen.iter().cloned());
                }
                None => sources.push(Source { group, rows: vec![row], columns: cache.seen.clone() }),
            }
        }
        for source in &mut sources {
            source.columns = union(std::mem::take(&mut source.columns).into_iter());
        }
        Ok(sources)
    }

    /// The positions that a cache sees.
    pub(crate) fn seen(&self, id: CacheId) -> Result<&[Range<usize>]> {
        Ok(&self.get(id)?.seen)
    }

    /// After a call: its members, row by row, are in a new group of `length` positions and see those in `seen`.
    pub(crate) fn settle(&mut self, members: &[CacheId], tensors: Vec<T>, length: usize, seen: Vec<Positions>) {
        let group = self.next;
        self.next += 1;
        let rows = members.len();
        self.groups.insert(group, Group::of(tensors, rows, length));
        for (row, (id, seen)) in members.iter().zip(seen).enumerate() {
            let before = self.caches.insert(*id, Cache { location: Some((group, row)), seen });
            if let Some((group, row)) = before.and_then(|cache| cache.location) {
                self.leave(group, row);
            }
        }
    }

    /// Puts the rows of a group that are left, which [`Caches::free`] gave, into its entry.
    pub(crate) fn shrink(&mut self, source: &Source, tensors: Vec<T>) {
        let Some(old) = self.groups.get(&source.group) else { return };
        let held = source.rows.iter().map(|&row| old.held[row]).collect();
        let new = Group { tensors, rows: source.rows.len(), length: count(&source.columns), held };
        self.groups.insert(source.group, new);
        for cache in self.caches.values_mut() {
            if let Some((group, row)) = cache.location.filter(|location| location.0 == source.group) {
                let row = source.rows.iter().position(|&kept| kept == row).unwrap_or(row);
                cache.location = Some((group, row));
                cache.seen = moved(&cache.seen, &source.columns, 0);
            }
        }
    }

    #[cfg(test)]
    fn groups(&self) -> usize {
        self.groups.len()
    }
}

/// All of so many positions.
pub(crate) fn whole(length: usize) -> Positions {
    std::iter::once(0..length).filter(|all| !all.is_empty()).collect()
}

/// How many positions there are.
pub(crate) fn count(positions: &[Range<usize>]) -> usize {
    positions.iter().map(ExactSizeIterator::len).sum()
}

/// The first `length` of the positions.
fn first(positions: &[Range<usize>], length: usize) -> Positions {
    let mut left = length;
    let mut taken = Positions::new();
    for range in positions {
        let range = range.start..range.end.min(range.start + left);
        left -= range.len();
        push(&mut taken, range);
    }
    taken
}

/// Adds a range that begins at or after the end of all others.
pub(crate) fn push(positions: &mut Positions, range: Range<usize>) {
    match positions.last_mut() {
        _ if range.is_empty() => (),
        Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
        _ => positions.push(range),
    }
}

fn union(ranges: impl Iterator<Item = Range<usize>>) -> Positions {
    let mut ranges: Vec<Range<usize>> = ranges.collect();
    ranges.sort_by_key(|range| range.start);
    ranges.into_iter().fold(Positions::new(), |mut positions, range| {
        push(&mut positions, range);
        positions
    })
}

/// Where positions are after nothing but `columns`, which contain them, was kept, `pad` positions further on.
pub(crate) fn moved(positions: &[Range<usize>], columns: &[Range<usize>], pad: usize) -> Positions {
    let mut moved = Positions::new();
    for range in positions {
        let mut before = pad;
        for column in columns {
            let (start, end) = (range.start.max(column.start), range.end.min(column.end));
            if start < end {
                push(&mut moved, before + start - column.start..before + end - column.start);
            }
            before += column.len();
        }
    }
    moved
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one stretch of positions, not a list of them")]
mod tests {
    use super::*;

    #[test]
    fn forks_stand_in_their_parents_row_until_they_go_on() {
        let mut caches = Caches::new();
        let (a, b) = (caches.create(), caches.create());
        assert!(caches.sources(&[a, b]).unwrap().is_empty());
        // `a` has three tokens, `b` five; `a` is padded on the left.
        caches.settle(&[a, b], vec!["keys"], 5, vec![vec![2..5], vec![0..5]]);
        let fork = caches.fork(a, 2).unwrap();
        assert_eq!((caches.length(a).unwrap(), caches.length(fork).unwrap()), (3, 2));
        assert_eq!(caches.extent(fork, 7).unwrap().past, 2);
        let sources = caches.sources(&[fork, a]).unwrap();
        assert_eq!((sources[0].rows.as_slice(), sources[0].columns.as_slice()), ([0, 0].as_slice(), [2..5].as_slice()));
        caches.settle(&[fork], vec!["more"], 4, vec![vec![0..4]]);
        assert_eq!((caches.groups(), caches.length(fork).unwrap(), caches.length(a).unwrap()), (2, 4, 3));
        assert!(caches.free(fork).is_none());
        assert_eq!(caches.groups(), 1);
        assert_eq!(caches.fork(a, 4).unwrap_err().message, "cannot fork 4 positions of a cache that holds 3");
    }

    #[test]
    fn a_group_of_which_most_rows_are_free_shrinks() {
        let mut caches = Caches::new();
        let ids: Vec<CacheId> = (0..4).map(|_| caches.create()).collect();
        caches.settle(&ids, vec![0], 6, vec![vec![0..6], vec![2..6], vec![3..4, 5..6], vec![0..6]]);
        let fork = caches.fork(ids[2], 1).unwrap();
        assert!(caches.free(ids[0]).is_none());
        let left = caches.free(ids[3]).unwrap();
        assert_eq!((left.rows.as_slice(), left.columns.as_slice()), ([1, 2].as_slice(), [2..6].as_slice()));
        caches.shrink(&left, vec![1]);
        assert_eq!(caches.group(left.group).unwrap().length, 4);
        assert_eq!(caches.seen(ids[1]).unwrap(), [0..4]);
        assert_eq!(caches.seen(ids[2]).unwrap(), [1..2, 3..4]);
        assert_eq!(caches.seen(fork).unwrap(), std::slice::from_ref(&(1..2)));
        assert_eq!(caches.extent(fork, 1).unwrap().neighbours, (left.group, 1));
    }

    #[test]
    fn positions_move_with_their_columns() {
        let columns = [1..3, 6..9];
        assert_eq!(moved(&[1..3, 6..7], &columns, 2), [2..5]);
        assert_eq!(moved(&[2..3, 8..9], &columns, 0), [1..2, 4..5]);
        assert_eq!(first(&[1..3, 6..9], 3), [1..3, 6..7]);
        assert_eq!(count(&columns), 5);
    }
}
