//! Tests of what the repository shows to people. Table of contents:
//!
//! - `sample`: the bundled sample is what its generator makes;
//! - `blocks`: the fenced code blocks of the pages, for the tests of the next two;
//! - `suites`: every suite in `configs/` and in the pages is a good one;
//! - `pages`: every command, Rust block, header line and link in the pages is real;
//! - `everyday`: the jobs of a page, done with its commands alone;
//! - `generated`: the generated parts of the pages are what `cargo xtask docs` writes;
//! - `software_gpu`: the suite for a GPU that is computed on the CPU;
//! - `modules`: no module uses another in a circle, and no file is too long.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails should say where")]

mod blocks;
mod everyday;
mod generated;
mod modules;
mod pages;
mod sample;
mod software_gpu;
mod suites;
