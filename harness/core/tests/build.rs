//! Builds what the tests load and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where this build's programs and libraries lie: `target/release`.
pub fn target() -> PathBuf {
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
pub fn plugin(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let plugins = ["echo", "gsm8k", "table", "replay"].map(|name| format!("examiner-plugin-{name}"));
        let mut arguments = vec!["build", "--quiet"];
        arguments.extend(plugins.iter().flat_map(|name| ["--package", name]));
        cargo(&arguments, target().parent().unwrap());
    });
    target().join(library(&format!("examiner_plugin_{name}")))
}

/// The library of a plugin of the tests; `cargo test` has built it.
pub fn fixture(name: &str) -> PathBuf {
    target().join("examples").join(library(name))
}

/// The tutorial plugin, built in a directory that has its own manifest and lock file.
pub fn out_of_tree() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/out-of-tree/Cargo.toml");
    let build_directory = target().parent().unwrap().join("out-of-tree");
    cargo(&["build", "--quiet", "--locked", "--manifest-path", manifest.to_str().unwrap()], &build_directory);
    build_directory.join(target().file_name().unwrap()).join(library("examiner_out_of_tree"))
}

fn library(name: &str) -> String {
    format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The program, ready to run in `directory` with the plugins of the tests and of this repository.
pub fn examiner(directory: &Path) -> Command {
    plugin("echo");
    let mut command = Command::new(env!("CARGO_BIN_EXE_examiner"));
    command.current_dir(directory).env_remove("EXAMINER_PLUGINS");
    command
}

/// A line of a suite that brings in the tests' own plugin.
pub fn fixture_pin() -> String {
    format!("plugins: {{ fixture: {{ path: {} }} }}\n", fixture("fixture").display())
}
