//! Examines one model on one dataset.
//!
//! [`prepare()`] opens the dataset and its scorers: the set-up that asking, reviewing and rescoring share. [`review()`]
//! compares the set-up with the journal, without a model: it says what is left to ask, and computes the results where
//! nothing is left. [`examine()`] asks the rest.

mod ask;
mod ask_sample;
mod error;
mod examine;
mod examined;
mod first_questions;
mod judge;
mod known;
mod open_scorer;
mod prepare;
mod questions;
mod reader;
mod review;
mod sample_ids;
mod samples;
mod shots;
mod truncation;
mod writer;

pub use ask_sample::AskSample;
pub use error::EvaluateError;
pub use examine::{Events, examine};
pub use examined::Examined;
pub(crate) use examined::metric_failure;
pub use prepare::{Prepared, prepare};
pub use review::{Complete, Review, Survey, review};

pub(crate) use first_questions::first_questions;
pub(crate) use judge::{judge, verdict_fault};
pub(crate) use open_scorer::OpenScorer;
pub(crate) use prepare::{Setup, dataset_spec, prepare_dataset, prepare_judging};
pub(crate) use questions::has_turns;
pub(crate) use reader::{Item, read_items};
pub(crate) use sample_ids::SampleIds;
