//! Panics become errors at the boundary, on both sides of it.

use crate::{PluginError, Result};
use std::cell::RefCell;
use std::panic::AssertUnwindSafe;

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic in it becomes an error that says what was being done, and where it panicked if
/// `remember_places` was called.
pub fn catch<T>(doing: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let mut error = PluginError::from_panic(doing, &*payload);
        if let Some(place) = LAST_PANIC.take() {
            error.message.push_str(&format!(" (at `{place}`)"));
        }
        Err(error)
    })
}

/// Lets panics of this library be remembered instead of printed. Each plugin library has a standard library, and thus a
/// panic hook, of its own: the program's is not touched.
pub(super) fn remember_places() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
            LAST_PANIC.set(place);
        }));
    });
}
