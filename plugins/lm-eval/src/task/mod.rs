//! Tasks: from their YAML and their data to samples.

mod compile;
mod dataset;
mod documents;
mod evaluate;
mod field;
mod fingerprint;
mod generation;
mod message;
mod metrics;
mod open;
mod samples;
mod setting;
mod shots;

pub use compile::{RowsOf, Task};
pub(crate) use dataset::compiled;
pub use dataset::{Options, TaskNames, Tasks};
pub use documents::Locate;
pub use setting::Refused;
