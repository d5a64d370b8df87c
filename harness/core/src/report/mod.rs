//! What is made of the records: the tally, `summary.csv`, tables.
//!
//! A missing value never stands alone: wherever one would be, there is a row with a status and a reason.

pub mod atomic;
mod macro_average;
pub mod markdown;
mod pivot;
pub mod record;
pub mod summary;
pub mod tally;
pub mod wide;
