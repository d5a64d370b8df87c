//! Ends a program that is silent while it is to work, or that goes on working when the user wants to stop.

use crate::program::{Fault, Program};
use crate::protocol::Outgoing;
use examiner_api::Host;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(50);
/// How long a program may take to return when the user wants to stop.
const GRACE: Duration = Duration::from_millis(600);

/// Watches a program as long as anybody else knows of it.
fn watch(program: &Weak<Program>, host: &Host) {
    let mut cancelled: Option<Instant> = None;
    loop {
        std::thread::sleep(EVERY);
        let Some(program) = program.upgrade() else { return };
        if !program.is_called() {
            cancelled = None;
            continue;
        }
        if host.is_cancelled() {
            if cancelled.is_none() {
                let program = program.clone();
                // A program that does not read must not keep this thread from ending it.
                std::thread::spawn(move || program.input.send::<()>(&Outgoing::Cancel));
            }
            if cancelled.get_or_insert_with(Instant::now).elapsed() > GRACE {
                program.end_because(Fault::Cancelled);
            }
        }
        if let Some(silent) = program.silence.is_too_long() {
            program.end_because(Fault::Silent(silent));
        }
    }
}

/// Starts to watch.
pub(crate) fn start(program: &Arc<Program>, host: &Host) {
    let (program, host) = (Arc::downgrade(program), host.clone());
    std::thread::spawn(move || watch(&program, &host));
}
