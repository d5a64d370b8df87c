//! The plugin as the harness sees it.
//!
//! - `dataset`: prompts, choices, ids and clusters of small files; files and options that cannot be used.
//! - `recipe`: a teacher with mistakes, failures and repetitions; what is kept, written and reused.
//! - `killed`: a process that is killed over and over, and asks nothing twice.
//! - `reference`: the published benchmark and a real teacher's answers; needs the reference data.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dataset;
mod fixture;
mod killed;
mod recipe;
mod reference;
