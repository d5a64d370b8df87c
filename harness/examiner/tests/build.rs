//! Builds what the tests load and run.

use examiner_test_support::build::library;
pub(crate) use examiner_test_support::build::{plugin, target};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library of a plugin of the tests: an example, which `cargo test` builds unless it is to build one test alone.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let path = target().join("examples").join(library(name));
    assert!(path.exists(), "`{}` is missing: run `cargo build --examples` in the same profile first", path.display());
    path
}

/// The plugin of other versions, built without optimization in a directory that has its own manifest and lock file.
pub(crate) fn other_versions() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/other-versions/Cargo.toml");
    let build_directory = target().parent().unwrap().join("other-versions");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    cargo.env("CARGO_TARGET_DIR", &build_directory).env("CARGO_PROFILE_DEV_DEBUG", "0");
    assert!(cargo.status().unwrap().success(), "the plugin of other versions cannot be built");
    build_directory.join("debug").join(library("examiner_other_versions"))
}

/// The program, ready to run in `directory` with the plugins of the tests and of this repository.
pub(crate) fn examiner(directory: &Path) -> Command {
    plugin("echo");
    let mut command = Command::new(env!("CARGO_BIN_EXE_examiner"));
    command.current_dir(directory).env_remove("EXAMINER_PLUGINS");
    command
}

/// A line of a suite that brings in the tests' own plugin.
pub(crate) fn fixture_pin() -> String {
    format!("plugins: {{ fixture: {{ path: {} }} }}\n", fixture("fixture").display())
}
