//! All that an Examiner plugin depends on: roles, data, host and errors.
//!
//! A plugin is a shared library that plays roles: a [`Model`], a [`Dataset`], a [`Scorer`], a [`Trainer`], a
//! [`Recipe`] or an [`Exporter`]. Its author implements plain Rust traits, collects them in a [`Plugin`], and writes
//! [`export_plugin!`] once; the crate's `plugins/echo` neighbour is the tutorial.
//!
//! The key decision is what crosses the boundary. Rust has no stable binary interface, so a fixed and tiny one is laid
//! down with `abi_stable` (the hidden `ffi` module): a role is *one* method that takes the name of what is wanted, bytes, and a
//! sink for results. Everything else, every request, result and error, is data in *one* serialized form ([`wire`]).
//! The interface then grows by adding data, never by changing vtables, and a worker process can be spoken to with the
//! same bytes over a pipe.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod asking;
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

pub use error::{ErrorCode, PluginError};
pub use host::Host;
pub use host_api::{HostApi, Level, Progress, RoleAddress};
pub use kind::RoleKind;
pub use nearest::nearest;
pub use open_role::OpenRole;
pub use plugin::{Open, Plugin, PluginInfo, RoleInfo};
pub use recipe::{
    AskAll, AskReport, Recipe, RecipeEvent, RecipeInfo, RecipeJob, RecipeReport, RowsContent, RowsFile, TaskYield,
};
pub use request::{
    FinishReason, GenerateRequest, GenerateResult, Metadata, Response, SampleRef, Sampling, ScoreRequest, ScoreResult,
    Span,
};
pub use roles::{
    ANSWERS_FORM, BatchInvariance, Dataset, DatasetInfo, Diagnostic, Finding, FindingState, Flow, Model, ModelInfo,
    Result, Scorer, ScorerInfo, Sink,
};
pub use sample::{Aggregation, Answer, Answered, Ask, Gold, MetricInfo, Outcome, Question, Sample, Shot, Verdict};
pub use stages::{ExportJob, ExportReport, Exporter, TrainEvent, TrainJob, TrainReport, Trainer, TrainingRow};
pub use turn::{Speaker, Turn};

// A plugin needs these to derive its options, and should not have to pick the versions itself.
pub use {schemars, serde, serde_json};

/// The version of this crate, which is the version of the plugin interface.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");
