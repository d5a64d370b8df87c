//! Metrics of answers, equal to their reference implementations.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod python_regex;
pub mod unicode;
