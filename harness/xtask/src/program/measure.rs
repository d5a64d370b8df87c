//! Whole commands: how long they take, and the most memory that their processes hold.

use super::process::command_line;
use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The resources that a command used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) seconds: f64,
    /// The most memory of its processes at one time, of each of them the most that it had held by then.
    pub(crate) peak_mib: f64,
}

/// Runs a command to its end. Its stderr is shown if it fails.
pub(crate) fn run(command: &mut Command) -> Result<Usage> {
    measure(command.stdout(Stdio::null()))
}

/// Does the same, and returns what the command says on stdout.
pub(crate) fn run_with_output(command: &mut Command) -> Result<(Usage, String)> {
    let stdout = tempfile::NamedTempFile::new()?;
    let usage = measure(command.stdout(stdout.reopen()?))?;
    let said = std::fs::read(stdout.path()).context("cannot read what the command said")?;
    Ok((usage, String::from_utf8_lossy(&said).into_owned()))
}

fn measure(command: &mut Command) -> Result<Usage> {
    let stderr = tempfile::NamedTempFile::new()?;
    command.stderr(stderr.reopen()?);
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", command_line(command)))?;
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = process_tree(child.id()).into_iter().filter_map(high_water_kib).sum::<u64>().max(peak_kib);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let seconds = began.elapsed().as_secs_f64();
    let stderr = || std::fs::read_to_string(stderr.path()).unwrap_or_default();
    ensure!(status.success(), "`{}` ended with {status}:\n{}", command_line(command), stderr());
    Ok(Usage { seconds, peak_mib: peak_kib as f64 / 1024.0 })
}

/// A process and its descendants.
fn process_tree(process: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    // Other threads than the first may have started some, too.
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let others = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all: String = others.fold(children, |all, some| all + " " + &some);
    let mut processes = vec![process];
    for child in all.split_whitespace().filter_map(|child| child.parse().ok()) {
        if !processes.contains(&child) {
            processes.extend(process_tree(child));
        }
    }
    processes
}

/// The most memory that a process has held, `VmHWM` of Linux.
fn high_water_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
