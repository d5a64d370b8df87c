//! Keys and values in slots: one for each sequence, with room for more positions than it has.
//!
//! A call takes neighbouring slots. So before it, its sequences are moved together; they mostly are already, because
//! a sequence that ends leaves a gap that another one fills once.

use examiner_api::{PluginError, Result};
use examiner_lm::CacheId;
use std::collections::HashMap;
use std::ops::Range;

/// Least positions of a slot. Memory that is not written to costs nothing; an odd number of lines keeps slots from meeting
/// in the same sets of the processor's caches.
const LEAST_CAPACITY: usize = 1024 + 16;

/// What all slots are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotShape {
    /// Tensors of keys and of values, of all layers.
    pub(crate) tensors: usize,
    pub(crate) heads: usize,
    /// Width of a head.
    pub(crate) width: usize,
    /// Positions that the graph asks every slot to have room for.
    pub(crate) room: usize,
}

impl SlotShape {
    fn least_capacity(self) -> usize {
        self.room.max(LEAST_CAPACITY)
    }
}

/// The slot of a sequence, none as long as it is empty, and its positions.
#[derive(Debug, Clone, Copy, Default)]
struct Stored {
    slot: Option<usize>,
    length: usize,
}

/// All caches, of numbers of the type `T`, whose default is zero.
pub(crate) struct Slots<T> {
    shape: SlotShape,
    /// `[slots, heads, capacity, width]` each.
    tensors: Vec<Vec<T>>,
    /// Positions of a slot.
    capacity: usize,
    owners: Vec<Option<CacheId>>,
    caches: HashMap<CacheId, Stored>,
    next: u64,
}

impl<T: Copy + Default> Slots<T> {
    pub(crate) fn new(shape: SlotShape) -> Self {
        let tensors = vec![Vec::new(); shape.tensors];
        let capacity = shape.least_capacity();
        Slots { shape, tensors, capacity, owners: Vec::new(), caches: HashMap::new(), next: 1 }
    }

    fn stored(&self, id: CacheId) -> Result<Stored> {
        self.caches.get(&id).copied().ok_or_else(|| PluginError::bad_input(format!("there is no cache {}", id.0)))
    }

    /// An empty cache.
    pub(crate) fn create(&mut self) -> CacheId {
        let id = CacheId(self.next);
        self.next += 1;
        self.caches.insert(id, Stored::default());
        id
    }

    /// A cache of the first `length` positions of another: a copy of them.
    pub(crate) fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        let stored = self.stored(from)?;
        if length > stored.length {
            let there = stored.length;
            return Err(PluginError::bad_input(format!(
                "cannot fork {length} positions of a cache that holds {there}"
            )));
        }
        let id = self.create();
        if let Some(source) = stored.slot.filter(|_| length > 0) {
            let slot = self.free_slot();
            self.copy(source, slot, length);
            self.settle(id, slot);
            self.set_length(id, length);
        }
        Ok(id)
    }

    /// Drops a cache. With the last one goes the memory.
    pub(crate) fn free(&mut self, id: CacheId) {
        if let Some(slot) = self.caches.remove(&id).and_then(|stored| stored.slot) {
            self.owners[slot] = None;
        }
        if self.caches.is_empty() {
            self.owners.clear();
            self.tensors.iter_mut().for_each(|tensor| *tensor = Vec::new());
            self.capacity = self.shape.least_capacity();
        }
    }

    /// Number of positions of a cache.
    pub(crate) fn length(&self, id: CacheId) -> Result<usize> {
        Ok(self.stored(id)?.length)
    }

    /// After a call: how many positions a cache has now.
    pub(crate) fn set_length(&mut self, id: CacheId, length: usize) {
        if let Some(stored) = self.caches.get_mut(&id) {
            stored.length = length;
        }
    }

    /// Moves sequences into neighbouring slots with room for `positions` each. Gives these slots; the order is
    /// [`Slots::slot`]'s.
    pub(crate) fn gather(&mut self, members: &[CacheId], positions: usize) -> Result<Range<usize>> {
        for &id in members {
            self.stored(id)?;
        }
        let without_slot = members.iter().filter(|id| self.slot(**id).is_none()).count();
        let free = self.owners.iter().filter(|owner| owner.is_none()).count();
        let slots = self.owners.len() + without_slot.saturating_sub(free);
        if slots > self.owners.len() || positions > self.capacity {
            let grown = if slots > self.owners.len() { slots.max(2 * self.owners.len()) } else { slots };
            let room = if positions > self.capacity { positions + positions / 2 } else { self.capacity };
            self.resize(grown, room);
        }
        let is_member: Vec<bool> =
            self.owners.iter().map(|owner| owner.is_some_and(|owner| members.contains(&owner))).collect();
        // A member that is there already is not moved, and a free slot needs no other cache to be moved.
        let worth = |slot: usize| if is_member[slot] { 2 } else { usize::from(self.owners[slot].is_none()) };
        let starts = 0..=self.owners.len() - members.len();
        let best = starts.max_by_key(|&start| {
            let worth: usize = (start..start + members.len()).map(worth).sum();
            (worth, std::cmp::Reverse(start))
        });
        let window = best.unwrap_or_default()..best.unwrap_or_default() + members.len();
        // Free slots first, for caches without keys and values, which nothing is copied for.
        let mut targets: Vec<usize> = window.clone().filter(|&slot| !is_member[slot]).collect();
        targets.sort_by_key(|&slot| self.owners[slot].is_some());
        let mut outside: Vec<CacheId> = members.to_vec();
        outside.retain(|&id| self.slot(id).is_none_or(|slot| !window.contains(&slot)));
        outside.sort_by_key(|&id| self.slot(id).is_some());
        for (id, target) in outside.into_iter().zip(targets) {
            match (self.slot(id), self.owners[target]) {
                (None, None) => (),
                (None, Some(other)) => {
                    let elsewhere = (0..self.owners.len())
                        .find(|slot| self.owners[*slot].is_none() && !window.contains(slot))
                        .unwrap_or_else(|| self.free_slot());
                    self.copy(target, elsewhere, self.length(other)?);
                    self.settle(other, elsewhere);
                }
                (Some(from), None) => self.copy(from, target, self.length(id)?),
                (Some(from), Some(other)) => {
                    self.swap(from, target, self.length(id)?.max(self.length(other)?));
                    self.settle(other, from);
                }
            }
            self.settle(id, target);
        }
        Ok(window)
    }

    /// The slot of a cache.
    pub(crate) fn slot(&self, id: CacheId) -> Option<usize> {
        self.caches.get(&id).and_then(|stored| stored.slot)
    }

    /// The keys or values of some slots, and their shape: `[slots, heads, capacity, width]`.
    pub(crate) fn window(&mut self, tensor: usize, slots: &Range<usize>) -> (&mut [T], [i64; 4]) {
        let size = self.slot_size();
        let shape = [slots.len(), self.shape.heads, self.capacity, self.shape.width].map(|size| size as i64);
        (&mut self.tensors[tensor][slots.start * size..slots.end * size], shape)
    }

    fn slot_size(&self) -> usize {
        self.shape.heads * self.capacity * self.shape.width
    }

    /// Assigns a free slot to a cache.
    fn settle(&mut self, id: CacheId, slot: usize) {
        if let Some(stored) = self.caches.get_mut(&id) {
            if let Some(before) = stored.slot.replace(slot)
                && self.owners[before] == Some(id)
            {
                self.owners[before] = None;
            }
            self.owners[slot] = Some(id);
        }
    }

    fn free_slot(&mut self) -> usize {
        if let Some(slot) = self.owners.iter().position(Option::is_none) {
            return slot;
        }
        let slots = self.owners.len();
        self.resize((2 * slots).max(1), self.capacity);
        slots
    }

    /// Memory of another size with the same in it.
    fn resize(&mut self, slots: usize, capacity: usize) {
        let (width, heads) = (self.shape.width, self.shape.heads);
        let (before, after) = (self.capacity * width, capacity * width);
        for tensor in &mut self.tensors {
            // Comes zeroed from the system, page by page when it is written to.
            let mut grown = vec![T::default(); slots * heads * after];
            for stored in self.caches.values() {
                let Some(slot) = stored.slot else { continue };
                for head in slot * heads..(slot + 1) * heads {
                    let used = stored.length * width;
                    grown[head * after..][..used].copy_from_slice(&tensor[head * before..][..used]);
                }
            }
            *tensor = grown;
        }
        self.owners.resize(slots, None);
        self.capacity = capacity;
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) {
        let (heads, stride, used) = (self.shape.heads, self.capacity * self.shape.width, length * self.shape.width);
        for tensor in &mut self.tensors {
            for head in 0..heads {
                let source = (from * heads + head) * stride;
                tensor.copy_within(source..source + used, (to * heads + head) * stride);
            }
        }
    }

    fn swap(&mut self, a: usize, b: usize, length: usize) {
        let (heads, stride, used) = (self.shape.heads, self.capacity * self.shape.width, length * self.shape.width);
        let (low, high) = (a.min(b), a.max(b));
        for tensor in &mut self.tensors {
            let (first, second) = tensor.split_at_mut(high * heads * stride);
            for head in 0..heads {
                let first = &mut first[(low * heads + head) * stride..][..used];
                first.swap_with_slice(&mut second[head * stride..][..used]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPE: SlotShape = SlotShape { tensors: 2, heads: 2, width: 3, room: 0 };

    /// Writes a number of its own at each position of a cache that is new.
    fn extend(slots: &mut Slots<f32>, members: &[(CacheId, usize)], model: &mut HashMap<CacheId, Vec<f32>>) {
        let ids: Vec<CacheId> = members.iter().map(|member| member.0).collect();
        let most = members.iter().map(|(id, more)| model[id].len() + more).max().unwrap();
        let window = slots.gather(&ids, most).unwrap();
        assert_eq!(window.len(), ids.len());
        for &(id, more) in members {
            let row = slots.slot(id).unwrap();
            assert!(window.contains(&row));
            let expected = model.get_mut(&id).unwrap();
            for _ in 0..more {
                expected.push((id.0 * 1000 + expected.len() as u64) as f32);
            }
            for tensor in 0..2 {
                let (values, [_, heads, capacity, width]) = slots.window(tensor, &window);
                let [heads, capacity, width] = [heads, capacity, width].map(|size| size as usize);
                for (position, &value) in expected.iter().enumerate().skip(expected.len() - more) {
                    for head in 0..heads {
                        let at = (((row - window.start) * heads + head) * capacity + position) * width;
                        values[at..at + width].fill(value);
                    }
                }
            }
            slots.set_length(id, expected.len());
        }
    }

    fn check(slots: &mut Slots<f32>, model: &HashMap<CacheId, Vec<f32>>) {
        for (id, expected) in model {
            assert_eq!(slots.length(*id).unwrap(), expected.len());
            let Some(slot) = slots.slot(*id).filter(|_| !expected.is_empty()) else { continue };
            for tensor in 0..2 {
                let (values, [_, heads, capacity, width]) = slots.window(tensor, &(slot..slot + 1));
                for head in 0..heads {
                    for (position, value) in expected.iter().enumerate() {
                        let at = ((head * capacity + position as i64) * width) as usize;
                        assert!(values[at..at + width as usize].iter().all(|found| found == value));
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_moves_keeps_its_keys_and_values(
            steps in prop::collection::vec((0u8..4, prop::collection::vec((0usize..12, 1usize..4), 1..6)), 1..40),
        ) {
            let mut slots = Slots::new(SHAPE);
            slots.capacity = 4;
            let mut model: HashMap<CacheId, Vec<f32>> = HashMap::new();
            for (what, picks) in steps {
                let mut all: Vec<CacheId> = model.keys().copied().collect();
                all.sort();
                let picked = |pick: usize| (!all.is_empty()).then(|| all[pick % all.len()]);
                match what {
                    0 => {
                        let id = slots.create();
                        model.insert(id, Vec::new());
                    }
                    1 => {
                        let mut members: Vec<(CacheId, usize)> =
                            picks.iter().filter_map(|&(pick, more)| Some((picked(pick)?, more))).collect();
                        members.sort();
                        members.dedup_by_key(|member| member.0);
                        if !members.is_empty() {
                            extend(&mut slots, &members, &mut model);
                        }
                    }
                    2 => {
                        if let Some(from) = picked(picks[0].0) {
                            let length = model[&from].len().min(picks[0].1);
                            let fork = slots.fork(from, length).unwrap();
                            model.insert(fork, model[&from][..length].to_vec());
                        }
                    }
                    _ => {
                        if let Some(id) = picked(picks[0].0) {
                            slots.free(id);
                            model.remove(&id);
                            slots.capacity = slots.capacity.min(if model.is_empty() { 4 } else { usize::MAX });
                        }
                    }
                }
                check(&mut slots, &model);
            }
        }
    }

    #[test]
    fn who_stands_together_stays_and_a_gap_is_filled_once() {
        let mut slots = Slots::<f32>::new(SHAPE);
        let ids: Vec<CacheId> = (0..6).map(|_| slots.create()).collect();
        assert_eq!(slots.gather(&ids[..4], 3).unwrap(), 0..4);
        ids[..4].iter().for_each(|&id| slots.set_length(id, 3));
        // New ones go to slots behind.
        assert_eq!(slots.gather(&ids[4..], 3).unwrap(), 4..6);
        ids[4..].iter().for_each(|&id| slots.set_length(id, 3));
        let before: Vec<_> = ids.iter().map(|&id| slots.slot(id)).collect();
        assert_eq!(slots.gather(&ids, 4).unwrap(), 0..6);
        assert_eq!(ids.iter().map(|&id| slots.slot(id)).collect::<Vec<_>>(), before);
        slots.free(ids[1]);
        let left = [ids[0], ids[2], ids[3], ids[4], ids[5]];
        let window = slots.gather(&left, 4).unwrap();
        let moved =
            left.iter().filter(|&&id| slots.slot(id) != before[ids.iter().position(|&other| other == id).unwrap()]);
        assert_eq!((window.len(), moved.count()), (5, 1));
        assert!(slots.fork(ids[0], 4).unwrap_err().message.contains("holds 3"));
    }
}
