//! When the next request may be sent.
//!
//! Four things hold requests back, and the strictest counts: the pause that a server asked for; the window of
//! requests in flight, which grows while all is well and is cut when the server has too much; the limits that the suite
//! names; and the rate that the server states in its headers or that refusals have taught. The window finds how many requests a server
//! can serve at the same time, but it swings around a limit of requests per second, and every swing over it costs a pause.
//! Hence the rates.
//!
//! Nothing here reads a clock: times are seconds from any beginning, so that a whole hour is tested in a moment.

mod bucket;
mod learned;
#[cfg(test)]
mod simulation;
mod stated;
mod window;

use bucket::Bucket;
use learned::Learned;
use stated::Stated;
use window::Window;

pub(crate) use stated::Limits;

/// When a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SendTime {
    /// At once.
    Now,
    /// Not before this time.
    At(f64),
    /// When a request has come back.
    Later,
}

/// A request in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    number: u64,
    sent: f64,
    cycle: u64,
    tokens: f64,
}

/// A refusal by a server that has too many requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Refusal {
    /// For how long it asks to wait.
    pub(crate) wait_s: Option<f64>,
    /// Whether it speaks of a rate (429), not of its load (503).
    pub(crate) is_rate: bool,
}

/// Holds requests back.
pub(crate) struct RateLimit {
    window: Window,
    paused_until: f64,
    /// Refusals in a row that named no time.
    unnamed: i32,
    suite_requests: Option<Bucket>,
    suite_tokens: Option<Bucket>,
    stated: Stated,
    learned: Learned,
    latency: Option<f64>,
    /// A window that is sent all at once overflows small buckets, and finds them full again later.
    spread: Option<Bucket>,
    next: u64,
}

/// The first pause after a refusal that names none, and the longest.
const FIRST_PAUSE_S: f64 = 0.25;
const LONGEST_PAUSE_S: f64 = 30.0;
/// A window is sent in this part of a round trip: it can still double in one.
const SPREAD: f64 = 2.0;
/// Requests arrive a little earlier or later than they were sent: a limit that is known is not used to its last.
const SUITE_LIMIT_SHARE: f64 = 0.99;
/// Timers are not finer.
const TICK_S: f64 = 0.002;

impl RateLimit {
    /// At most `ceiling` requests at a time, and at most so many requests and tokens a minute.
    pub(crate) fn new(ceiling: usize, requests_per_minute: Option<f64>, tokens_per_minute: Option<f64>) -> Self {
        RateLimit {
            window: Window::new(ceiling),
            paused_until: 0.0,
            unnamed: 0,
            suite_requests: requests_per_minute
                .map(|limit| Bucket::new(SUITE_LIMIT_SHARE * limit / 60.0, limit / 2400.0)),
            suite_tokens: tokens_per_minute.map(|limit| Bucket::new(limit / 60.0, limit / 6.0).full()),
            stated: Stated::default(),
            learned: Learned::default(),
            latency: None,
            spread: None,
            next: 0,
        }
    }

    /// Whether a request of about `tokens` tokens may be sent.
    pub(crate) fn send_time(&mut self, now: f64, tokens: f64) -> SendTime {
        if now < self.paused_until {
            return SendTime::At(self.paused_until);
        }
        if self.window.is_full() {
            return SendTime::Later;
        }
        let Some(stated) = self.stated.ready_at(now, self.window.in_flight()) else { return SendTime::Later };
        let suite = self.suite_requests.as_mut().map_or(now, |bucket| bucket.ready_at(now, 1.0));
        let suite_tokens = self.suite_tokens.as_mut().map_or(now, |bucket| bucket.ready_at(now, tokens));
        let spread = self.spread.as_mut().map_or(now, |bucket| bucket.ready_at(now, 1.0));
        let ready = suite.max(suite_tokens).max(stated).max(spread).max(self.learned.ready_at(now));
        if ready <= now { SendTime::Now } else { SendTime::At(ready) }
    }

    /// A request is sent.
    pub(crate) fn sent(&mut self, now: f64, tokens: f64) -> Ticket {
        self.window.sent();
        let buckets = [(&mut self.suite_requests, 1.0), (&mut self.suite_tokens, tokens), (&mut self.spread, 1.0)];
        for (bucket, units) in buckets {
            if let Some(bucket) = bucket {
                bucket.spend(units);
            }
        }
        self.stated.sent(now);
        let ticket = Ticket { number: self.next, sent: now, cycle: self.learned.sent(now), tokens };
        self.next += 1;
        ticket
    }

    /// The server answered; `tokens` is what it counted.
    pub(crate) fn answered(&mut self, now: f64, ticket: &Ticket, limits: &Limits, tokens: Option<f64>) {
        let was_full = self.window.is_full();
        self.window.returned();
        self.window.grow(was_full);
        self.unnamed = 0;
        let latency = now - ticket.sent;
        let latency = self.latency.map_or(latency, |before| 0.9 * before + 0.1 * latency).max(1e-4);
        self.latency = Some(latency);
        let rate = SPREAD * self.window.size() / latency;
        let burst = (TICK_S * rate).max(1.0);
        self.spread.get_or_insert_with(|| Bucket::new(rate, burst)).set_rate(now, rate, burst);
        self.stated.answered(now, ticket.number, self.next, limits);
        if let (Some(bucket), Some(tokens)) = (&mut self.suite_tokens, tokens) {
            bucket.spend(tokens - ticket.tokens);
        }
    }

    /// The server has too much. `jitter` is between 0 and 1.
    pub(crate) fn refused(&mut self, now: f64, ticket: &Ticket, refusal: &Refusal, limits: &Limits, jitter: f64) {
        self.window.returned();
        self.stated.answered(now, ticket.number, self.next, limits);
        let news = self.learned.refused(now, ticket.cycle);
        // A limit of requests a second is none of requests at a time: what the known rate needs is kept.
        let rate = self.stated.rate().into_iter().chain(self.learned.rate()).fold(f64::INFINITY, f64::min);
        let needed = if refusal.is_rate && rate.is_finite() { rate * self.latency.unwrap_or(0.0) } else { 1.0 };
        self.window.cut(ticket.number, self.next, needed);
        let pause = match refusal.wait_s {
            Some(wait_s) => wait_s,
            None if news => {
                self.unnamed += 1;
                let pause = (FIRST_PAUSE_S * 2f64.powi(self.unnamed - 1)).min(LONGEST_PAUSE_S);
                pause * (0.5 + 0.5 * jitter)
            }
            None => 0.0,
        };
        self.paused_until = self.paused_until.max(now + pause);
    }

    /// There was no response, or none that says anything about the server's limits.
    pub(crate) fn lost(&mut self) {
        self.window.returned();
    }
}
