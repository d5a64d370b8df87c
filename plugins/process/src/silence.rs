//! How long a program says nothing although somebody waits for it.

use crate::options::Limits;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

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
    pub(crate) fn is_too_long(&self) -> Option<Duration> {
        let state = self.state.lock();
        let waiting = state.waiting?;
        let (since, limit) = match state.heard {
            None => (waiting, self.limits.start),
            Some(heard) => (heard.max(waiting), self.limits.heartbeat),
        };
        Some(since.elapsed()).filter(|silent| *silent > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_while_somebody_waits() {
        let (start, heartbeat) = (Duration::from_secs(5), Duration::from_millis(300));
        let silence = Silence::new(Limits { start, heartbeat });
        let pause = || std::thread::sleep(Duration::from_millis(400));
        silence.while_waiting(|| {
            pause();
            assert_eq!(silence.is_too_long(), None, "before the first line another limit holds");
            silence.heard();
        });
        pause();
        assert_eq!(silence.is_too_long(), None, "nobody waits");
        silence.while_waiting(|| {
            assert_eq!(silence.is_too_long(), None, "it could not know that it is waited for");
            pause();
            assert!(silence.is_too_long().is_some_and(|silent| silent > heartbeat));
            silence.heard();
            assert_eq!(silence.is_too_long(), None);
        });
    }
}
