//! The plugin as the harness sees it.
//!
//! - `dataset`: prompts, choices, ids and clusters of small files; files and options that cannot be used.
//! - `recipe`: a teacher with mistakes, failures and repetitions; what is kept, written and reused.
//! - `reference`: the published benchmark and a real teacher's answers; needs the reference data.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dataset;
mod fixture;
mod recipe;
mod reference;
