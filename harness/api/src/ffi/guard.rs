//! Panics become errors at the boundary, on both sides of it.

use crate::{PluginError, Result};
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

thread_local! {
    /// How many calls of `catch` the thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic in it becomes an error that says what was being done, and where it panicked if
/// `remember_places` was called.
pub fn catch<T>(doing: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    DEPTH.set(DEPTH.get() + 1);
    let result = std::panic::catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    result.unwrap_or_else(|payload| {
        let mut error = PluginError::from_panic(doing, &*payload);
        if let Some(place) = LAST_PANIC.take() {
            error.message.push_str(&format!(" (at `{place}`)"));
        }
        Err(error)
    })
}

/// Lets panics of this library be remembered instead of printed, where they become errors. Those of its own threads are printed, as
/// usual, and all of them where a trace is wanted (`RUST_BACKTRACE`): what a worker prints is in its stage's log. Each plugin
/// library has a standard library, and thus a panic hook, of its own: the program's is not touched.
pub(super) fn remember_places() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        let wants_trace = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
            LAST_PANIC.set(place);
            if wants_trace || DEPTH.get() == 0 {
                usual(panic);
            }
        }));
    });
}
