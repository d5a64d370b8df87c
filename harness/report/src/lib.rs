//! Results of a run's records: totals and their uncertainty, tables, comparisons, figures.
//!
//! A missing value always has an explanation: a row with a status and a reason.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod compare;
pub mod explain;
pub mod figure;
pub mod gate;
pub mod github;
pub mod json;
mod macro_average;
pub mod markdown;
pub mod metrics;
mod names;
mod pivot;
mod publish;
mod samples;
pub mod show;
pub mod spreadsheet;
pub mod stage_summary;
pub mod statistics;
mod subset_groups;
pub mod totals;
pub mod wide;

pub use publish::Reports;
