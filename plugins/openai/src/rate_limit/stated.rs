//! A limit that the server states in the headers of its answers.
//!
//! `x-ratelimit-limit-requests`, `-remaining-requests` and `-reset-requests` say how large the server's bucket is, what
//! is left in it, and how long until it is full again: what is missing, divided by that time, flows in a second. Other
//! servers count in windows and mean the end of the window by `reset`. The two are told apart by what happens to the time
//! when requests are used up: in a bucket it grows, in a window it falls.

use super::bucket::Bucket;

/// The limits in the headers of one response.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Limits {
    /// Requests in a full bucket or window.
    pub(crate) limit: Option<f64>,
    /// Requests left.
    pub(crate) remaining: Option<f64>,
    /// Seconds until it is full again.
    pub(crate) reset_s: Option<f64>,
}

/// The limits in the headers of all responses so far.
#[derive(Default)]
pub(super) struct Stated {
    bucket: Option<Bucket>,
    rate: Option<f64>,
    /// Sums of missing requests and of the times until none is missing, the older ones fading.
    missing: f64,
    reset_s: f64,
    before: Option<(f64, f64)>,
    votes: i32,
    /// Requests that may be sent before another answer comes.
    left: Option<f64>,
    /// When there are some again, whatever comes.
    refilled_at: f64,
    newest: u64,
}

const ENOUGH_VOTES: i32 = 3;
const MOST_VOTES: i32 = 20;

impl Stated {
    /// Takes the limits of the response to request `number`; `next` will be the number of the next one.
    pub(super) fn answered(&mut self, now: f64, number: u64, next: u64, limits: &Limits) {
        let Some(remaining) = limits.remaining else { return };
        if number < self.newest {
            return;
        }
        self.newest = number;
        // The requests that were sent after this one may not be counted yet.
        self.left = Some(remaining - next.saturating_sub(number + 1) as f64);
        self.refilled_at = now + limits.reset_s.unwrap_or(1.0);
        let (Some(limit), Some(reset_s)) = (limits.limit, limits.reset_s) else { return };
        if let Some((remaining_before, reset_before)) = self.before.replace((remaining, reset_s))
            && remaining < remaining_before
        {
            self.votes += if reset_s > reset_before { 1 } else { -1 };
            self.votes = self.votes.clamp(-MOST_VOTES, MOST_VOTES);
        }
        let missing = limit - remaining;
        if missing > 1.0 && reset_s > 0.0 {
            self.missing = 0.98 * self.missing + missing;
            self.reset_s = 0.98 * self.reset_s + reset_s;
        }
        if self.votes < ENOUGH_VOTES || self.reset_s <= 0.0 {
            return;
        }
        let rate = self.missing / self.reset_s;
        self.rate = Some(rate);
        self.refilled_at = now + (1.0 / rate);
        // A small error of the estimate must not empty the bucket: slower where little is left, faster where much is.
        let share = (remaining / limit.max(1.0)).clamp(0.0, 1.0);
        let rate = rate * (0.9 + share).min(1.5);
        let burst = (0.1 * rate).min(0.25 * remaining);
        self.bucket.get_or_insert_with(|| Bucket::new(rate, burst)).set_rate(now, rate, burst);
    }

    pub(super) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// When the next request may be sent; none as long as only an answer can tell.
    pub(super) fn ready_at(&mut self, now: f64, in_flight: usize) -> Option<f64> {
        if self.left.is_some_and(|left| left < 1.0) && now < self.refilled_at {
            return if in_flight > 0 { None } else { Some(self.refilled_at) };
        }
        Some(self.bucket.as_mut().map_or(now, |bucket| bucket.ready_at(now, 1.0)))
    }

    pub(super) fn sent(&mut self, now: f64) {
        if now >= self.refilled_at {
            // The time until the next answer is bridged by what must have flowed in.
            self.left = self.left.map(|left| left.max(1.0));
            self.refilled_at = now + self.rate.map_or(1.0, |rate| 1.0 / rate);
        }
        self.left = self.left.map(|left| left - 1.0);
        if let Some(bucket) = &mut self.bucket {
            bucket.spend(1.0);
        }
    }
}
