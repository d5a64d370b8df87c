//! How many requests a server admits: a token bucket.

use std::time::Instant;

/// A limit, and how the server reports it.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    /// Requests a second.
    pub(super) rate: f64,
    /// The largest burst: requests that accumulate while none arrive, and are there at the start.
    pub(super) capacity: f64,
    /// Whether headers state how many are left.
    pub(super) states: bool,
    /// The shortest `Retry-After`, in seconds.
    pub(super) shortest_wait_s: f64,
    level: f64,
    at: Option<Instant>,
}

impl Limit {
    pub(super) fn new(rate: f64, capacity: f64, states: bool, shortest_wait_s: f64) -> Self {
        Limit { rate, capacity, states, shortest_wait_s, level: capacity, at: None }
    }

    /// Whether a request that arrives now is admitted.
    pub(super) fn admits(&mut self) -> bool {
        let now = Instant::now();
        let passed = self.at.replace(now).map_or(0.0, |before| (now - before).as_secs_f64());
        self.level = (self.level + passed * self.rate).min(self.capacity);
        let admitted = self.level >= 1.0;
        self.level -= f64::from(u8::from(admitted));
        admitted
    }

    /// The time until the next request is admitted.
    pub(super) fn wait_s(&self) -> f64 {
        ((1.0 - self.level) / self.rate).max(self.shortest_wait_s)
    }

    pub(super) fn headers(&self) -> String {
        let Limit { rate, capacity, level, .. } = self;
        let reset_ms = 1000.0 * (capacity - level) / rate;
        match self.states {
            false => String::new(),
            true => format!(
                "x-ratelimit-limit-requests: {capacity:.0}\r\nx-ratelimit-remaining-requests: {:.0}\r\n\
                 x-ratelimit-reset-requests: {reset_ms:.0}ms\r\n",
                level.floor()
            ),
        }
    }
}
