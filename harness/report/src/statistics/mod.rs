//! Uncertainty of metrics, and tests between models.
//!
//! A score without its uncertainty invites reading noise as progress, so every mean comes with a standard error and an
//! interval, and two models are compared on the same samples, pair by pair: overlapping intervals say little, because
//! most of the variance is shared between the models.
//!
//! Everything here is a pure function of numbers. Random numbers are counter-based, so that a result depends on its
//! seed and data alone.

mod bootstrap;
mod mean;
mod missing;
mod paired;
mod power;

pub use bootstrap::{Bootstrap, bootstrap, clustered_bootstrap, percentile};
pub(crate) use mean::{Between, Sum, squared_deviation};
pub use mean::{Estimate, clustered_mean, mean, wilson};
pub use missing::range_with_missing;
pub use paired::{Method, PairedTest, compare_paired, holm, mcnemar_exact, paired_macro, paired_permutation};
pub use power::{smallest_paired_difference, smallest_unpaired_difference};

/// The 97.5 % point of the standard normal distribution: half the width of a 95 % interval in standard errors.
pub const Z_95: f64 = 1.959_963_984_540_054;
/// The 80 % point of the standard normal distribution: what a power of 0.8 costs in standard errors.
pub const Z_POWER_80: f64 = 0.841_621_233_572_914_3;
