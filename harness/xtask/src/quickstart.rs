//! `cargo xtask quickstart`: from a fresh clone to a table of results, offline.

use crate::process::{root, run};
use crate::{program, sample, tiny_gpt2};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Where the bundled sample lies.
pub(crate) fn data() -> PathBuf {
    root().join("data/quickstart")
}

/// Where the tiny model lies.
pub(crate) fn tiny_gpt2() -> PathBuf {
    data().join("tiny-gpt2")
}

/// Builds the program, makes the tiny model and runs the suite.
pub(crate) fn quickstart() -> Result<()> {
    let program = program::build()?;
    tiny_gpt2::make(&tiny_gpt2(), &sample::text())?;
    run(Command::new(program).args(["run", "configs/quickstart.yaml", "--fresh"]))
}
