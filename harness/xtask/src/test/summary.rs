//! What a run of `cargo test` did: how many tests passed, and which were ignored and why.

use crate::program::process::{command_line, root};
use anyhow::{Context, Result};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};

/// The counts of all test programs, and what was not run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    passed: usize,
    failed: Vec<String>,
    /// Each as `NAME: REASON`.
    ignored: Vec<String>,
    /// Checks that could not be run, each with the reason.
    pub(super) skipped: Vec<String>,
}

impl Summary {
    /// Runs tests, prints what they print, and counts.
    pub(super) fn run(&mut self, command: &mut Command) -> Result<ExitStatus> {
        let line = command_line(command);
        eprintln!("$ {line}");
        let mut child = command.current_dir(root()).stdout(Stdio::piped()).spawn();
        let child = child.as_mut().map_err(|error| anyhow::anyhow!("cannot start `{line}`: {error}"))?;
        let stdout = child.stdout.take().context("a child without stdout")?;
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            self.count(&line);
        }
        Ok(child.wait()?)
    }

    /// Counts a line such as `test name ... ok` or `test name ... ignored, reason`.
    fn count(&mut self, line: &str) {
        let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else { return };
        let (result, reason) = result.split_once(", ").unwrap_or((result, "no reason is given"));
        match result {
            "ok" => self.passed += 1,
            "FAILED" => self.failed.push(name.to_owned()),
            "ignored" => self.ignored.push(format!("{name}: {reason}")),
            _ => {}
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { passed, failed, ignored, skipped } = self;
        write!(formatter, "{passed} tests passed, {} failed, {} ignored", failed.len(), ignored.len())?;
        for (what, lines) in [("failed", failed), ("ignored", ignored), ("check not run", skipped)] {
            for line in lines {
                write!(formatter, "\n  {what}: {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_test_programs_are_counted() {
        let output = "\
            running 4 tests\n\
            test suite::a ... ok\n\
            test suite::b ... ignored, expected `../shared`, found nothing\n\
            test suite::c ... FAILED\n\
            test src/lib.rs - d (line 5) ... ok\n\
            test src/lib.rs - e (line 9) - compile ... ok\n\
            test f - should panic ... ok\n\
            test src/lib.rs - g (line 12) ... ignored\n\
            test result: FAILED. 2 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        let mut summary = Summary::default();
        output.lines().for_each(|line| summary.count(line));
        summary.skipped.push("`actionlint`: no network".to_owned());
        let expected = "\
            4 tests passed, 1 failed, 2 ignored\n  failed: suite::c\n  \
            ignored: suite::b: expected `../shared`, found nothing\n  \
            ignored: src/lib.rs - g (line 12): no reason is given\n  check not run: `actionlint`: no network";
        assert_eq!(summary.to_string(), expected);
    }
}
