//! What the tests of Examiner's crates share. No other crate depends on it except for its tests.
//!
//! - [`build`]: the program and its plugins, built for tests that start them.
//! - [`checkpoint`]: small random checkpoints in Hugging Face's layout.
//! - [`ground_truth`]: small checkpoints of every family, and what transformers computes for them.
//! - [`shared()`]: the reference data that is not part of the repository; `needs` marks the tests that use it.
//! - [`lm_eval_python`]: a Python with lm-evaluation-harness; `needs` marks those, too.
//! - [`software_gpu()`]: a GPU that is computed on the CPU.
//! - [`model`]: short ways to ask a model.
//! - [`server`]: an HTTP server on this machine.
//! - [`cases`]: how many random cases a property is tried on.
//! - [`process`]: waiting for processes, and finding those that others started.
//!
//! Everything here panics if it cannot do its work: in a test that is a failure with a reason.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should fail")]

pub mod build;
pub mod checkpoint;
pub mod ground_truth;
pub mod model;
pub mod process;
pub mod server;
mod shared;
mod software_gpu;

use proptest::test_runner::Config as ProptestConfig;

pub use examiner_test_needs::needs;
pub use shared::{rows, shared};
pub use software_gpu::{software_gpu, with_software_gpu};

/// A property is tried on this number of random cases, or on the number in `PROPTEST_CASES`. A failure is printed, and no file
/// is written.
pub fn cases(cases: u32) -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: given.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

/// A Python in which lm-evaluation-harness is installed: the one in `EXAMINER_LM_EVAL_PYTHON`, else the one that `cargo xtask verify`
/// makes. A test that calls this carries `#[needs(lm_eval)]`.
pub fn lm_eval_python() -> std::path::PathBuf {
    if let Some(named) = std::env::var_os("EXAMINER_LM_EVAL_PYTHON").filter(|value| !value.is_empty()) {
        return named.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    build::repository().join(target).join("lm-eval-python/bin/python")
}

/// Reports that a test checks nothing on this machine, past the capture of the test harness, so that it is seen.
///
/// This is for what only the running test can find out, such as a right that the user lacks. What can be known when tests
/// are built is [`needs`].
pub fn skipped(reason: &str) {
    use std::io::Write;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "test {test} is skipped: {reason}");
}
