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
mod runnable;
mod samples;
mod setting;
mod shots;

pub use compile::{RowsOf, Task};
pub use dataset::{Options, TaskNames, Tasks};
pub use documents::Locate;
pub use runnable::runnable;
pub use setting::Refused;

#[cfg(test)]
mod tests;
