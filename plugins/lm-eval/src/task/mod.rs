//! Tasks: from their YAML and their data to samples.

mod address;
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
mod opened;
mod options;
mod runnable;
mod samples;
mod setting;
mod shots;
mod with_python;

pub use compile::{RowsOf, Task};
pub use dataset::Tasks;
pub use documents::Locate;
pub use options::{Options, TaskNames};
pub use runnable::runnable;
pub use setting::Refused;
pub use with_python::runnable_with_python;

pub(crate) use fingerprint::settings_text;
pub(crate) use generation::of_request as sampling_of_request;

#[cfg(test)]
mod tests;
