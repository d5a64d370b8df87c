//! Plans and runs suites.
//!
//! [`plan`] decides what is to be done for each stage of a suite, [`run`] does it. Roles are played by plugins ([`loader`],
//! [`roles`]), in processes of their own where the suite wants it ([`worker`]), and reach the program through [`host`];
//! what they leave to it is recorded by `training_log` and stored by `recipes`;
//! the two [`scorers`] that every suite needs are built in, on the same interface as any plugin's.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bare_host;
pub mod catalog;
pub mod check;
pub mod conformance;
mod declared;
pub mod doctor;
pub mod evaluate;
pub mod fetch;
pub mod graph;
pub mod host;
pub mod loader;
pub mod parallel;
pub mod paths;
mod pending;
pub mod plan;
pub mod progress;
mod recipes;
pub mod rescore;
pub mod roles;
pub mod run;
pub mod scorers;
mod stages;
mod threads;
mod training_log;
pub mod worker;
