//! Runs that lack what they need: room for their files, or a directory that no other run uses.

use super::findings::{Findings, Setup};
use super::kills::undisturbed;
use super::results::Results;
use super::workload::{Attempt, Workload, run_to_end};
use anyhow::Result;

/// The limit on the size of files grows with each attempt, until the run succeeds.
pub(super) fn file_size(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    workload.write_files(setup.work)?;
    let (undisturbed, _) = undisturbed(&setup.program, setup.work, workload)?;
    let attempt = Attempt { program: &setup.program, work: setup.work, directory: setup.work.join("run") };
    let mut findings = Findings::default();
    let mut blocks = 1;
    loop {
        findings.tries += 1;
        let (status, stderr) = run_to_end(attempt.command_within(Some(&format!("ulimit -f {blocks}"))))?;
        match status.code() {
            Some(0) => break,
            Some(1) if stderr.contains("File too large") => {}
            _ => {
                findings.wrong(format!(
                    "with files of {blocks} blocks at most, the program ended with {status}: {}",
                    stderr.trim_end()
                ));
                return Ok(findings);
            }
        }
        blocks += blocks / 3 + 1;
    }
    Results::read(&attempt, workload.products)?.compare(&undisturbed, &mut findings);
    Ok(findings)
}

/// While one run is active, others in its directory are refused with its process id, and change nothing.
pub(super) fn two_at_once(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    workload.write_files(setup.work)?;
    let (undisturbed, whole) = undisturbed(&setup.program, setup.work, workload)?;
    let attempt = Attempt { program: &setup.program, work: setup.work, directory: setup.work.join("run") };
    let mut findings = Findings::default();
    let mut first = attempt.start()?;
    std::thread::sleep(whole.mul_f64(0.3));
    while first.try_wait()?.is_none() && findings.tries < 5 {
        let (status, stderr) = attempt.run()?;
        let holder = format!("in use by process {}", first.id());
        let is_refused = status.code() == Some(2) && stderr.contains(&holder);
        if !is_refused && first.try_wait()?.is_none() {
            findings.wrong(format!("a second run ended with {status}: {}", stderr.trim_end()));
        }
        findings.tries += 1;
    }
    if !first.wait()?.success() {
        findings.wrong("the first run did not end well".to_owned());
    }
    Results::read(&attempt, workload.products)?.compare(&undisturbed, &mut findings);
    Ok(findings)
}
