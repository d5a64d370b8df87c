//! Jobs that wait for their turn: those that have waited longest come first, and what failed waits its pause out.

use crate::batch::RequestJob;
use std::collections::{BTreeMap, VecDeque};

/// Jobs in order.
pub(super) struct Waiting {
    fresh: VecDeque<RequestJob>,
    /// Jobs that were sent before, by the time from which they may be sent again, in nanoseconds, and a number.
    again: BTreeMap<(u64, u64), RequestJob>,
    next: u64,
}

impl Waiting {
    pub(super) fn new(jobs: Vec<RequestJob>) -> Self {
        Waiting { fresh: jobs.into(), again: BTreeMap::new(), next: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.again.is_empty()
    }

    /// Takes the job whose turn it is.
    pub(super) fn next(&mut self, now: f64) -> Option<RequestJob> {
        match self.again.first_entry() {
            Some(first) if first.key().0 <= nanoseconds(now) => Some(first.remove()),
            _ => self.fresh.pop_front(),
        }
    }

    /// When the next job that failed may be sent again.
    pub(super) fn next_at(&self) -> Option<f64> {
        self.again.first_key_value().map(|((at, _), _)| *at as f64 / 1e9 + 1e-6)
    }

    /// It could not be sent yet.
    pub(super) fn put_back(&mut self, job: RequestJob) {
        match job.history.attempts {
            0 => self.fresh.push_front(job),
            _ => {
                self.next += 1;
                // Before all others that are ready: its turn had come.
                self.again.insert((0, self.next), job);
            }
        }
    }

    pub(super) fn add_at(&mut self, job: RequestJob, at: f64) {
        self.next += 1;
        self.again.insert((nanoseconds(at), self.next), job);
    }

    pub(super) fn add_all(&mut self, jobs: Vec<RequestJob>) {
        for job in jobs.into_iter().rev() {
            self.fresh.push_front(job);
        }
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
