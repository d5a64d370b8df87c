//! The tutorial plugin: a model that answers with its own prompt.
//!
//! Copy this file to begin a plugin of your own. It needs nothing but `examiner-api`, and `crate-type = ["cdylib"]` in
//! its `Cargo.toml`; put the built library where `examiner plugins` looks, and a suite can say `plugin: echo`.

use examiner_api::serde::{Deserialize, Serialize};
use examiner_api::serde_json::json;
use examiner_api::{
    FinishReason, Flow, GenerateRequest, GenerateResult, Host, Model, ModelInfo, Open, Plugin, Response, Result,
    ScoreRequest, ScoreResult, Sink, Span, schemars, serde,
};

/// What a suite may say of the model. The doc comments become the descriptions of the published JSON Schema.
#[derive(Deserialize, Serialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)] // An unknown key in the suite is an error with a suggestion.
#[schemars(crate = "schemars")]
#[derive(Default)]
pub struct Options {
    /// What stands before each answer.
    prefix: String,
}

/// The model: its options are all that it has.
pub struct Echo {
    options: Options,
}

/// How the model comes to be: once for each model of the suite that says `plugin: echo`.
impl Open for Echo {
    type Options = Options;

    // The host is the way to logs, files, downloads and other roles; this model needs none of it.
    fn open(options: Options, _host: Host) -> Result<Self> {
        Ok(Echo { options })
    }
}

/// What the model does.
impl Model for Echo {
    // The fingerprint changes whenever an answer could: with the options, or with the version of this code.
    fn info(&self) -> Result<ModelInfo> {
        let fingerprint = json!({ "model": "echo", "version": 2, "options": self.options }).to_string();
        Ok(ModelInfo { name: "echo".into(), fingerprint, can_score: true, can_generate: true, ..ModelInfo::default() })
    }

    // One response for each request, each id once, in any order. A text costs one nat a character.
    fn score(&mut self, requests: Vec<ScoreRequest>, sink: &dyn Sink<Response<ScoreResult>>) -> Result<()> {
        for request in requests {
            let length = (request.context.chars().count() + request.continuation.chars().count()) as u32;
            let before = match request.span {
                // White space at the end of the context is scored with the continuation.
                Span::Continuation => request.context.trim_end().chars().count() as u32,
                // Nothing stands before the first character.
                Span::All => 1,
                // What is longer than a model's context; this one does not say `scores_windows`, and is not asked for it.
                windows => return Err(windows.unsupported()),
            };
            let scored = length.saturating_sub(before);
            let result = ScoreResult {
                sum: -f64::from(scored),
                token_logprobs: vec![-1.0; scored as usize],
                scored_tokens: scored,
                total_tokens: length,
                ..ScoreResult::default()
            };
            if sink.send(Response::ok(request.id, result)) == Flow::Stop {
                break; // Nobody wants the rest.
            }
        }
        Ok(())
    }

    // The answer is the prompt, up to the first stop string of the request.
    fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
        for request in requests {
            let mut text = format!("{}{}", self.options.prefix, request.prompt);
            let stops = request.sampling.stop.iter().filter(|stop| !stop.is_empty());
            let stop = stops.filter_map(|stop| text.find(stop.as_str())).min();
            text.truncate(stop.unwrap_or(text.len()));
            let finish = if stop.is_some() { FinishReason::StopString } else { FinishReason::EndOfText };
            let result = GenerateResult { text, finish, ..GenerateResult::default() };
            if sink.send(Response::ok(request.id, result)) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new("echo", env!("CARGO_PKG_VERSION")).model::<Echo>("echo", "Answers with its own prompt.")
}

// Makes the library loadable.
examiner_api::export_plugin!(plugin);
