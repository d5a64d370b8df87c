//! Trains language models and examines them from one YAML file.
//!
//! Data flows one way: what was typed ([`suite`]) -> what it means ([`plan`]) -> work ([`run`]) -> records
//! ([`journal`]) -> [`report`]. Roles are played by plugins ([`loader`], [`roles`]), which reach the program through
//! [`host`]; the two [`scorers`] that every suite needs are built in, on the same interface as any plugin's.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod check;
pub mod cli;
pub mod doctor;
pub mod host;
pub mod hub;
pub mod journal;
pub mod loader;
pub mod parallel;
pub mod plan;
pub mod progress;
pub mod report;
pub mod roles;
pub mod run;
pub mod scorers;
pub mod statistics;
pub mod suite;
pub mod worker;
