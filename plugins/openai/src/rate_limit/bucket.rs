//! A rate that is known beforehand.

/// Credit that grows with time, up to a burst, and is spent by what is sent.
pub(super) struct Bucket {
    /// Units a second.
    rate: f64,
    burst: f64,
    credit: f64,
    at: f64,
}

impl Bucket {
    /// `rate` units a second, of which at most `burst` are saved while nothing is sent.
    pub(super) fn new(rate: f64, burst: f64) -> Self {
        Bucket { rate, burst: burst.max(1.0), credit: 1.0, at: 0.0 }
    }

    /// Begins with everything saved.
    pub(super) fn full(mut self) -> Self {
        self.credit = self.burst;
        self
    }

    /// Changes the rate from now on.
    pub(super) fn set_rate(&mut self, now: f64, rate: f64, burst: f64) {
        self.accrue(now);
        self.rate = rate;
        self.burst = burst.max(1.0);
    }

    /// When there is credit for `units`. What is more than a burst only needs a full bucket.
    pub(super) fn ready_at(&mut self, now: f64, units: f64) -> f64 {
        self.accrue(now);
        let missing = units.min(self.burst) - self.credit;
        if missing <= 1e-9 { now } else { now + missing / self.rate }
    }

    /// Spends credit; it may fall below zero. A negative number gives back.
    pub(super) fn spend(&mut self, units: f64) {
        self.credit -= units;
    }

    fn accrue(&mut self, now: f64) {
        let passed = (now - self.at).max(0.0);
        self.at = self.at.max(now);
        self.credit = (self.credit + passed * self.rate).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;

    #[test]
    fn no_more_than_the_rate_and_one_burst() {
        let mut bucket = Bucket::new(10.0, 5.0).full();
        let (mut now, mut sent) = (0.0, 0);
        while now < 10.0 {
            now = bucket.ready_at(now, 1.0);
            bucket.spend(1.0);
            sent += 1;
        }
        assert!((104..=106).contains(&sent), "{sent}");
    }

    #[test]
    fn a_request_larger_than_a_burst_is_sent_and_waited_for() {
        let mut bucket = Bucket::new(100.0, 50.0).full();
        assert_eq!(bucket.ready_at(0.0, 500.0), 0.0);
        bucket.spend(500.0);
        let next = bucket.ready_at(0.0, 1.0);
        assert!((next - 4.51).abs() < 1e-9, "{next}");
    }
}
