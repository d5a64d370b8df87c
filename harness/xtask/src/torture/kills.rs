//! Kills and interrupts the program and its workers at random moments.

use super::findings::{Findings, Setup};
use super::results::{Results, Trace};
use super::workload::{Attempt, Workload};
use crate::sample::Random;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// A run that has not ended by then, interrupted or at its end, hangs: none takes more than seconds.
const END_WITHIN: Duration = Duration::from_secs(600);
/// After this number of disturbances a run continues undisturbed.
const DISTURBANCES_MAX: u64 = 40;

/// Kills program and workers the requested number of times, and compares every finished run.
pub(super) fn kills(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    disturb(setup, workload, &mut |random, child, attempt, trace, findings| {
        let workers = children(child.id());
        match pick(random, &workers) {
            Some(worker) if random.below(2) == 0 => {
                trace.mark(attempt, findings)?;
                signal("KILL", worker)?;
                Ok(false)
            }
            _ => {
                child.kill()?;
                child.wait()?;
                if let Some(orphan) = workers.iter().find(|worker| !is_gone(**worker, Duration::from_secs(10))) {
                    findings.wrong(format!("worker {orphan} outlived the program"));
                }
                trace.mark(attempt, findings)?;
                Ok(true)
            }
        }
    })
}

/// Interrupts the program as Ctrl-C does, once, now and then twice.
pub(super) fn interrupts(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    disturb(setup, workload, &mut |random, child, attempt, trace, findings| {
        signal("INT", child.id())?;
        if random.below(3) == 0 {
            std::thread::sleep(Duration::from_millis(random.below(50)));
            let _ = signal("INT", child.id());
        }
        let status = end_of(child, findings)?;
        // At the very end an interrupt has no effect; before the handler is installed the system ends the process.
        let is_expected = matches!(status.code(), Some(0 | 130)) || status.code().is_none();
        if !is_expected {
            findings.wrong(format!("interrupted, the program ended with {status}"));
        }
        trace.mark(attempt, findings)?;
        Ok(true)
    })
}

/// One of them.
pub(super) fn pick(random: &mut Random, workers: &[u32]) -> Option<u32> {
    (!workers.is_empty()).then(|| workers[random.below(workers.len() as u64) as usize])
}

/// Kills or interrupts a process of a run; whether the program itself has ended.
pub(super) type Disturbance<'a> =
    dyn FnMut(&mut Random, &mut Child, &Attempt<'_>, &mut Trace, &mut Findings) -> Result<bool> + 'a;

pub(super) fn disturb(
    setup: &mut Setup<'_>,
    workload: &Workload,
    disturbance: &mut Disturbance<'_>,
) -> Result<Findings> {
    workload.write_files(setup.work)?;
    let (undisturbed, whole) = undisturbed(&setup.program, setup.work, workload)?;
    let mut findings = Findings::default();
    for round in 0.. {
        if findings.tries >= setup.kills {
            break;
        }
        let attempt =
            Attempt { program: &setup.program, work: setup.work, directory: setup.work.join(format!("run-{round}")) };
        let mut trace = Trace::default();
        let mut disturbances = 0;
        let status = loop {
            let limit = setup.limits.filter(|_| disturbances < DISTURBANCES_MAX);
            let limit = limit.and_then(|draw| draw(&mut setup.random));
            let mut child = attempt.start_within(limit.as_deref())?;
            let status = loop {
                let moment = whole.mul_f64(0.05 + 0.6 * setup.random.below(1000) as f64 / 1000.0);
                if disturbances >= DISTURBANCES_MAX || findings.tries >= setup.kills {
                    break Some(end_of(&mut child, &mut findings)?);
                }
                if let Some(status) = ended_within(&mut child, moment)? {
                    break Some(status);
                }
                findings.tries += 1;
                disturbances += 1;
                if disturbance(&mut setup.random, &mut child, &attempt, &mut trace, &mut findings)? {
                    break None;
                }
            };
            match status.and_then(|status| status.code()) {
                Some(0) => break status,
                // A sample whose worker was killed twice is an error, and is asked again.
                Some(1) if disturbances < DISTURBANCES_MAX => {}
                // What it says of a limit is another scenario's business.
                _ if limit.is_some() => {
                    findings.tries += 1;
                    disturbances += 1;
                }
                Some(_) => break status,
                None => {}
            }
        };
        trace.check(&attempt, &mut findings)?;
        match status.and_then(|status| status.code()) {
            Some(0) => Results::read(&attempt, workload.products)?.compare(&undisturbed, &mut findings),
            _ => {
                let stderr = std::fs::read_to_string(attempt.directory.with_extension("stderr")).unwrap_or_default();
                findings.wrong(format!("in the end, the program ended with {status:?}: {}", stderr.trim_end()));
            }
        }
        std::fs::remove_dir_all(&attempt.directory)?;
    }
    Ok(findings)
}

/// The results of an undisturbed run, and how long it takes.
pub(super) fn undisturbed(program: &Path, work: &Path, workload: &Workload) -> Result<(Results, Duration)> {
    let attempt = Attempt { program, work, directory: work.join("undisturbed") };
    let began = Instant::now();
    let (status, stderr) = attempt.run()?;
    ensure!(status.success(), "undisturbed, the program ended with {status}:\n{stderr}");
    Ok((Results::read(&attempt, workload.products)?, began.elapsed()))
}

fn ended_within(child: &mut Child, moment: Duration) -> Result<Option<ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < moment {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(1).min(moment));
    }
    Ok(child.try_wait()?)
}

/// Waits for a run that is to end by itself. One that does not is killed, and is a finding.
pub(super) fn end_of(child: &mut Child, findings: &mut Findings) -> Result<ExitStatus> {
    if let Some(status) = ended_within(child, END_WITHIN)? {
        return Ok(status);
    }
    findings.wrong(format!("the program did not end within {} seconds", END_WITHIN.as_secs()));
    child.kill()?;
    Ok(child.wait()?)
}

pub(super) fn signal(name: &str, process: u32) -> Result<()> {
    // A process that has already ended is not a failure.
    Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).output().context("cannot start `kill`")?;
    Ok(())
}

/// The processes that a process has started and that still run, from Linux's `/proc`.
pub(super) fn children(process: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|other| state(*other).is_some_and(|(state, parent)| parent == process && state != 'Z')).collect()
}

/// A process's state and its parent.
fn state(process: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn is_gone(process: u32, limit: Duration) -> bool {
    let began = Instant::now();
    loop {
        match state(process) {
            Some((state, _)) if state != 'Z' => {}
            _ => return true,
        }
        if began.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
