//! What shells and `man` know of the program, made of the definitions of its commands.

use super::Arguments;
use super::terminal::print;
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;
use std::process::ExitCode;

/// The script by which a shell completes commands and flags.
pub(super) fn completions(shell: Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "examiner", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Manual pages: `examiner.1`, and `examiner-run.1` and so on.
pub(super) fn manual(directory: &Path) -> Result<ExitCode> {
    let failed = || format!("cannot write manual pages into `{}`", directory.display());
    std::fs::create_dir_all(directory).with_context(failed)?;
    clap_mangen::generate_to(Arguments::command(), directory).with_context(failed)?;
    Ok(ExitCode::SUCCESS)
}
