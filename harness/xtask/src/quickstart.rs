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

/// Makes the tiny model where the suite looks for it.
pub(crate) fn make_model() -> Result<()> {
    tiny_gpt2::make(&data().join("tiny-gpt2"), &sample::text())
}

/// Builds the program, makes the tiny model and runs the suite.
pub(crate) fn quickstart() -> Result<()> {
    let program = program::build()?;
    make_model()?;
    run(Command::new(program).args(["run", "configs/quickstart.yaml", "--fresh"]))
}
