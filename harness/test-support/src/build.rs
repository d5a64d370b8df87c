//! Builds what tests load and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where the programs and libraries of this build are: `target/release`.
pub fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().parent().unwrap().to_owned()
}

/// Runs cargo in the root of the repository, in the profile of the running test.
///
/// # Panics
///
/// If it fails.
pub fn cargo(arguments: &[&str], target_directory: &Path) {
    let profile: &[&str] = if target().ends_with("release") { &["--release"] } else { &[] };
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).args(profile).env("CARGO_TARGET_DIR", target_directory).current_dir(repository());
    assert!(command.status().unwrap().success(), "`cargo {}` failed", arguments.join(" "));
}

/// Builds the program and all plugins, once. `EXAMINER_PROGRAM` says that `cargo xtask test` has done so.
fn build() {
    static BUILT: OnceLock<()> = OnceLock::new();
    // The whole workspace, as users build it: another selection of packages would compile dependencies again with
    // other features.
    BUILT.get_or_init(|| {
        if std::env::var_os("EXAMINER_PROGRAM").is_none() {
            cargo(&["build", "--quiet", "--workspace"], target().parent().unwrap());
        }
    });
}

/// The program, beside its plugins: `EXAMINER_PROGRAM`, or one that is built now.
pub fn program() -> PathBuf {
    build();
    let built = || target().join(format!("examiner{}", std::env::consts::EXE_SUFFIX));
    std::env::var_os("EXAMINER_PROGRAM").map_or_else(built, PathBuf::from)
}

/// The library of a plugin of this repository.
pub fn plugin(name: &str) -> PathBuf {
    build();
    target().join(library(&format!("examiner_plugin_{name}")))
}

/// The file name of a shared library.
pub fn library(name: &str) -> String {
    format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}
