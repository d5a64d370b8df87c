//! All that an Examiner plugin depends on: roles, data, host and errors.
//!
//! A plugin is a shared library that plays roles: a [`Model`], a [`Dataset`], a [`Scorer`], a [`Trainer`], a
//! [`Recipe`], an [`Exporter`], a [`Diagnostic`] or a [`Catalog`]. Its author implements plain Rust traits, collects them in a [`Plugin`], and writes
//! [`export_plugin!`] once.
//!
//! The key decision is what crosses the boundary. Rust has no stable binary interface, so a fixed and tiny one is laid
//! down with `abi_stable` (the crate `examiner-interface`): a role is *one* method that takes the name of what is wanted, bytes, and a
//! sink for results. Everything else, every request, result and error, is data in *one* serialized form ([`wire`]).
//! The interface then grows by adding data, never by changing vtables, and a worker process can be spoken to with the
//! same bytes over a pipe.
//!
//! A whole plugin, and its test:
//!
//! ```
//! use examiner_api::serde::Deserialize;
//! use examiner_api::testing::FakeHost;
//! use examiner_api::{
//!     FinishReason, Flow, GenerateRequest, GenerateResult, Host, Metadata, Model, ModelInfo, Open, OpenRole, Plugin, Response,
//!     Result, RoleKind, Sink, schemars,
//! };
//! use std::sync::Mutex;
//!
//! /// What a suite may say of the model.
//! #[derive(Deserialize, schemars::JsonSchema)]
//! #[serde(crate = "examiner_api::serde", deny_unknown_fields)]
//! #[schemars(crate = "examiner_api::schemars")]
//! struct Options {
//!     /// What stands before each answer.
//!     #[serde(default)]
//!     prefix: String,
//! }
//!
//! /// Answers with its own prompt.
//! struct Echo(Options);
//!
//! impl Open for Echo {
//!     type Options = Options;
//!
//!     fn open(options: Options, _host: Host) -> Result<Self> {
//!         Ok(Echo(options))
//!     }
//! }
//!
//! impl Model for Echo {
//!     // The fingerprint changes whenever an answer could.
//!     fn info(&self) -> Result<ModelInfo> {
//!         let fingerprint = format!("echo 1 {:?}", self.0.prefix);
//!         Ok(ModelInfo { name: "echo".into(), fingerprint, can_generate: true, ..ModelInfo::default() })
//!     }
//!
//!     fn generate(&mut self, requests: Vec<GenerateRequest>, sink: &dyn Sink<Response<GenerateResult>>) -> Result<()> {
//!         for request in requests {
//!             let text = format!("{}{}", self.0.prefix, request.prompt);
//!             let result = GenerateResult { text, finish: FinishReason::EndOfText, ..GenerateResult::default() };
//!             if sink.send(Response::ok(request.id, result)) == Flow::Stop {
//!                 break;
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! /// The plugin: its name, its version and its roles.
//! pub fn plugin() -> Plugin {
//!     Plugin::new("echo", "0.1.0").model::<Echo>("echo", "Answers with its own prompt.")
//! }
//!
//! // Makes the library loadable.
//! examiner_api::export_plugin!(plugin);
//!
//! fn main() -> Result<()> {
//!     let options = Metadata::from_iter([("prefix".to_owned(), "You said: ".into())]);
//!     let OpenRole::Model(mut model) = plugin().open(RoleKind::Model, "echo", options, FakeHost::new().host())? else {
//!         panic!("the role is a model")
//!     };
//!     let texts = Mutex::new(Vec::new());
//!     let request = GenerateRequest { prompt: "18".into(), ..GenerateRequest::default() };
//!     model.generate(vec![request], &|response: Response<GenerateResult>| {
//!         texts.lock().unwrap().push(response.result.unwrap().text);
//!         Flow::Continue
//!     })?;
//!     assert_eq!(texts.into_inner().unwrap(), ["You said: 18"]);
//!     Ok(())
//! }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod asking;
mod catalog;
mod error;
mod export;
#[doc(hidden)]
pub mod ffi;
mod host;
mod host_api;
mod kind;
mod nearest;
mod open_role;
mod plugin;
pub mod random;
mod reasoning;
mod recipe;
mod request;
mod roles;
#[cfg(feature = "rows")]
pub mod rows;
mod sample;
mod score_check;
mod stages;
#[cfg(feature = "rows")]
pub mod teacher_data;
pub mod testing;
mod turn;
pub mod wire;

pub use catalog::{Catalog, CatalogEntry, CatalogKind, CatalogState};
pub use error::{ErrorCode, PluginError};
pub use host::Host;
pub use host_api::{HostApi, Level, Progress, RoleAddress};
pub use kind::RoleKind;
pub use nearest::nearest;
pub use open_role::OpenRole;
pub use plugin::{Open, Plugin, PluginInfo, RoleInfo};
pub use reasoning::{AutoReasoning, Parted, ReasoningMarks, ReasoningOption};
pub use recipe::{
    AskAll, AskReport, Recipe, RecipeEvent, RecipeInfo, RecipeJob, RecipeReport, RowsContent, RowsFile, TaskYield,
};
pub use request::{
    Divergence, FinishReason, GenerateRequest, GenerateResult, Metadata, Response, SampleRef, Sampling, ScoreRequest,
    ScoreResult, Span, TokenCount,
};
pub use roles::{
    ANSWERS_FORM, BatchInvariance, Dataset, DatasetInfo, Diagnostic, Finding, FindingState, Flow, GroupMetric, Model,
    ModelInfo, Result, Scorer, ScorerInfo, Sink, SubsetGroup, TokenPrice,
};
pub use sample::{Aggregation, Answer, Answered, Ask, Gold, MetricInfo, Outcome, Question, Sample, Shot, Verdict};
pub use stages::{ExportJob, ExportReport, Exporter, TrainEvent, TrainJob, TrainReport, Trainer, TrainingRow};
pub use turn::{Speaker, Turn};

// A plugin needs these to derive its options, and should not have to pick the versions itself.
pub use {schemars, serde, serde_json};

pub use examiner_interface::INTERFACE;

/// The version of this crate. Programs open plugins that were built with another one, too, as long as the [`INTERFACE`] is the same.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");
