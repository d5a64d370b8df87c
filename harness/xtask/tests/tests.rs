//! Tests of what the repository shows to people. Table of contents:
//!
//! - `sample`: the bundled sample is what its generator makes;
//! - `blocks`: the fenced code blocks of the pages, for the tests of the next two;
//! - `suites`: every suite in `configs/` and in the pages is a good one;
//! - `pages`: every command, Rust block, header line and link in the pages is real.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails should say where")]

mod blocks;
mod pages;
mod sample;
mod suites;
