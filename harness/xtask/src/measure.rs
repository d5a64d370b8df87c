//! Whole commands: how long they take, and the most memory that they and what they start hold.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a command took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) seconds: f64,
    /// The sum of what its processes held at their most.
    pub(crate) peak_mib: f64,
}

/// Runs a command to its end. What it says is shown if it fails.
pub(crate) fn whole(command: &mut Command) -> Result<Taken> {
    let said = tempfile::NamedTempFile::new()?;
    command.stdout(Stdio::null()).stderr(said.reopen()?);
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", crate::process::said(command)))?;
    let mut peaks: BTreeMap<u32, u64> = BTreeMap::new();
    let status = loop {
        for process in family(child.id()) {
            let peak = peaks.entry(process).or_default();
            *peak = (*peak).max(high_water_kib(process).unwrap_or(0));
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let seconds = began.elapsed().as_secs_f64();
    let said = || std::fs::read_to_string(said.path()).unwrap_or_default();
    ensure!(status.success(), "`{}` ended with {status}:\n{}", crate::process::said(command), said());
    Ok(Taken { seconds, peak_mib: peaks.values().sum::<u64>() as f64 / 1024.0 })
}

/// A process and those that it has started.
fn family(process: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    // Other threads than the first may have started some, too.
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let others = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all: String = others.fold(children, |all, some| all + " " + &some);
    let mut family = vec![process];
    for child in all.split_whitespace().filter_map(|child| child.parse().ok()) {
        if !family.contains(&child) {
            family.extend(self::family(child));
        }
    }
    family
}

/// The most memory that a process has held, `VmHWM` of Linux.
pub(crate) fn high_water_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
