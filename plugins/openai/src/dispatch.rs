//! Asks jobs until each has its answers or its error.
//!
//! One task decides everything: which job is next, whether it may be sent, what follows from what came back. So nothing
//! is locked, and what is sent depends on what was decided, not on which thread came first.

mod response;
mod waiting;

use crate::batch::Job;
use crate::budget::{Budget, Reservation};
use crate::errors::Failure;
use crate::http::{self, Http};
use crate::options::Options;
use crate::rate_limit::{RateLimit, Ticket, Turn};
use crate::request_log::Entry;
use examiner_api::{Answer, ErrorCode, PluginError, Result};
use response::AfterResponse;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use waiting::Waiting;

/// What the caller learns.
pub(crate) enum Event {
    /// What came of the request at a place of the batch.
    Answered { place: usize, result: Box<Result<Answer>> },
    /// What became of an attempt.
    Attempt(Box<Entry>),
    /// Nothing more will come; what was spent so far.
    End(Result<()>, Box<Budget>),
}

/// The server's side of a model. It outlives batches, and remembers what the server can bear.
pub(crate) struct Dispatcher {
    options: Arc<Options>,
    http: Arc<Http>,
    rate_limit: RateLimit,
    budget: Budget,
    began: Instant,
    random: u64,
    /// Answers so far.
    answered: u64,
    /// The server does not give several answers to one request.
    one_by_one: bool,
    /// What makes every request futile.
    fatal: Option<PluginError>,
}

/// A request on its way.
struct Flight {
    job: Job,
    ticket: Ticket,
    reservation: Reservation,
    sent: f64,
    came: Result<http::Answer, Failure>,
}

/// How often the caller is asked whether it still wants answers.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);

impl Dispatcher {
    pub(crate) fn new(options: Arc<Options>, http: Arc<Http>) -> Self {
        let rate_limit =
            RateLimit::new(options.max_concurrency, options.requests_per_minute, options.tokens_per_minute);
        Dispatcher {
            budget: Budget::new(&options),
            rate_limit,
            http,
            options,
            began: Instant::now(),
            random: u64::from(std::process::id()) | 1,
            answered: 0,
            one_by_one: false,
            fatal: None,
        }
    }

    /// Asks everything, and says so through `events`.
    pub(crate) async fn run(&mut self, jobs: Vec<Job>, events: &Sender<Event>, stop: &AtomicBool) {
        let mut flights = JoinSet::new();
        let end = match self.fatal.clone() {
            Some(error) => Err(error),
            None => self.ask(Waiting::new(jobs), &mut flights, events, stop).await,
        };
        // Whatever is still under way is not wanted any more, but may be charged.
        for _ in 0..flights.len() {
            self.rate_limit.lost();
        }
        self.budget.give_up_all();
        if let Err(error) = &end
            && error.code != ErrorCode::Cancelled
        {
            self.fatal = Some(error.clone());
        }
        let _ = events.send(Event::End(end, Box::new(self.budget.clone())));
    }

    async fn ask(
        &mut self,
        mut waiting: Waiting,
        flights: &mut JoinSet<Flight>,
        events: &Sender<Event>,
        stop: &AtomicBool,
    ) -> Result<()> {
        let mut over: Option<PluginError> = None;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(PluginError::new(ErrorCode::Cancelled, "interrupted; run the same command again to go on"));
            }
            let mut wake = LOOK_UP_EVERY;
            while over.is_none() {
                let now = self.now();
                let Some(job) = waiting.next(now) else {
                    wake = wake.min(waiting.next_at().map_or(wake, |at| seconds(at - now)));
                    break;
                };
                match self.send(job, flights, events, now) {
                    Sent::Yes => {}
                    Sent::Split(jobs) => waiting.add_all(jobs),
                    Sent::NotYet(job, at) => {
                        waiting.put_back(*job);
                        wake = wake.min(at.map_or(wake, |at| seconds(at - now)));
                        break;
                    }
                    Sent::Never(error) => over = Some(error),
                }
            }
            if flights.is_empty() && (over.is_some() || waiting.is_empty()) {
                return over.map_or(Ok(()), Err);
            }
            let returned = if flights.is_empty() {
                tokio::time::sleep(wake).await;
                None
            } else {
                tokio::time::timeout(wake, flights.join_next()).await.unwrap_or_default()
            };
            match returned {
                None => {}
                Some(Err(error)) => {
                    return Err(PluginError::new(ErrorCode::Panic, "an attempt broke off").with_cause(&error));
                }
                Some(Ok(flight)) => match self.land(flight, events) {
                    AfterResponse::Done => {}
                    AfterResponse::Again(jobs) => waiting.add_all(jobs),
                    AfterResponse::At(job, at) => waiting.add_at(*job, at),
                    // What is under way may be answered yet where only the money is at its end.
                    AfterResponse::Over(error) if error.code == ErrorCode::Quota => over = Some(over.unwrap_or(error)),
                    AfterResponse::Over(error) => return Err(over.unwrap_or(error)),
                },
            }
        }
    }

    fn send(&mut self, mut job: Job, flights: &mut JoinSet<Flight>, events: &Sender<Event>, now: f64) -> Sent {
        if self.one_by_one && job.wants() > 1 {
            return Sent::Split(job.split().collect());
        }
        let first_sent = job.past.first_sent.unwrap_or(now);
        let left_s = first_sent + self.options.sample_timeout_s - now;
        if left_s <= 0.0 {
            let error = self.too_late(&job);
            give(events, &job, Err(error));
            return Sent::Yes;
        }
        let wants = job.wants();
        let likely = job.work.likely_tokens(&self.options, wants);
        match self.rate_limit.turn(now, likely) {
            Turn::Now => {}
            Turn::At(at) => return Sent::NotYet(Box::new(job), Some(at)),
            Turn::Later => return Sent::NotYet(Box::new(job), None),
        }
        let most = job.work.most_tokens(&self.options, wants);
        let Some(reservation) = self.budget.reserve(most) else {
            // What is under way may turn out cheaper than was set aside for it.
            return match flights.is_empty() {
                true => Sent::Never(self.budget.refusal(most)),
                false => Sent::NotYet(Box::new(job), None),
            };
        };
        self.budget.requests += 1;
        self.budget.retries += u64::from(job.past.attempts > 0);
        job.past.attempts += 1;
        job.past.first_sent = Some(first_sent);
        job.past.answered_before = self.answered;
        let body = job.work.body(&self.options, wants, job.own_seed()).to_string().into_bytes();
        let path = job.work.path(&self.options);
        let timeout = seconds(self.options.attempt_timeout_s.min(left_s));
        let ticket = self.rate_limit.sent(now, likely);
        let http = self.http.clone();
        flights.spawn(async move {
            let came = http.post(path, body, timeout).await;
            Flight { job, ticket, reservation, sent: now, came }
        });
        Sent::Yes
    }

    fn too_late(&self, job: &Job) -> PluginError {
        let (limit, attempts) = (self.options.sample_timeout_s, job.past.attempts);
        let message = format!("no answer within `sample_timeout_s: {limit}`, after {attempts} attempts");
        let mut error = PluginError::new(ErrorCode::Timeout, message);
        error.causes.extend(job.past.last_error.as_ref().map(ToString::to_string));
        error
    }

    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Between 0 and 1; so that clients that failed together do not come back together.
    fn jitter(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}

enum Sent {
    /// It is under way, or was given up.
    Yes,
    Split(Vec<Job>),
    /// Not before a time, or before something comes back.
    NotYet(Box<Job>, Option<f64>),
    Never(PluginError),
}

/// Gives one result to all that wait for the job.
fn give(events: &Sender<Event>, job: &Job, result: Result<Answer>) {
    for slot in &job.slots {
        let _ = events.send(Event::Answered { place: slot.place, result: Box::new(result.clone()) });
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
