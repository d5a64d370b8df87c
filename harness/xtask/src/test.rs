//! `cargo xtask test`: everything that must hold before a change is taken.

use crate::program::process::{cargo, run, succeeds};
use crate::program::{self, onnxruntime};
use crate::quickstart::{QuickstartArguments, quickstart, write_world};
use anyhow::Result;
use std::process::Command;

/// Installs what is missing, then tests in the order of what is quickest to fail.
pub(crate) fn test() -> Result<bool> {
    install("rustfmt", "fmt")?;
    install("clippy", "clippy")?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args(["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // The tests of configurations and documentation run suites with this program and this data.
    let program = program::build()?;
    write_world()?;
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace"]).env("EXAMINER_PROGRAM", program);
    run(tests.env("ORT_DYLIB_PATH", onnxruntime::provide()?))?;
    let document = ["doc", "--release", "--workspace", "--no-deps"];
    run(cargo().args(document).env("RUSTDOCFLAGS", "-D warnings"))?;
    quickstart(&QuickstartArguments::default())
}

/// Adds a component of the toolchain unless its cargo command works already.
fn install(component: &str, command: &str) -> Result<()> {
    match succeeds(cargo().args([command, "--version"])) {
        true => Ok(()),
        false => run(Command::new("rustup").args(["component", "add", component])),
    }
}
