//! Builds what the tests load and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where this build's programs and libraries lie: `target/release`.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().parent().unwrap().to_owned()
}

fn profile() -> &'static [&'static str] {
    if target().ends_with("release") { &["--release"] } else { &[] }
}

fn cargo(arguments: &[&str], target: &Path) {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .args(profile())
        .env("CARGO_TARGET_DIR", target)
        .current_dir(repository())
        .status()
        .unwrap();
    assert!(status.success(), "`cargo {}` failed", arguments.join(" "));
}

/// The library of a plugin of this repository.
pub(crate) fn plugin(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    // The whole workspace, as everybody builds it: another selection of packages would compile dependencies anew with
    // other features. `cargo xtask test` has done so already, and says so.
    BUILT.get_or_init(|| {
        if std::env::var_os("EXAMINER_PROGRAM").is_none() {
            cargo(&["build", "--quiet", "--workspace"], target().parent().unwrap());
        }
    });
    target().join(library(&format!("examiner_plugin_{name}")))
}

/// The library of a plugin of the tests: an example, which `cargo test` builds unless it is told to build one test alone.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let path = target().join("examples").join(library(name));
    assert!(path.exists(), "`{}` is missing: run `cargo build --examples` in the same profile first", path.display());
    path
}

/// The tutorial plugin, built in a directory that has its own manifest and lock file.
pub(crate) fn out_of_tree() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/out-of-tree/Cargo.toml");
    let build_directory = target().parent().unwrap().join("out-of-tree");
    cargo(&["build", "--quiet", "--locked", "--manifest-path", manifest.to_str().unwrap()], &build_directory);
    build_directory.join(target().file_name().unwrap()).join(library("examiner_out_of_tree"))
}

fn library(name: &str) -> String {
    format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
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
