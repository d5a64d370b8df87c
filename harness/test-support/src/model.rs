//! Short ways to ask a model. Each request must be answered once.

use examiner_api::{
    Flow, GenerateRequest, GenerateResult, Model, Response, Result, Sampling, ScoreRequest, ScoreResult, Sink,
};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The responses that a call sends, by the request's id, and how the call itself ended.
///
/// # Panics
///
/// If a request is answered twice.
pub fn responses<T: Send>(
    call: impl FnOnce(&dyn Sink<Response<T>>) -> Result<()>,
) -> (BTreeMap<u64, Result<T>>, Result<()>) {
    let responses = Mutex::new(BTreeMap::new());
    let sink = |response: Response<T>| {
        let before = responses.lock().unwrap().insert(response.id, response.result);
        assert!(before.is_none(), "request {} was answered twice", response.id);
        Flow::Continue
    };
    let end = call(&sink);
    (responses.into_inner().unwrap(), end)
}

/// The results of a call that answers all of `count` requests, by id.
fn results<T: Send>(count: usize, call: impl FnOnce(&dyn Sink<Response<T>>) -> Result<()>) -> BTreeMap<u64, T> {
    let (responses, end) = responses(call);
    end.unwrap();
    assert_eq!(responses.len(), count, "not every request was answered");
    responses.into_iter().map(|(id, result)| (id, result.unwrap())).collect()
}

/// Scores requests; results by id.
///
/// # Panics
///
/// If a request fails, or is not answered exactly once.
pub fn score(model: &mut impl Model, requests: Vec<ScoreRequest>) -> BTreeMap<u64, ScoreResult> {
    results(requests.len(), |sink| model.score(requests, sink))
}

/// Generates answers; results by id.
///
/// # Panics
///
/// If a request fails, or is not answered exactly once.
pub fn generate(model: &mut impl Model, requests: Vec<GenerateRequest>) -> BTreeMap<u64, GenerateResult> {
    results(requests.len(), |sink| model.generate(requests, sink))
}

/// A request for the log-likelihood of `continuation` after `context`.
pub fn loglikelihood(id: u64, context: &str, continuation: &str) -> ScoreRequest {
    ScoreRequest { id, context: context.to_owned(), continuation: continuation.to_owned(), ..ScoreRequest::default() }
}

/// A request for a greedy answer.
pub fn prompt(id: u64, prompt: &str, max_new_tokens: u32) -> GenerateRequest {
    let sampling = Sampling { max_new_tokens, ..Sampling::default() };
    GenerateRequest { id, prompt: prompt.to_owned(), sampling, ..GenerateRequest::default() }
}
