//! How many requests may be in flight at a time.

/// Additive increase, multiplicative decrease, with a slow start.
pub(super) struct Window {
    size: f64,
    /// Below it the size doubles in a round trip; above it, it grows by one.
    threshold: f64,
    ceiling: f64,
    in_flight: usize,
    /// Requests with smaller numbers were sent before the last cut, and cannot cause another.
    cut_before: u64,
}

/// How many requests a slow start begins with.
const START: f64 = 8.0;
const CUT: f64 = 0.7;

impl Window {
    pub(super) fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1) as f64;
        Window { size: START.min(ceiling), threshold: ceiling, ceiling, in_flight: 0, cut_before: 0 }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_flight as f64 >= self.size.floor()
    }

    pub(super) fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// A request came back, well or not.
    pub(super) fn returned(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// A request came back well. Only a window that held requests back has shown that it could be larger.
    pub(super) fn grow(&mut self, was_full: bool) {
        if was_full {
            self.size += if self.size < self.threshold { 1.0 } else { 1.0 / self.size };
            self.size = self.size.min(self.ceiling);
        }
    }

    /// The server had too much with request `number`; `next` will be the number of the next one. What was sent before the
    /// last cut says nothing of the window after it, so that a round trip brings one cut at most. `floor` is what must
    /// stay.
    pub(super) fn cut(&mut self, number: u64, next: u64, floor: f64) {
        if number >= self.cut_before {
            self.size = (self.size * CUT).max(floor).clamp(1.0, self.ceiling);
            self.threshold = self.size;
            self.cut_before = next;
        }
    }

    pub(super) fn size(&self) -> f64 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_slowly_and_grows_by_one_after_a_cut() {
        let mut window = Window::new(64);
        for _ in 0..56 {
            window.grow(true);
        }
        assert_eq!(window.size(), 64.0);
        window.grow(true);
        assert_eq!(window.size(), 64.0, "never above its ceiling");
        window.cut(0, 100, 1.0);
        let after = window.size();
        assert!((after - 44.8).abs() < 1e-9);
        // One round trip: as many answers as there are places.
        for _ in 0..45 {
            window.grow(true);
        }
        assert!((window.size() - after - 1.0).abs() < 0.05, "{}", window.size());
    }

    #[test]
    fn a_round_trip_cuts_once_and_never_below_one() {
        let mut window = Window::new(10);
        window.cut(5, 20, 1.0);
        let size = window.size();
        window.cut(19, 25, 1.0);
        assert_eq!(window.size(), size);
        for round in 1..50 {
            window.cut(round * 100, round * 100 + 1, 1.0);
        }
        assert_eq!(window.size(), 1.0);
        window.cut(10_000, 10_001, 8.0);
        assert_eq!(window.size(), 8.0, "what a known rate needs stays");
    }
}
