//! Work of a library that knows no bounds, within bounds of memory and time.
//!
//! A template is data: it comes with a checkpoint or a suite, and a few characters of it can ask for terabytes. No template
//! engine can be told how much memory one may take, and Rust has no way to refuse an allocation but to end the process. So the work
//! runs in a thread of its own, which [`Allocator`] counts the memory of: a thread that asks for too much never gets an answer, and
//! stops there for good. Its caller, which waits in [`Bounded::next`], is told so. A thread that computes for too long stops at its next
//! allocation.
//!
//! A stopped thread keeps what it holds, at most [`Limits::memory_bytes`], until the process ends: whoever is told of it must not
//! start another for the same work.
//!
//! This crate sets the global allocator of the library or program that it is linked into. It is the system's, and costs some
//! nanoseconds more for each allocation.
//!
//! ```
//! use examiner_bounds::{Bounded, Exceeded, Limits, What};
//! use std::time::Duration;
//!
//! let limits = Limits { memory_bytes: 8 << 20, time: Duration::from_secs(60) };
//! let mut texts = Bounded::spawn(limits, |bounds, send| {
//!     for length in [3, 1 << 40] {
//!         send(bounds.within(length, || "x".repeat(length as usize)));
//!     }
//! });
//! assert_eq!(texts.next(), Ok(Some("xxx".to_owned())));
//! // A terabyte: the thread has stopped, and the process goes on.
//! assert_eq!(texts.next(), Err(Exceeded { number: 1 << 40, what: What::Memory(8 << 20) }));
//! ```

mod allocator;
mod thread;

pub use allocator::Allocator;
pub use thread::{Bounded, Bounds, Exceeded, Limits, TextLimits, What};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;
