//! Memory for activations that is used again, pass after pass: the system would clear fresh memory each time.

use parking_lot::Mutex;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Memory that is not in use.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<f32>>>>);

impl Buffers {
    /// Room for so many values. Its contents are left over from earlier use.
    pub(super) fn take(&self, length: usize) -> Buffer {
        let mut free = self.0.lock();
        // The smallest that is large enough, or the largest, which then grows.
        let fits = (0..free.len()).filter(|&at| free[at].len() >= length).min_by_key(|&at| free[at].len());
        let chosen = fits.or_else(|| (0..free.len()).max_by_key(|&at| free[at].len()));
        let mut values = chosen.map(|at| free.swap_remove(at)).unwrap_or_default();
        drop(free);
        if values.len() < length {
            // Nothing of the old is of use, so it need not be moved.
            values = vec![0.0; length];
        }
        Buffer { values, length, home: self.clone() }
    }
}

/// Values that go back to where they came from.
pub(super) struct Buffer {
    values: Vec<f32>,
    length: usize,
    home: Buffers,
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.0.lock().push(std::mem::take(&mut self.values));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_and_is_no_more_than_was_needed_at_a_time() {
        let buffers = Buffers::default();
        let (large, small) = (buffers.take(100), buffers.take(10));
        let (at_large, at_small) = (large.as_ptr(), small.as_ptr());
        drop(large);
        drop(small);
        let again = buffers.take(7);
        assert_eq!((again.len(), again.as_ptr()), (7, at_small));
        let large = buffers.take(50);
        assert_eq!((large.len(), large.as_ptr()), (50, at_large));
        drop(again);
        // The small one is given up for one that is large enough.
        assert_eq!(buffers.take(200).len(), 200);
        drop(large);
        let free = buffers.0.lock();
        assert_eq!(free.iter().map(Vec::len).sum::<usize>(), 300);
    }
}
