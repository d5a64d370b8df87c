//! Asks a model, and sees to it that each request is answered exactly once.

use crate::pending::PendingRequests;
use examiner_api::{
    ErrorCode, Flow, GenerateRequest, GenerateResult, Model, PluginError, Response, Result, ScoreRequest, ScoreResult,
    Sink,
};
use parking_lot::Mutex;
use std::collections::HashMap;

/// The id of the request at this place. A model that answers with places instead of ids is found out.
fn id_of(place: usize) -> u64 {
    1_000_003 + 7 * place as u64
}

/// What a model answered to requests, in their order.
pub(super) type Results<T> = Vec<Result<T>>;

/// The log-likelihoods of texts.
///
/// # Errors
/// That of the call; `Protocol` for an answer too many, one to no request, or a request without an answer.
pub(super) fn score(model: &mut dyn Model, mut requests: Vec<ScoreRequest>) -> Result<Results<ScoreResult>> {
    requests.iter_mut().enumerate().for_each(|(place, request)| request.id = id_of(place));
    collect(requests.len(), |sink| model.score(requests, sink))
}

/// The answers to prompts.
///
/// # Errors
/// As for [`score`].
pub(super) fn generate(model: &mut dyn Model, mut requests: Vec<GenerateRequest>) -> Result<Results<GenerateResult>> {
    requests.iter_mut().enumerate().for_each(|(place, request)| request.id = id_of(place));
    collect(requests.len(), |sink| model.generate(requests, sink))
}

fn collect<T>(count: usize, call: impl FnOnce(&dyn Sink<Response<T>>) -> Result<()>) -> Result<Results<T>>
where
    T: Send,
{
    struct State<T> {
        pending: PendingRequests,
        results: HashMap<u64, Result<T>>,
        breach: Option<PluginError>,
    }
    let pending = PendingRequests::new((0..count).map(id_of));
    let state = Mutex::new(State { pending, results: HashMap::new(), breach: None });
    let sink = |response: Response<T>| {
        let mut state = state.lock();
        match state.pending.claim(response.id) {
            Ok(()) => {
                state.results.insert(response.id, response.result);
                Flow::Continue
            }
            Err(breach) => {
                state.breach.get_or_insert(breach);
                Flow::Stop
            }
        }
    };
    let returned = call(&sink);
    let State { pending, mut results, breach } = state.into_inner();
    if let Some(breach) = breach {
        return Err(breach);
    }
    returned?;
    let left = pending.waiting().count();
    if left > 0 {
        let message = format!("the model returned, and {left} of {count} requests have no answer");
        return Err(PluginError::new(ErrorCode::Protocol, message));
    }
    let none = || Err(PluginError::new(ErrorCode::Protocol, "there is no answer"));
    Ok((0..count).map(|place| results.remove(&id_of(place)).unwrap_or_else(none)).collect())
}

/// Those that are results, with their places.
pub(super) fn good<T>(results: &Results<T>) -> impl Iterator<Item = (usize, &T)> {
    results.iter().enumerate().filter_map(|(place, result)| Some((place, result.as_ref().ok()?)))
}
