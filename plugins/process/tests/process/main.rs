//! Programs as roles, through the plugin's own types.
//!
//! - `faults`: every way in which a program can break the protocol, and what is said of it
//! - `opening`: commands, options, versions and roles that do not fit
//! - `roles`: each role in Python, by the package in `python/examiner-plugin`
//! - `package`: the package's own tests
//! - `page`: the example of the documentation
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg(unix)]

mod faults;
mod opening;
mod package;
mod page;
mod roles;

use examiner_api::testing::FakeHost;
use examiner_api::{Open, Result};
use examiner_plugin_process::{Options, ProcessModel};
use examiner_test_support::build::repository;
use serde_json::{Value, json};

/// Where the tests' own programs lie.
pub(crate) fn script(name: &str) -> String {
    repository().join("plugins/process/tests/process").join(name).display().to_string()
}

/// A command that runs a script with the Python package on its path, installed or not.
pub(crate) fn python(script: &str) -> Value {
    let package = repository().join("python/examiner-plugin/src");
    json!(["env", format!("PYTHONPATH={}", package.display()), "python3", script])
}

pub(crate) fn options(options: Value) -> Options {
    serde_json::from_value(options).unwrap()
}

/// The model with a fault.
pub(crate) fn faulty(fault: &str) -> Result<ProcessModel> {
    let script = script("faulty.py");
    let limits = if fault.ends_with("silent") { 1.0 } else { 30.0 };
    let options = options(json!({
        "command": ["python3", script], "options": { "fault": fault }, "start_s": limits, "heartbeat_s": limits
    }));
    ProcessModel::open(options, FakeHost::new().host())
}
