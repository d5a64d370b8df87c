//! Runs suites.

use super::files::write;
use super::process::command_line;
use super::results::Results;
use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// A finished run, whatever its status.
pub(crate) struct SuiteRun {
    pub(crate) results: Results,
    /// The exit status; none if the program was killed.
    pub(crate) status: Option<i32>,
    /// What the program printed on stderr.
    pub(crate) stderr: String,
}

/// Runs a suite in a new directory under `work`. Samples without an answer are a failure.
pub(crate) fn examine(program: &Path, work: &Path, suite: &Value) -> Result<Results> {
    examine_with(program, work, suite, &[])
}

/// Does the same with these variables in the program's environment.
pub(crate) fn examine_with(
    program: &Path,
    work: &Path,
    suite: &Value,
    environment: &[(&str, &str)],
) -> Result<Results> {
    let run = run_suite(program, work, suite, environment)?;
    match run.status {
        Some(0) => Ok(run.results),
        status => bail!("the suite `{}` ended with {status:?}:\n{}", suite["name"], run.stderr.trim_end()),
    }
}

/// Runs a suite in a new directory under `work`, with these variables in its environment.
pub(crate) fn run_suite(program: &Path, work: &Path, suite: &Value, environment: &[(&str, &str)]) -> Result<SuiteRun> {
    let name = suite["name"].as_str().ok_or_else(|| anyhow!("the suite has no name"))?;
    let path = work.join(format!("{name}.yaml"));
    write(&path, serde_yaml::to_string(suite)?)?;
    let directory = work.join(name);
    let mut command = Command::new(program);
    command.arg("run").arg(&path).arg("--out").arg(&directory).stdout(Stdio::null()).current_dir(work);
    command.envs(environment.iter().copied()).stderr(Stdio::piped());
    let output = command.output().with_context(|| format!("cannot start `{}`", command_line(&command)))?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(SuiteRun { results: Results::at(directory), status: output.status.code(), stderr })
}
