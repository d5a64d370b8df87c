//! Asks the teacher what has not been answered yet.

use super::answers::Answers;
use examiner_api::{
    ErrorCode, Flow, GenerateRequest, GenerateResult, Host, Model, PluginError, Response, Result, SampleRef, Sampling,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A question to the teacher, or one of its repetitions.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// What decides the answer.
    pub(super) key: String,
    pub(super) sample: SampleRef,
    pub(super) prompt: String,
}

/// Failures that did not end the asking, by what was said.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) count: u64,
    messages: BTreeMap<String, u64>,
    first: Option<PluginError>,
}

impl Failures {
    fn note(&mut self, error: PluginError) {
        self.count += 1;
        // So many different messages say enough.
        if self.messages.len() < 100 || self.messages.contains_key(&error.message) {
            *self.messages.entry(error.message.clone()).or_default() += 1;
        }
        self.first.get_or_insert(error);
    }

    /// The most frequent messages, and how often each came.
    pub(super) fn said(&self) -> String {
        let mut messages: Vec<(&String, &u64)> = self.messages.iter().collect();
        messages.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let said: Vec<String> =
            messages.iter().take(3).map(|(message, count)| format!("{count} x {message}")).collect();
        let more =
            if messages.len() > 3 { format!("; and {} other reasons", messages.len() - 3) } else { String::new() };
        said.join("; ") + &more
    }

    /// What kind of failure came first.
    pub(super) fn code(&self) -> ErrorCode {
        self.first.as_ref().map_or(ErrorCode::Other, |error| error.code)
    }
}

/// What the answers to one batch have in common.
struct Batch<'a> {
    answers: &'a mut Answers,
    failures: &'a mut Failures,
    seen: Vec<bool>,
    /// Why no more is asked.
    ended: Option<PluginError>,
}

/// Asks all of `asks` and writes every answer down as it comes. `on_done` is told of each; it says whether to go on.
///
/// # Errors
/// What ends the asking: the user, a refused key or an empty account (every further question would fail alike, or cost), a
/// failure of the whole batch, a file that cannot be written. All that was answered before is kept.
pub(super) fn ask(
    teacher: &mut dyn Model,
    asks: &[Ask],
    sampling: &Sampling,
    answers: &mut Answers,
    failures: &mut Failures,
    host: &Host,
    on_done: &(dyn Fn() -> Flow + Sync),
) -> Result<()> {
    let requests = asks.iter().zip(0..).map(|(ask, id)| GenerateRequest {
        id,
        sample: ask.sample.clone(),
        prompt: ask.prompt.clone(),
        sampling: sampling.clone(),
        ..GenerateRequest::default()
    });
    let batch = Mutex::new(Batch { answers, failures, seen: vec![false; asks.len()], ended: None });
    let sink = |response: Response<GenerateResult>| {
        let mut batch = batch.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.ended.is_some() {
            return Flow::Stop;
        }
        if let Err(error) = batch.take(asks, response) {
            batch.ended = Some(error);
        } else if on_done() == Flow::Stop || host.is_cancelled() {
            batch.ended = Some(interrupted());
        }
        if batch.ended.is_some() { Flow::Stop } else { Flow::Continue }
    };
    let returned = teacher.generate(requests.collect(), &sink);
    let mut batch = batch.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = batch.ended.take() {
        return Err(error);
    }
    returned?;
    for place in (0..asks.len()).filter(|place| !batch.seen[*place]) {
        let message = format!("the teacher left `{}` without an answer", asks[place].sample.id);
        batch.failures.note(PluginError::new(ErrorCode::Protocol, message));
    }
    Ok(())
}

impl Batch<'_> {
    fn take(&mut self, asks: &[Ask], response: Response<GenerateResult>) -> Result<()> {
        let place = usize::try_from(response.id).ok().filter(|place| *place < asks.len());
        let Some(place) = place.filter(|place| !self.seen[*place]) else {
            // An answer in the wrong place would be a wrong answer to another question.
            let message = format!("the teacher answered request {}, which is not open", response.id);
            return Err(PluginError::new(ErrorCode::Protocol, message));
        };
        self.seen[place] = true;
        let Ask { key, sample, .. } = &asks[place];
        match response.result {
            Ok(answer) => self.answers.add(key.clone(), &sample.id, sample.repeat, answer),
            Err(error) => match error.code {
                ErrorCode::Authentication | ErrorCode::Quota | ErrorCode::Cancelled => Err(error),
                _ => {
                    self.failures.note(error);
                    Ok(())
                }
            },
        }
    }
}

/// What the recipe says when the user wants to stop.
pub(super) fn interrupted() -> PluginError {
    PluginError::new(ErrorCode::Cancelled, "interrupted; run the same command again to go on")
}
