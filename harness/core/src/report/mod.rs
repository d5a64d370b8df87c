//! What is made of the records: the tally, `summary.csv`, tables, comparisons, pictures.
//!
//! A missing value never stands alone: wherever one would be, there is a row with a status and a reason.

pub mod atomic;
pub mod compare;
pub mod figure;
mod macro_average;
pub mod markdown;
pub mod metrics;
mod pivot;
pub mod record;
pub mod stage_summary;
pub mod summary;
pub mod tally;
pub mod wide;
