//! A rate that nobody states, learned from refusals.
//!
//! Most servers keep a bucket: so many requests a second flow in, some can be saved, and whoever finds it empty is refused.
//! At a refusal the bucket is empty. What was let through from one refusal to the next is therefore what flowed in
//! between, the pause that the server asked for included: admitted / elapsed *is* the limit, as long as the bucket did not
//! overflow during the pause. So the rate after a refusal is that quotient; what was saved during the pause is sent
//! at once after it, so that a pause costs nothing; and then the rate creeps up to find out whether the limit has risen.
//! A server whose bucket is smaller than the pauses it asks for refuses that burst: bursts are then kept smaller.

use std::collections::VecDeque;

/// Requests a second that a server seems to let through.
#[derive(Default)]
pub(super) struct Learned {
    /// None until the first refusal.
    rate: Option<f64>,
    credit: f64,
    at: f64,
    /// The credit of a pause is being spent.
    bursting: bool,
    /// The largest burst, where one was refused.
    burst_limit: Option<f64>,
    /// The rate has held without a burst's help.
    confirmed: bool,
    /// The rate comes from a whole cycle, not from the first refusal alone.
    measured: bool,
    last_refusal: f64,
    /// What the last cycle let through a second, and how many before it agree.
    estimate: Option<f64>,
    agreements: u32,
    /// The most that a cycle let through a second.
    best: f64,
    /// Until when refusals are not taken to be about the rate.
    blind_until: f64,
    blindness_s: f64,
    cycle: Cycle,
}

/// What happened since the last pause.
#[derive(Default)]
struct Cycle {
    number: u64,
    /// The pauses since this one are counted together, because too little came through between them.
    first: u64,
    /// When the last request before the pause was sent: the bucket was empty then.
    from: f64,
    /// When the first one after it was sent.
    resumed: f64,
    sends: VecDeque<f64>,
    refused: u64,
    /// A refusal has come; the next request begins a new cycle.
    over: bool,
    was_burst: bool,
}

/// Refusals further apart belong to different periods.
const MEMORY_S: f64 = 5.0;
/// What was let through is counted over several pauses until it is so many.
const ENOUGH: f64 = 10.0;
const ENOUGH_S: f64 = 0.5;
/// A little too fast is found out, a little too slow is not.
const LEAN: f64 = 1.003;
/// What is left of a pause's savings makes good for small errors, so that the next refusal is far.
const SPENT: f64 = 0.95;
const FIRST_BLINDNESS_S: f64 = 10.0;
const LONGEST_BLINDNESS_S: f64 = 160.0;
const MOST_SENDS: usize = 50_000;
/// Credit that is kept for a stutter of this machine.
const STUTTER_S: f64 = 0.1;
const SLOWEST: f64 = 1.0 / 120.0;

impl Learned {
    /// When the next request may be sent.
    pub(super) fn ready_at(&mut self, now: f64) -> f64 {
        let Some(rate) = self.rate else { return now };
        if self.cycle.over {
            return now;
        }
        self.accrue(now);
        if self.credit >= 1.0 { now } else { now + (1.0 - self.credit) / rate }
    }

    pub(super) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// The number of the current cycle, for a request that is sent now.
    pub(super) fn sent(&mut self, now: f64) -> u64 {
        if self.cycle.over {
            self.resume(now);
        }
        if self.cycle.sends.is_empty() {
            self.cycle.resumed = now;
            if self.cycle.number == 0 {
                self.cycle.from = now;
            }
        }
        if self.cycle.sends.len() == MOST_SENDS {
            self.cycle.sends.pop_front();
        }
        self.cycle.sends.push_back(now);
        if self.rate.is_some() {
            self.credit -= 1.0;
            self.bursting &= self.credit > self.stutter();
        }
        self.cycle.number
    }

    /// The request that was sent in `cycle` was refused. Whether this is news: refusals of one cycle are one event.
    pub(super) fn refused(&mut self, now: f64, cycle: u64) -> bool {
        if cycle < self.cycle.first {
            return false;
        }
        self.cycle.refused += 1;
        let news = cycle == self.cycle.number && !self.cycle.over;
        if news {
            self.accrue(now);
            self.cycle.over = true;
            self.cycle.was_burst = self.bursting;
            self.last_refusal = now;
        }
        news
    }

    /// The first request after a pause: by now all refusals are back.
    fn resume(&mut self, now: f64) {
        let last = self.cycle.sends.back().copied().unwrap_or(now);
        let enough = self.estimate(last);
        let rate = self.rate.unwrap_or(f64::MAX);
        // A short pause that hardly anything came through after was not long enough to save something.
        let has_saved = enough || now - last > STUTTER_S;
        let saved = if has_saved { (SPENT * rate * (now - last)).max(1.0) } else { 1.0 };
        self.credit = self.burst_limit.map_or(saved, |limit| saved.min(limit.max(1.0)));
        self.at = now;
        self.bursting = self.credit > self.stutter();
        let number = self.cycle.number + 1;
        if enough {
            self.cycle = Cycle { number, first: number, from: last, ..Cycle::default() };
        } else {
            self.cycle.number = number;
            self.cycle.over = false;
        }
    }

    /// Whether enough was let through for an estimate.
    fn estimate(&mut self, last: f64) -> bool {
        let cycle = &self.cycle;
        let pause = cycle.resumed - cycle.from;
        // In a long cycle only its end shows the limit: before, less may have been sent than would have been let in.
        let from = cycle.from.max(last - MEMORY_S.max(2.0 * pause));
        let elapsed = last - from;
        let sent = cycle.sends.iter().filter(|sent| **sent > from).count() as u64;
        let admitted = sent.saturating_sub(cycle.refused) as f64;
        let flowed = admitted / elapsed.max(1e-3);
        let enough = (admitted >= ENOUGH && elapsed >= ENOUGH_S) || elapsed >= MEMORY_S;
        let (rate, enough) = match self.rate {
            // The bucket was not empty at the start. The next refusal will show the limit.
            _ if cycle.number == 0 || last < self.blind_until => return true,
            None if admitted < 3.0 => return elapsed >= MEMORY_S,
            None if !enough => (4.0 * flowed, false),
            None => (LEAN * flowed, true),
            Some(rate) if cycle.was_burst && self.confirmed => {
                self.limit_bursts(admitted);
                (0.95 * rate, true)
            }
            // A few requests show little, but more than the first guess.
            Some(rate) if !enough && self.measured => (rate, false),
            Some(rate) if !enough => (rate.min(2.0 * flowed.max(0.25 * rate)), false),
            Some(_) if cycle.was_burst => {
                self.limit_bursts(admitted);
                (LEAN * flowed, true)
            }
            Some(rate) => {
                self.burst_limit = self.burst_limit.map(|limit| limit * 1.05);
                ((0.9 * rate).clamp(LEAN * flowed, 1.25 * flowed), true)
            }
        };
        if enough {
            let before = self.estimate.replace(flowed).unwrap_or(f64::INFINITY);
            self.agreements = if (flowed / before - 1.0).abs() < 0.02 { self.agreements + 1 } else { 0 };
            self.measured = true;
        }
        self.rate = Some(rate.max(SLOWEST));
        self.doubt(last, flowed, enough);
        enough
    }

    /// Refusals that come however slowly one asks are not about the rate: it is forgotten for a while.
    fn doubt(&mut self, now: f64, flowed: f64, enough: bool) {
        if !enough {
            return;
        }
        self.best = self.best.max(flowed);
        if flowed < 0.4 * self.best {
            self.blindness_s = (2.0 * self.blindness_s).clamp(FIRST_BLINDNESS_S, LONGEST_BLINDNESS_S);
            let Learned { blindness_s, burst_limit, cycle, .. } = std::mem::take(self);
            *self = Learned { blindness_s, burst_limit, cycle, blind_until: now + blindness_s, ..Learned::default() };
        }
    }

    fn limit_bursts(&mut self, admitted: f64) {
        self.burst_limit = Some(self.burst_limit.unwrap_or(f64::MAX).min(0.95 * admitted));
    }

    fn stutter(&self) -> f64 {
        self.rate.map_or(1.0, |rate| (STUTTER_S * rate).max(1.0))
    }

    fn accrue(&mut self, now: f64) {
        let Some(rate) = self.rate else { return };
        let passed = (now - self.at).max(0.0);
        self.at = self.at.max(now);
        // Only a rate that is used up can be found too low.
        let used_up = self.credit < self.stutter();
        let most = if self.bursting { f64::MAX } else { self.stutter() };
        self.credit = (self.credit + passed * rate).min(most.max(self.credit));
        if !self.bursting && !self.cycle.over {
            self.confirmed |= self.cycle.sends.len() >= 10 && now - self.cycle.resumed > 1.0;
            if used_up {
                // The longer nothing was refused, the faster; but what refusals agree about is not doubted soon.
                let calm = (now - self.last_refusal) / (1.0 + f64::from(self.agreements.min(8)));
                let growth = 0.003 * 2f64.powf(calm.min(5.0));
                let growth = if self.measured { growth } else { 10.0 * growth };
                self.rate = Some(rate * (1.0 + growth * passed.min(1.0)));
            }
        }
    }
}
