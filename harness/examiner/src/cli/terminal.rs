//! What all commands do with the terminal: results to stdout, messages to stderr, Ctrl-C, exit status.

use anyhow::{Context, Result};
use examiner_engine::progress::print_to_stderr;
use examiner_store::visible::visible;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit status of a command that was interrupted.
const INTERRUPTED: u8 = 130;

/// Says what failed and where the results are; the exit status says the same in short.
pub(super) fn ended(directory: &Path, failures: &[String], interrupted: bool) -> ExitCode {
    for failure in failures {
        print_to_stderr(&format!("failed: {failure}"));
    }
    print_to_stderr(&format!("results: `{}`", directory.join("summary.csv").display()));
    match (interrupted, failures.is_empty()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    }
}

/// The first Ctrl-C lets the batch in hand end; the second ends the process at once. Both can be gone on from.
pub(super) fn on_interrupt(cancelled: &Arc<AtomicBool>) -> Result<()> {
    let cancelled = cancelled.clone();
    ctrlc::set_handler(move || {
        if cancelled.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        print_to_stderr("stopping after what is in hand; again to stop at once");
    })
    .context("cannot listen for Ctrl-C")
}

/// Writes to stdout, without characters that a terminal obeys. That nobody reads it (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(visible(text).as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}
