//! Processes independent items in parallel: plugin files, and datasets while no model is asked.

use crate::threads;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// At most so many, since each item may keep a dataset open.
const THREADS: usize = 8;

/// The result of `work` for each item, in the order of the items. Every thread has one `W`, which its items share.
pub fn map_with<T: Sync, R: Send, W: Default>(items: &[T], work: impl Fn(&T, &mut W) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        let mut state = W::default();
        loop {
            let index = next.fetch_add(1, Ordering::SeqCst);
            let Some(item) = items.get(index) else { return };
            let result = work(item, &mut state);
            results.lock().push((index, result));
        }
    };
    let count = std::thread::available_parallelism().map_or(1, usize::from).min(items.len()).min(THREADS);
    std::thread::scope(|scope| {
        // Where no more threads can be had, those that are there do the work.
        (1..count).for_each(|_| drop(threads::start_within(scope, run)));
        run();
    });
    let mut results = results.into_inner();
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The result of `work` for each item, in the order of the items.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    map_with(items, |item, (): &mut ()| work(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..1000).collect();
        assert_eq!(map(&items, |item| item * item), items.iter().map(|item| item * item).collect::<Vec<_>>());
        assert_eq!(map(&[] as &[u64], |item| *item), [0; 0]);
        let counted = map_with(&items, |_, seen: &mut u64| {
            *seen += 1;
            *seen
        });
        // Every thread counts its own, without a gap.
        let firsts = counted.iter().filter(|count| **count == 1).count();
        assert!((1..=THREADS).contains(&firsts), "{firsts}");
    }
}
