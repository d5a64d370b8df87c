//! The peers, in a Python environment of their own below the target directory.

use crate::program::process::{run, target};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The peers, in the releases that the published ratios were measured with.
const PACKAGES: [&str; 6] =
    ["torch==2.15.0", "transformers==5.23.0", "lm_eval==0.4.13", "accelerate", "onnx==1.23.2", "onnxruntime==1.32.0"];

/// A Python that has the peers: the one that is named, or an environment that is installed on the first call.
pub(super) fn provide(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(python) = named {
        ensure!(python.is_file(), "there is no Python `{}`", python.display());
        return Ok(std::path::absolute(python)?);
    }
    let environment = target().join("peers");
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if !ready.is_file() {
        eprintln!("installing the peers takes minutes and some gigabytes, once");
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        std::fs::write(&ready, PACKAGES.join("\n"))?;
    }
    Ok(python)
}
