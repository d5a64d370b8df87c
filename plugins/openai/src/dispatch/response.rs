//! Handles responses: results, retries, and what is learned of the server's limits.

use super::{Dispatcher, Event, InFlight, send_to_all};
use crate::batch::RequestJob;
use crate::errors::{self, Failure, Kind};
use crate::forms::ParsedAnswers;
use crate::http;
use crate::rate_limit::{Limits, Refusal};
use crate::request_log::AttemptEntry;
use examiner_api::{Answer, PluginError, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::mpsc::Sender;

/// What is done with a job next.
pub(super) enum AfterResponse {
    /// All requests that waited for it have their answer or their error.
    Done,
    /// It is asked again, or its parts are.
    Again(Vec<RequestJob>),
    /// It is asked again, not before this time.
    At(Box<RequestJob>, f64),
    /// Nothing more can be asked.
    Over(PluginError),
}

const LONGEST_BACKOFF_S: f64 = 60.0;

impl Dispatcher {
    /// Updates rate limit and budget, logs the attempt, and sends the result to those who wait for it.
    pub(super) fn handle_response(&mut self, request: InFlight, events: &Sender<Event>) -> AfterResponse {
        let InFlight { job, ticket, reservation, sent, response } = request;
        let now = self.now();
        let (status, limits, wait_s) = match &response {
            Ok(answer) => (Some(answer.status), answer.limits, answer.wait_s),
            Err(_) => (None, Limits::default(), None),
        };
        let wait_s = wait_s.map(|wait_s| wait_s.min(self.options.max_retry_after_s));
        let parsed = response.and_then(|answer| self.read(&job, &answer));
        let usage = parsed.as_ref().ok().and_then(|parsed| parsed.usage);
        if let Some(other) = parsed.as_ref().ok().and_then(|parsed| parsed.other_model.clone())
            && self.other_models.insert(other.clone())
        {
            let _ = events.send(Event::OtherModel(other));
        }
        match &parsed {
            Err(Failure { kind: Kind::Overloaded { is_rate }, .. }) => {
                let jitter = self.jitter();
                self.rate_limit.refused(now, &ticket, &Refusal { wait_s, is_rate: *is_rate }, &limits, jitter);
            }
            _ if status.is_some() => {
                self.rate_limit.answered(now, &ticket, &limits, usage.map(|usage| usage.total() as f64));
            }
            _ => self.rate_limit.lost(),
        }
        match &parsed {
            Ok(_) => self.budget.settle(reservation, usage),
            Err(Failure { kind: Kind::Passing { may_be_charged: true }, .. }) => self.budget.settle(reservation, None),
            Err(_) => self.budget.release(reservation),
        }
        let error = parsed.as_ref().err().map(|failure| &failure.error);
        let _ = events.send(Event::Attempt(Box::new(AttemptEntry {
            time: Timestamp::now().to_string(),
            dataset: job.sample.dataset.clone(),
            sample: job.sample.id.clone(),
            repeats: job.slots.iter().map(|slot| slot.repeat).collect(),
            attempt: job.history.attempts,
            status,
            latency_ms: ((now - sent) * 1000.0) as u64,
            tokens_in: usage.map(|usage| usage.read),
            tokens_out: usage.map(|usage| usage.generated),
            cost: usage.and_then(|usage| self.budget.cost(usage)),
            error: error.map(|error| error.code),
            message: error.map(|error| self.http.redact(error.message.clone())),
        })));
        match parsed {
            Ok(parsed) => self.deliver(job, parsed, events),
            Err(failure) => self.judge(job, failure, wait_s, now, events),
        }
    }

    fn read(&self, job: &RequestJob, answer: &http::HttpResponse) -> Result<ParsedAnswers, Failure> {
        let url = format!("{}/{}", self.http.base(), job.work.path(&self.options));
        if !(200..300).contains(&answer.status) {
            return Err(errors::of_status(answer.status, &answer.body, &url, self.answered > 0));
        }
        let content_type = answer.content_type.as_deref().unwrap_or("application/json");
        if !content_type.to_ascii_lowercase().contains("json") {
            return Err(Failure::unreadable(format!("`{url}` answered with `{content_type}`, expected JSON")));
        }
        let body: Value = serde_json::from_str(&answer.body).map_err(|error| {
            let mut failure = Failure::unreadable(format!("the answer of `{url}` is no JSON"));
            failure.error = failure.error.with_cause(&error);
            failure
        })?;
        match errors::in_body(&body, &url) {
            Some(failure) => Err(failure),
            None => {
                let mut parsed = job.work.read(&self.options, &body, job.wants())?;
                parsed.answers = parsed.answers.into_iter().map(|answer| without_key(answer, &self.http)).collect();
                Ok(parsed)
            }
        }
    }

    fn deliver(&mut self, mut job: RequestJob, parsed: ParsedAnswers, events: &Sender<Event>) -> AfterResponse {
        self.answered += 1;
        // Alone it works: the server does not know `n`.
        self.one_by_one |= job.history.split;
        if job.shared {
            if let Some(answer) = parsed.answers.into_iter().next() {
                send_to_all(events, &job, answer);
            }
            return AfterResponse::Done;
        }
        let given = parsed.answers.len();
        for (slot, answer) in job.slots.iter().zip(parsed.answers) {
            let _ = events.send(Event::Answered { index: slot.index, result: Box::new(answer) });
        }
        if given >= job.slots.len() {
            return AfterResponse::Done;
        }
        self.one_by_one |= given == 1;
        job.slots.drain(..given);
        job.history = Default::default();
        AfterResponse::Again(vec![job])
    }

    fn judge(
        &mut self,
        mut job: RequestJob,
        failure: Failure,
        wait_s: Option<f64>,
        now: f64,
        events: &Sender<Event>,
    ) -> AfterResponse {
        let Failure { kind, mut error } = failure;
        error.message = self.http.redact(error.message);
        let may_try_alone = job.wants() > 1 && !job.history.split;
        match kind {
            Kind::Everything => return AfterResponse::Over(error),
            Kind::Request if may_try_alone => return AfterResponse::Again(job.split().collect()),
            Kind::Request => {
                send_to_all(events, &job, Err(error));
                return AfterResponse::Done;
            }
            // The server works, only not for us: that says nothing about this request.
            Kind::Overloaded { .. } if self.answered > job.history.answered_before => {}
            Kind::Overloaded { .. } | Kind::Passing { .. } => job.history.failures += 1,
        }
        if job.history.failures >= self.options.max_attempts {
            if job.history.attempts > 1 {
                error.message = format!("{} ({} attempts)", error.message, job.history.attempts);
            }
            send_to_all(events, &job, Err(error));
            return AfterResponse::Done;
        }
        job.history.last_error = Some(error);
        let pause_s = match kind {
            // The whole model pauses.
            Kind::Overloaded { .. } => 0.0,
            _ => {
                let doubled = self.options.backoff_s * 2f64.powi(job.history.failures.saturating_sub(1).min(16) as i32);
                let jittered = doubled.min(LONGEST_BACKOFF_S) * (0.5 + 0.5 * self.jitter());
                jittered.max(wait_s.unwrap_or(0.0))
            }
        };
        let deadline = job.history.first_sent.unwrap_or(now) + self.options.sample_timeout_s;
        if now + pause_s >= deadline {
            let error = self.too_late(&job);
            send_to_all(events, &job, Err(error));
            return AfterResponse::Done;
        }
        AfterResponse::At(Box::new(job), now + pause_s)
    }
}

/// A server may write the key in another way than it stands in the header.
fn without_key(answer: Result<Answer>, http: &http::Http) -> Result<Answer> {
    answer.map(|answer| match answer {
        Answer::Generate(mut result) => {
            result.text = http.redact(result.text);
            Answer::Generate(result)
        }
        other => other,
    })
}
