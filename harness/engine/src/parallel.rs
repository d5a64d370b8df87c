//! Does work side by side whose parts do not depend on each other: plugin files, and datasets while nothing is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Each part may have a dataset open.
const THREADS: usize = 8;

/// What `work` makes of each item, in their order. `with` is what a thread keeps from one item to its next.
pub fn map_with<T: Sync, R: Send, W: Default>(items: &[T], work: impl Fn(&T, &mut W) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let take = || {
        let mut with = W::default();
        loop {
            let place = next.fetch_add(1, Ordering::SeqCst);
            let Some(item) = items.get(place) else { return };
            let result = work(item, &mut with);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((place, result));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len()).min(THREADS);
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(take)));
        take();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What `work` makes of each item, in their order.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    map_with(items, |item, (): &mut ()| work(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
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
