//! ONNX Runtime for tests and comparisons: the library from its Python package.

use super::process::{run, succeeds, target};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The release that tests run with.
const VERSION: &str = "1.32.0";

/// Installs the library below the target directory unless it is there, and puts it beside the program, where the plugin
/// `onnx` looks first. Gives its path; `ORT_DYLIB_PATH` names another one.
pub(crate) fn provide() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let packages = target().join("onnxruntime").join(VERSION);
    let library = packages.join("onnxruntime/capi").join(format!("libonnxruntime.so.{VERSION}"));
    if !library.is_file() {
        install(&packages, &format!("onnxruntime=={VERSION}"))?;
    }
    ensure!(library.is_file(), "expected `{}` in Python's package of ONNX Runtime, found none", library.display());
    let release = target().join("release");
    std::fs::create_dir_all(&release).with_context(|| format!("cannot make `{}`", release.display()))?;
    let beside = release.join(format!("libonnxruntime.so.{VERSION}"));
    if !beside.is_file() {
        let linked = std::fs::hard_link(&library, &beside).or_else(|_| std::fs::copy(&library, &beside).map(|_| ()));
        linked.with_context(|| format!("cannot put the library at `{}`", beside.display()))?;
    }
    Ok(library)
}

/// Installs into a directory of its own, also where the system's Python forbids changes to its packages.
const INSTALL: &str =
    "-m pip install --quiet --root-user-action=ignore --no-deps --only-binary=:all: --upgrade --target";

/// Installs a package of Python, without what it needs, into a directory.
pub(super) fn install(directory: &Path, package: &str) -> Result<()> {
    install_all(directory, &[package])
}

/// Installs packages of Python, without what else they need, into a directory. Parts of one whole have to be installed at once: a later
/// one would replace an earlier one's folder.
pub(crate) fn install_all(directory: &Path, packages: &[&str]) -> Result<()> {
    if !succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
        run(Command::new("apt-get").arg("update")).context("`python3 -m pip` is needed to get packages")?;
        run(Command::new("apt-get").args(["install", "-y", "python3-pip"]))?;
    }
    let mut pip = Command::new("python3");
    pip.args(INSTALL.split(' '));
    run(pip.arg(directory).args(packages))
}
