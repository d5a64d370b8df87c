//! Ends a program that is silent while it is to work, or that goes on working when the user wants to stop.

use crate::options::Limits;
use crate::process::{Fault, Shared};
use crate::protocol::Outgoing;
use examiner_api::Host;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(50);
/// How long a program may take to return when the user wants to stop.
const GRACE: Duration = Duration::from_millis(600);

/// Since when a program says nothing although it is to.
pub(crate) struct Silence {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Since when somebody waits for a line; none while nobody does.
    waiting: Option<Instant>,
    /// When the last line came.
    heard: Option<Instant>,
}

impl Silence {
    pub(crate) fn new(limits: Limits) -> Self {
        Silence { limits, state: Mutex::default() }
    }

    /// A line has come.
    pub(crate) fn heard(&self) {
        self.state.lock().heard = Some(Instant::now());
    }

    /// Does what waits for a line.
    pub(crate) fn while_waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.state.lock().waiting = Some(Instant::now());
        let result = wait();
        self.state.lock().waiting = None;
        result
    }

    /// How long nothing has come, where that is longer than is allowed.
    fn is_too_long(&self) -> Option<Duration> {
        let state = self.state.lock();
        let waiting = state.waiting?;
        let (since, limit) = match state.heard {
            None => (waiting, self.limits.start),
            Some(heard) => (heard.max(waiting), self.limits.heartbeat),
        };
        Some(since.elapsed()).filter(|silent| *silent > limit)
    }
}

/// Watches a program as long as anybody else knows of it.
fn watch(shared: &Weak<Shared>, host: &Host) {
    let mut cancelled: Option<Instant> = None;
    loop {
        std::thread::sleep(EVERY);
        let Some(shared) = shared.upgrade() else { return };
        if !shared.is_called() {
            cancelled = None;
            continue;
        }
        if host.is_cancelled() {
            if cancelled.is_none() {
                let shared = shared.clone();
                // A program that does not read must not keep this thread from ending it.
                std::thread::spawn(move || shared.input.send::<()>(&Outgoing::Cancel));
            }
            if cancelled.get_or_insert_with(Instant::now).elapsed() > GRACE {
                shared.end_because(Fault::Cancelled);
            }
        }
        if let Some(silent) = shared.silence.is_too_long() {
            shared.end_because(Fault::Silent(silent));
        }
    }
}

/// Starts to watch.
pub(crate) fn start(shared: &Arc<Shared>, host: &Host) {
    let (shared, host) = (Arc::downgrade(shared), host.clone());
    std::thread::spawn(move || watch(&shared, &host));
}
