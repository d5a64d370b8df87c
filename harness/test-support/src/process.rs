//! Processes that a test starts, and those that they start themselves.

use std::process::Command;
use std::time::{Duration, Instant};

/// Waits until something holds.
///
/// # Panics
///
/// If it does not within 30 seconds; `what` says what was waited for.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: not in 30 seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that a process has started and that still run.
pub fn children(process: u32) -> Vec<u32> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid=,stat="]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_process = fields.filter(|fields| fields[1] == process.to_string() && !fields[2].starts_with('Z'));
    of_process.map(|fields| fields[0].parse().unwrap()).collect()
}

/// Whether a process still runs; one that has ended and was not yet waited for does not.
pub fn runs(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

/// Sends a signal, such as `INT`, to a process.
pub fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([format!("-{name}"), process.to_string()]).status().unwrap();
    assert!(status.success(), "cannot send {name} to process {process}");
}
