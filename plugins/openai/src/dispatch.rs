//! Asks jobs until each has its answers or its error.
//!
//! One task decides everything: which job is next, whether it may be sent, what follows from what came back. So nothing
//! is locked, and what is sent depends on what was decided, not on which thread was first.

mod response;
mod waiting;

use crate::batch::RequestJob;
use crate::budget::{Budget, Reservation};
use crate::errors::Failure;
use crate::http::{self, Http};
use crate::options::Options;
use crate::rate_limit::{RateLimit, SendTime, Ticket};
use crate::request_log::AttemptEntry;
use examiner_api::{Answer, ErrorCode, PluginError, Result};
use response::AfterResponse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use waiting::Waiting;

/// What the caller is sent.
pub(crate) enum Event {
    /// The result of the request at an index of the batch.
    Answered { index: usize, result: Box<Result<Answer>> },
    /// An attempt, for the log.
    Attempt(Box<AttemptEntry>),
    /// The server says that another model answered than was asked for: its name.
    OtherModel(String),
    /// The last event, with what was spent so far.
    End(Result<()>, Box<Budget>),
}

/// Sends a model's requests. It outlives batches, and keeps what was learned of the server's limits.
pub(crate) struct Dispatcher {
    options: Arc<Options>,
    http: Arc<Http>,
    rate_limit: RateLimit,
    budget: Budget,
    began: Instant,
    random: u64,
    /// Answers so far.
    answered: u64,
    /// The models by whose names answers came, beside the one that was asked for.
    other_models: BTreeSet<String>,
    /// The server does not give several answers to one request.
    one_by_one: bool,
    /// What makes every request futile.
    fatal: Option<PluginError>,
}

/// A request in flight.
struct InFlight {
    job: RequestJob,
    ticket: Ticket,
    reservation: Reservation,
    sent: f64,
    response: Result<http::HttpResponse, Failure>,
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
            other_models: BTreeSet::new(),
            fatal: None,
        }
    }

    /// Asks everything; results go to `events`.
    pub(crate) async fn run(&mut self, jobs: Vec<RequestJob>, events: &Sender<Event>, stop: &AtomicBool) {
        let mut in_flight = JoinSet::new();
        let end = match self.fatal.clone() {
            Some(error) => Err(error),
            None => self.ask(Waiting::new(jobs), &mut in_flight, events, stop).await,
        };
        // Whatever is still in flight is not wanted any more, but may be charged.
        for _ in 0..in_flight.len() {
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
        in_flight: &mut JoinSet<InFlight>,
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
                match self.send(job, in_flight, events, now) {
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
            if in_flight.is_empty() && (over.is_some() || waiting.is_empty()) {
                return over.map_or(Ok(()), Err);
            }
            let returned = if in_flight.is_empty() {
                tokio::time::sleep(wake).await;
                None
            } else {
                tokio::time::timeout(wake, in_flight.join_next()).await.unwrap_or_default()
            };
            match returned {
                None => {}
                Some(Err(error)) => {
                    return Err(PluginError::new(ErrorCode::Panic, "an attempt broke off").with_cause(&error));
                }
                Some(Ok(returned)) => match self.handle_response(returned, events) {
                    AfterResponse::Done => {}
                    AfterResponse::Again(jobs) => waiting.add_all(jobs),
                    AfterResponse::At(job, at) => waiting.add_at(*job, at),
                    // What is in flight may be answered yet where only the money is at its end.
                    AfterResponse::Over(error) if error.code == ErrorCode::Quota => over = Some(over.unwrap_or(error)),
                    AfterResponse::Over(error) => return Err(over.unwrap_or(error)),
                },
            }
        }
    }

    fn send(
        &mut self,
        mut job: RequestJob,
        in_flight: &mut JoinSet<InFlight>,
        events: &Sender<Event>,
        now: f64,
    ) -> Sent {
        if self.one_by_one && job.wants() > 1 {
            return Sent::Split(job.split().collect());
        }
        let first_sent = job.history.first_sent.unwrap_or(now);
        let left_s = first_sent + self.options.sample_timeout_s - now;
        if left_s <= 0.0 {
            let error = self.too_late(&job);
            send_to_all(events, &job, Err(error));
            return Sent::Yes;
        }
        let wants = job.wants();
        let likely = job.work.likely_tokens(&self.options, wants);
        match self.rate_limit.send_time(now, likely) {
            SendTime::Now => {}
            SendTime::At(at) => return Sent::NotYet(Box::new(job), Some(at)),
            SendTime::Later => return Sent::NotYet(Box::new(job), None),
        }
        let most = job.work.most_tokens(&self.options, wants);
        let Some(reservation) = self.budget.reserve(most) else {
            // What is in flight may turn out cheaper than was set aside for it.
            return match in_flight.is_empty() {
                true => Sent::Never(self.budget.refusal(most)),
                false => Sent::NotYet(Box::new(job), None),
            };
        };
        self.budget.requests += 1;
        self.budget.retries += u64::from(job.history.attempts > 0);
        job.history.attempts += 1;
        job.history.first_sent = Some(first_sent);
        job.history.answered_before = self.answered;
        let body = job.work.body(&self.options, wants, job.own_seed()).to_string().into_bytes();
        let path = job.work.path(&self.options);
        let timeout = seconds(self.options.attempt_timeout_s.min(left_s));
        let ticket = self.rate_limit.sent(now, likely);
        let http = self.http.clone();
        in_flight.spawn(async move {
            let response = http.post(path, body, timeout).await;
            InFlight { job, ticket, reservation, sent: now, response }
        });
        Sent::Yes
    }

    fn too_late(&self, job: &RequestJob) -> PluginError {
        let (limit, attempts) = (self.options.sample_timeout_s, job.history.attempts);
        let message = format!("no answer within `sample_timeout_s: {limit}`, after {attempts} attempts");
        let mut error = PluginError::new(ErrorCode::Timeout, message);
        error.causes.extend(job.history.last_error.as_ref().map(ToString::to_string));
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
    /// It is in flight, or was given up.
    Yes,
    Split(Vec<RequestJob>),
    /// Not before a time, or before something comes back.
    NotYet(Box<RequestJob>, Option<f64>),
    Never(PluginError),
}

/// Gives one result to all that wait for the job.
fn send_to_all(events: &Sender<Event>, job: &RequestJob, result: Result<Answer>) {
    for slot in &job.slots {
        let _ = events.send(Event::Answered { index: slot.index, result: Box::new(result.clone()) });
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
