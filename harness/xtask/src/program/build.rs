//! Finds the program, or builds it.

use super::arguments::ProgramArguments;
use super::process::{cargo, run, target};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

/// The program that the arguments name, or else one that is built now.
pub(crate) fn find(arguments: &ProgramArguments) -> Result<PathBuf> {
    match &arguments.program {
        Some(path) => path.canonicalize().with_context(|| format!("there is no program `{}`", path.display())),
        None => build(),
    }
}

/// Builds the program and its plugins. The whole workspace, as the tests do: another selection of packages would compile
/// dependencies again with other features.
pub(crate) fn build() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--workspace"]))?;
    let path = target().join("release").join(format!("examiner{}", std::env::consts::EXE_SUFFIX));
    ensure!(path.is_file(), "expected the program at `{}` after building it, found nothing", path.display());
    Ok(path)
}
