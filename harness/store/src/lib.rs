//! What is stored in the directory of a run, and how it is read and written.
//!
//! A run's directory is the only channel between the parts of the program that work one after another: the engine
//! writes it, reports read it, and a later run continues from it. The formats are defined here, each in one file:
//! [`journal`] (append-only lines with checksums), [`record`] (one question with its answers and verdicts), [`summary`]
//! (rows of `summary.csv`), [`provenance`] (`run.json`), [`product`] (what a stage left, and whether it still is that),
//! [`training`] (`train.csv`), [`yields`] (counts beside a recipe's rows). [`aggregate`] is the interface between the
//! engine, which makes records, and reports, which turn them into rows; [`sorted_rows`] keeps the numbers of each sample that both need.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod aggregate;
pub mod atomic;
pub mod directory;
pub mod journal;
pub mod product;
pub mod provenance;
pub mod record;
pub mod sorted_rows;
pub mod storage;
pub mod summary;
pub mod training;
pub mod visible;
pub mod yields;
