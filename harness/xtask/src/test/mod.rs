//! `cargo xtask test`: everything that must hold before a change is taken.

pub(crate) mod deny;
mod summary;
mod tools;
mod workflows;

use crate::program::process::{cargo, run, succeeds};
use crate::program::{self, onnxruntime, software_gpu};
use crate::quickstart::{QuickstartArguments, quickstart, write_world};
use anyhow::{Result, ensure};
use std::process::Command;
use summary::Summary;

/// Installs what is missing, then checks in the order of what is quickest to fail. The last lines say which tests did not
/// run and why.
pub(crate) fn test() -> Result<bool> {
    install("rustfmt", "fmt")?;
    install("clippy", "clippy")?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    let mut summary = Summary::default();
    summary.skipped.extend(workflows::check()?);
    summary.skipped.extend(deny::check_offline()?);
    run(cargo().args(["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let document = ["doc", "--release", "--workspace", "--no-deps"];
    run(cargo().args(document).env("RUSTDOCFLAGS", "-D warnings"))?;
    // The tests of configurations and documentation run suites with this program and this data.
    let program = program::build()?;
    write_world()?;
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace"]).env("EXAMINER_PROGRAM", program);
    tests.env("ORT_DYLIB_PATH", onnxruntime::provide()?);
    match software_gpu::provide() {
        Ok(directory) => {
            tests.env("EXAMINER_SOFTWARE_GPU", directory);
        }
        // Its tests are ignored, and say so; this is why.
        Err(error) => summary.skipped.push(format!("software GPU: it cannot be installed: {error:#}")),
    }
    let status = summary.run(&mut tests)?;
    ensure!(status.success(), "`cargo test` ended with {status}\n{summary}");
    let holds = quickstart(&QuickstartArguments::default())?;
    println!("{summary}");
    Ok(holds)
}

/// Adds a component of the toolchain unless its cargo command works already.
fn install(component: &str, command: &str) -> Result<()> {
    match succeeds(cargo().args([command, "--version"])) {
        true => Ok(()),
        false => run(Command::new("rustup").args(["component", "add", component])),
    }
}
