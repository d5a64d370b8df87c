//! Memory that a thread uses again and again: fresh memory would have to be cleared by the system.

use super::elements::Pair;
use std::cell::RefCell;
use std::marker::PhantomData;

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

thread_local! {
    /// What is free. A thread holds few at the same time.
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Types of 32 bits, of which any are a value.
///
/// # Safety
/// That is so.
pub(super) unsafe trait Word: Copy {}

// SAFETY: of 32 bits, any of which are a value.
unsafe impl Word for f32 {}
// SAFETY: as above.
unsafe impl Word for u32 {}
// SAFETY: as above.
unsafe impl Word for Pair {}

/// Values as an earlier use left them. They begin at a cache line.
pub(super) struct Scratch<T> {
    lines: Vec<Line>,
    length: usize,
    values: PhantomData<T>,
}

impl<T: Word> Scratch<T> {
    /// So many values.
    pub(super) fn take(length: usize) -> Self {
        let mut lines = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
        let wanted = length.div_ceil(16);
        if lines.len() < wanted {
            lines.resize(wanted, Line([0; 16]));
        }
        Scratch { lines, length, values: PhantomData }
    }

    pub(super) fn as_slice(&self) -> &[T] {
        const { assert!(size_of::<T>() == size_of::<u32>() && align_of::<T>() <= align_of::<Line>()) };
        // SAFETY: lines are words without gaps, and there are so many of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        const { assert!(size_of::<T>() == size_of::<u32>() && align_of::<T>() <= align_of::<Line>()) };
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // A thread that ends has no place for it any more.
        let _ = FREE.try_with(|free| free.borrow_mut().push(lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_several_pieces_are_different_ones() {
        let (mut first, mut second) = (Scratch::<f32>::take(100), Scratch::<u32>::take(3));
        first.as_mut_slice().fill(1.0);
        second.as_mut_slice().fill(2);
        assert!(first.as_slice().iter().all(|value| *value == 1.0) && second.as_slice() == [2; 3]);
        let at = first.as_slice().as_ptr();
        assert_eq!(at.align_offset(64), 0);
        drop(first);
        assert_eq!(Scratch::<f32>::take(50).as_slice().as_ptr(), at);
    }
}
