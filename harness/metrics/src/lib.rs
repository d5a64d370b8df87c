//! Metrics of answers, equal to their reference implementations, and what stands before them: the filters of lm-evaluation-harness, and
//! regular expressions as Python has them.
//!
//! Functions here read and write nothing. What could differ from the reference is refused, by a [`MetricError`] that names it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod aggregate;
pub mod anls;
pub mod bleu;
pub mod choice;
pub mod chrf;
pub mod classification;
pub mod corpus;
mod error;
pub mod exact_match;
pub mod filters;
pub mod python_regex;
pub mod rouge;
pub mod squad;
pub mod ter;
pub mod text;
pub mod tokenize;
pub mod unicode;

pub use error::{MetricError, Result};
