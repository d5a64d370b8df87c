//! The system's allocator, which counts what a thread takes while it works within bounds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a thread within bounds shares with the one that waits for it.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// The thread has asked for too much, and has stopped.
    pub(crate) took_too_much: AtomicBool,
    /// Nobody waits for the thread any more: it is to stop.
    pub(crate) abandoned: AtomicBool,
}

/// What the current piece of work of a thread may still take.
struct Budget {
    /// Null where nothing is bounded.
    signals: Cell<*const Signals>,
    /// In bytes. Freed memory is given back.
    left: Cell<isize>,
}

thread_local! {
    static BUDGET: Budget = const { Budget { signals: Cell::new(ptr::null()), left: Cell::new(0) } };
}

/// Bounds what the thread takes from now on, until the guard is dropped.
pub(crate) fn enter(signals: &Signals, bytes: usize) -> Guard<'_> {
    BUDGET.with(|budget| {
        budget.left.set(isize::try_from(bytes).unwrap_or(isize::MAX));
        budget.signals.set(signals);
    });
    Guard { _signals: signals }
}

/// While it lives, the thread is bounded.
pub(crate) struct Guard<'s> {
    /// What the thread's budget points to.
    _signals: &'s Signals,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        BUDGET.with(|budget| budget.signals.set(ptr::null()));
    }
}

/// The system's allocator. A thread within bounds that asks for more than it may is stopped for good.
#[derive(Debug)]
pub struct Allocator;

impl Allocator {
    /// Takes bytes from the thread's budget, or gives them back.
    fn take(bytes: isize) {
        BUDGET.with(|budget| {
            let signals = budget.signals.get();
            if signals.is_null() {
                return;
            }
            let left = budget.left.get().saturating_sub(bytes);
            budget.left.set(left);
            // SAFETY: the pointer is set while a guard lives, which borrows what it points to.
            let signals = unsafe { &*signals };
            let is_over = bytes > 0 && (left < 0 || signals.abandoned.load(Ordering::Relaxed));
            // A panic makes its message and its trace under locks that all threads share, and ends the work by itself.
            if is_over && !std::thread::panicking() {
                signals.took_too_much.store(true, Ordering::Release);
                stop();
            }
        });
    }
}

/// An allocator may neither unwind nor return nothing: whoever has asked would end the process.
fn stop() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// No allocation is larger than `isize::MAX`.
fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: all memory is the system allocator's, which is asked with the arguments as they came; counting neither allocates
// nor unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::take(signed(layout.size()));
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::take(signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) };
        Self::take(-signed(layout.size()));
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::take(signed(size).saturating_sub(signed(layout.size())));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}
