//! The rate_limit against servers whose limits are known, on a clock that only the test moves.

use super::{Limits, RateLimit, Refusal, SendTime, Ticket};
use proptest::prelude::*;
use std::collections::{BTreeSet, BinaryHeap};

/// A server that lets `rate` requests a second through and saves up to `capacity`.
#[derive(Debug, Clone, Copy)]
struct Server {
    rate: f64,
    capacity: f64,
    /// Most requests at a time.
    places: usize,
    latency_s: f64,
    /// The time that a refusal names: until there is room again, at least this.
    wait_s: f64,
    /// Whether headers state the limit.
    states: bool,
    /// One of so many requests is refused for no reason.
    whim: usize,
}

const PLAIN: Server = Server {
    rate: 1e9,
    capacity: 1e9,
    places: usize::MAX,
    latency_s: 0.01,
    wait_s: 0.0,
    states: false,
    whim: usize::MAX,
};

#[derive(Debug, Default)]
struct Outcome {
    elapsed_s: f64,
    refusals: usize,
    sent_in_pause: usize,
    most_in_flight: usize,
}

impl Outcome {
    /// The share of what the server would have let through, the bucket's first content aside.
    fn share(&self, server: &Server, requests: usize) -> f64 {
        (requests as f64 - server.capacity) / (server.rate * self.elapsed_s)
    }
}

/// What comes back, first things first.
struct Return {
    at: f64,
    ticket: Ticket,
    request: usize,
    refusal: Option<Refusal>,
    limits: Limits,
}

impl PartialEq for Return {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Return {}
impl PartialOrd for Return {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Return {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.at.total_cmp(&self.at)
    }
}

fn run(server: Server, mut rate_limit: RateLimit, requests: usize) -> Outcome {
    // Sending takes time on a real machine, too, and a clock has ticks.
    const STEP_S: f64 = 2e-4;
    let refusal_s = server.latency_s.min(0.05);
    let mut now = 0.0;
    let (mut level, mut level_at, mut busy) = (server.capacity, 0.0, 0);
    // The oldest first.
    let mut waiting: BTreeSet<usize> = (0..requests).collect();
    let mut returns: BinaryHeap<Return> = BinaryHeap::new();
    let mut outcome = Outcome::default();
    let mut pause_until: f64 = 0.0;
    let (mut done, mut in_flight, mut number) = (0, 0, 0_usize);
    for _ in 0..20_000_000_u64 {
        if done == requests {
            outcome.elapsed_s = now;
            return outcome;
        }
        let turn = if waiting.is_empty() { SendTime::Later } else { rate_limit.send_time(now, 1.0) };
        let next_return = returns.peek().map_or(f64::INFINITY, |next| next.at);
        match turn {
            SendTime::Now if next_return > now => {
                let Some(request) = waiting.pop_first() else { unreachable!() };
                let ticket = rate_limit.sent(now, 1.0);
                outcome.sent_in_pause += usize::from(now < pause_until);
                in_flight += 1;
                outcome.most_in_flight = outcome.most_in_flight.max(in_flight);
                level = f64::min(server.capacity, level + (now - level_at) * server.rate);
                level_at = now;
                number += 1;
                let is_rate = level < 1.0 || (number * 7919) % server.whim == 1;
                let refusal = (is_rate || busy >= server.places)
                    .then(|| Refusal { wait_s: Some(server.wait_s.max((1.0 - level) / server.rate)), is_rate });
                let latency = if refusal.is_some() { refusal_s } else { server.latency_s };
                if refusal.is_none() {
                    level -= 1.0;
                    busy += 1;
                }
                let limits = Limits {
                    limit: server.states.then_some(server.capacity.floor()),
                    remaining: server.states.then_some(level.floor()),
                    reset_s: server.states.then_some((server.capacity - level) / server.rate),
                };
                returns.push(Return { at: now + latency, ticket, request, refusal, limits });
                now += STEP_S;
            }
            SendTime::At(time) if time < next_return => now = now.max(time),
            _ => {
                let Some(next) = returns.pop() else {
                    panic!("nothing is in flight, and nothing may be sent: {turn:?}")
                };
                now = now.max(next.at);
                in_flight -= 1;
                match next.refusal {
                    None => {
                        busy -= 1;
                        done += 1;
                        rate_limit.answered(now, &next.ticket, &next.limits, None);
                    }
                    Some(refusal) => {
                        outcome.refusals += 1;
                        pause_until = pause_until.max(now + refusal.wait_s.unwrap_or(0.0));
                        rate_limit.refused(now, &next.ticket, &refusal, &next.limits, 0.5);
                        waiting.insert(next.request);
                    }
                }
            }
        }
    }
    panic!("no end: {done} of {requests} answered after {now} s, {outcome:?}");
}

fn held(server: Server, requests: usize, at_least: f64) -> Outcome {
    let outcome = run(server, RateLimit::new(CEILING, None, None), requests);
    let share = outcome.share(&server, requests);
    assert!(share >= at_least && share <= 1.01, "{share:.3} of the limit: {server:?} {outcome:?}");
    assert!(outcome.most_in_flight <= CEILING, "{outcome:?}");
    assert_eq!(outcome.sent_in_pause, 0, "{server:?} {outcome:?}");
    outcome
}

const CEILING: usize = 128;

proptest! {
    #![proptest_config(examiner_test_support::cases(64))]

    /// A limit that shows in refusals alone, in a server whose bucket holds what flows in during the pauses it asks for.
    #[test]
    fn learns_a_limit_from_refusals(
        rate in 50.0..800.0_f64, latency_s in 0.001..0.1, wait_s in prop_oneof![Just(0.0), Just(0.1), Just(1.0)],
        spare in 1.0..3.0,
    ) {
        let capacity = f64::max(rate * f64::max(wait_s + latency_s, 0.05) * spare, 4.0);
        let server = Server { rate, capacity, latency_s, wait_s, states: false, ..PLAIN };
        let requests = (rate * 25.0 + capacity) as usize;
        let outcome = held(server, requests, 0.94);
        prop_assert!(outcome.refusals < requests / 5 + 50, "{server:?} {outcome:?}");
    }

    /// A limit that the headers state.
    #[test]
    fn keeps_a_limit_that_is_stated(rate in 20.0..800.0_f64, latency_s in 0.001..0.1, saved_s in 0.2..60.0) {
        let capacity = f64::max(rate * saved_s, 20.0);
        let server = Server { rate, capacity, latency_s, wait_s: 1.0, states: true, ..PLAIN };
        let requests = (rate * 12.5 + capacity) as usize;
        let outcome = run(server, RateLimit::new(CEILING, None, None), requests);
        let share = requests as f64 / (rate * outcome.elapsed_s);
        prop_assert!(share >= 0.95 && outcome.refusals == 0, "{share:.3} of the limit: {server:?} {outcome:?}");
    }

    /// A limit that the suite names.
    #[test]
    fn keeps_a_limit_that_is_told(rate in 5.0..800.0_f64, latency_s in 0.001..0.1) {
        let server = Server { rate, capacity: (0.2 * rate).max(2.0), latency_s, wait_s: 1.0, states: false, ..PLAIN };
        let requests = (rate * 12.5) as usize + 1;
        let outcome = run(server, RateLimit::new(CEILING, Some(rate * 60.0), None), requests);
        prop_assert!(outcome.refusals == 0, "{server:?} {outcome:?}");
        let share = requests as f64 / (rate * outcome.elapsed_s);
        prop_assert!(share > 0.94, "{share} {server:?} {outcome:?}");
    }

    /// Places instead of a rate: overload is met, and the server is kept busy.
    #[test]
    fn finds_how_many_requests_a_server_bears(places in 4_usize..60, latency_s in 0.01..0.5) {
        let server = Server { rate: 1e9, capacity: 1e9, places, latency_s, wait_s: 0.01, states: false, ..PLAIN };
        let requests = places * 200;
        let outcome = run(server, RateLimit::new(CEILING, None, None), requests);
        let share = requests as f64 * latency_s / (places as f64 * outcome.elapsed_s);
        prop_assert!(share > 0.6, "{share} {server:?} {outcome:?}");
    }

    /// A server that asks for longer pauses than its bucket can make good: nobody can be at its limit and honour them, but
    /// it must not end in one refusal after the other.
    #[test]
    fn a_stingy_server_is_not_stormed(rate in 50.0..400.0_f64, latency_s in 0.001..0.05) {
        let server = Server { rate, capacity: 0.05 * rate + 4.0, latency_s, wait_s: 1.0, states: false, ..PLAIN };
        let requests = (rate * 120.0) as usize;
        let outcome = run(server, RateLimit::new(CEILING, None, None), requests);
        let share = outcome.share(&server, requests);
        prop_assert!(share > 0.1, "{share} {server:?} {outcome:?}");
        prop_assert!(outcome.refusals * 2 < requests, "{server:?} {outcome:?}");
    }
}

#[test]
fn five_thousand_requests_reach_the_limit() {
    for (capacity, latency_s, wait_s) in [(400.0, 0.005, 1.0), (400.0, 0.05, 1.0), (40.0, 0.02, 0.0), (80.0, 0.02, 0.1)]
    {
        let server = Server { rate: 400.0, capacity, latency_s, wait_s, states: false, ..PLAIN };
        held(server, 5000 + capacity as usize, 0.95);
    }
}

/// A server, or others who ask it, may refuse for reasons that have nothing to do with how fast this client asks: slowing
/// down more and more would not help.
#[test]
fn refusals_for_no_reason_do_not_bring_it_to_a_halt() {
    for (whim, wait_s) in [(7, 0.1), (3, 0.05), (50, 1.0), (20, 0.0)] {
        let server = Server { whim, wait_s, ..PLAIN };
        let outcome = run(server, RateLimit::new(CEILING, None, None), 3000);
        let pauses_s = outcome.refusals as f64 * (wait_s + 2.0 * server.latency_s);
        assert!(outcome.elapsed_s < 2.0 * pauses_s + 5.0, "{server:?} {outcome:?}");
    }
}

#[test]
fn a_long_wait_for_answers_does_not_hide_the_limit() {
    for latency_s in [1.0, 3.0] {
        let server = Server { rate: 20.0, capacity: 40.0, latency_s, wait_s: 1.0, states: false, ..PLAIN };
        held(server, 2000, 0.8);
    }
}

#[test]
fn pauses_that_nobody_names_grow_until_an_answer_comes() {
    let mut rate_limit = RateLimit::new(1, None, None);
    let (mut now, mut pauses) = (0.0, Vec::new());
    for _ in 0..10 {
        assert_eq!(rate_limit.send_time(now, 1.0), SendTime::Now);
        let ticket = rate_limit.sent(now, 1.0);
        rate_limit.refused(now, &ticket, &Refusal::default(), &Limits::default(), 1.0);
        let SendTime::At(next) = rate_limit.send_time(now, 1.0) else { panic!("no pause") };
        pauses.push(next - now);
        now = next;
    }
    assert_eq!(pauses[..3], [0.25, 0.5, 1.0]);
    assert_eq!(pauses[9], 30.0);
}
