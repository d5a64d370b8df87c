//! Threads that may not be had: of a machine, a container or a limit to memory. The standard library's `spawn` panics then.

use examiner_api::{ErrorCode, PluginError, Result};
use std::io;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

/// Starts a thread.
pub(crate) fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    Builder::new().spawn(work).map_err(|error| failed(&error))
}

/// Starts a thread that ends before the scope does.
pub(crate) fn start_within<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work).map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> PluginError {
    PluginError::new(ErrorCode::Io, "no thread could be started")
        .with_help("limits to memory (`ulimit -v`) or to processes (`ulimit -u`) may be too low")
        .with_cause(error)
}
