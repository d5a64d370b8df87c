//! A model behind any endpoint that speaks OpenAI's interface: chat completions and completions.
//!
//! The key decision is who decides when a request is sent. A server's limits are not known beforehand, change, and are
//! shared with others, so that neither a number of threads nor a number of requests per second is right for long. Here one
//! task sends everything (`dispatch`), and a model of the server's limits (`rate_limit`) decides when: it learns from
//! refusals and from the limits that a server states, and it reads no clock, so that it is tested on simulated servers.
//!
//! An answer that has come is never asked for again, an error never counts as an answer, a cap on the cost holds before
//! money is spent, and the key is sent in one header alone.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod batch;
mod budget;
mod cache;
mod dispatch;
mod errors;
mod forms;
mod headers;
mod http;
mod model;
mod options;
mod probe;
mod rate_limit;
mod request_log;
mod request_thread;
mod secret;

use examiner_api::Plugin;

pub use model::OpenAi;
pub use options::{Api, MaxTokensField, Options, Price, Repeats, RequestLog, ScoreMode};

examiner_api::export_plugin!(plugin);

/// The roles of this plugin.
pub fn plugin() -> Plugin {
    Plugin::new("openai", env!("CARGO_PKG_VERSION"))
        .model::<OpenAi>("openai", "A model behind any OpenAI-compatible endpoint: chat completions and completions.")
}
