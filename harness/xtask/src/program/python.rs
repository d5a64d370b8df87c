//! Python environments below the target directory, for programs that ours is compared with.

use super::process::{run, target};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The Python of an environment that has these packages; it is installed on the first call.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = target().join(name);
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&ready).ok().as_ref() != Some(&wanted) {
        eprintln!("installing packages for Python takes minutes and some gigabytes, once");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
        std::fs::write(&ready, wanted)?;
    }
    Ok(python)
}
