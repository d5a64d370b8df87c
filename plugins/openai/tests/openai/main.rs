//! The model as the harness sees it, against a server whose responses the tests choose.
//!
//! - `misbehaviour`: broken answers, refusals and silence; nothing is lost, nothing is asked twice.
//! - `endings`: what ends a whole stage, and how soon.
//! - `reasoning`: what models think before they answer.
//! - `repeats`: several answers in one request.
//! - `money`: the cap on what a run may cost.
//! - `kept`: the cache on disk.
//! - `likelihoods`: log-probabilities of prompts, and how they are found to be there.
//! - `secrets`: where the key must not be.
//! - `server`: the server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod endings;
mod kept;
mod likelihoods;
mod misbehaviour;
mod money;
mod reasoning;
mod repeats;
mod secrets;
mod server;

use examiner_api::testing::FakeHost;
use examiner_api::{GenerateRequest, GenerateResult, Model, Open, PluginError, Result, SampleRef, Sampling};
use examiner_plugin_openai::{OpenAi, Options};
use examiner_test_support::model::responses;
use serde_json::{Value, json};
use server::Server;
use std::collections::BTreeMap;

/// Options for `server`, quick to try again, with `more`.
fn options(server: &Server, more: Value) -> Options {
    let mut options = json!({ "model": "m", "base_url": server.url(), "backoff_s": 0.01, "attempt_timeout_s": 20.0 });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(options).unwrap()
}

fn open(server: &Server, more: Value) -> OpenAi {
    OpenAi::open(options(server, more), FakeHost::new().host()).unwrap()
}

/// A request with its prompt as the sample's id.
fn request(id: u64, prompt: &str, sampling: &Sampling) -> GenerateRequest {
    let sample = SampleRef { dataset: "d".into(), id: prompt.to_owned(), ..SampleRef::default() };
    GenerateRequest { id, sample, prompt: prompt.to_owned(), sampling: sampling.clone(), ..GenerateRequest::default() }
}

fn requests(count: u64) -> Vec<GenerateRequest> {
    (0..count).map(|id| request(id, &format!("question {id}"), &Sampling::default())).collect()
}

type Answers = BTreeMap<u64, Result<GenerateResult, PluginError>>;

/// What came of each request; each must be answered once.
fn generate(model: &mut OpenAi, requests: Vec<GenerateRequest>) -> (Answers, Result<()>) {
    responses(|sink| model.generate(requests, sink))
}
