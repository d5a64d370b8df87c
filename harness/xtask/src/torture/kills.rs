//! Ends the program and its workers at random moments.

use super::evidence::{Asked, Results};
use super::subject::{Subject, Tried};
use super::{Found, Ground};
use crate::sample::Random;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// A run that is not done after so many ends goes on undisturbed.
const ENDS_OF_ONE_RUN: u64 = 40;

/// Kills program and workers until it has killed often enough, and compares every run that comes of it.
pub(super) fn kills(ground: &mut Ground<'_>, subject: &Subject) -> Result<Found> {
    disturb(ground, subject, &mut |random, child, tried, asked, found| {
        let workers = children(child.id());
        match workers.first() {
            Some(worker) if random.below(2) == 0 => {
                asked.mark(tried, found)?;
                signal("KILL", *worker)?;
                Ok(false)
            }
            _ => {
                child.kill()?;
                child.wait()?;
                if let Some(orphan) = workers.iter().find(|worker| !is_gone(**worker, Duration::from_secs(10))) {
                    found.wrong(format!("worker {orphan} outlived the program"));
                }
                asked.mark(tried, found)?;
                Ok(true)
            }
        }
    })
}

/// Interrupts the program as Ctrl-C does, once, now and then twice.
pub(super) fn interrupts(ground: &mut Ground<'_>, subject: &Subject) -> Result<Found> {
    disturb(ground, subject, &mut |random, child, tried, asked, found| {
        signal("INT", child.id())?;
        if random.below(3) == 0 {
            std::thread::sleep(Duration::from_millis(random.below(50)));
            let _ = signal("INT", child.id());
        }
        let status = child.wait()?;
        // One that comes at the very end changes nothing any more; one that comes before anything listens is the system's.
        let is_expected = matches!(status.code(), Some(0 | 130)) || status.code().is_none();
        if !is_expected {
            found.wrong(format!("interrupted, the program ended with {status}"));
        }
        asked.mark(tried, found)?;
        Ok(true)
    })
}

/// Ends something of a run; whether the program itself has ended.
type End<'a> = dyn FnMut(&mut Random, &mut Child, &Tried<'_>, &mut Asked, &mut Found) -> Result<bool> + 'a;

fn disturb(ground: &mut Ground<'_>, subject: &Subject, end: &mut End<'_>) -> Result<Found> {
    subject.lay_out(ground.work)?;
    let (undisturbed, whole) = undisturbed(&ground.program, ground.work, subject)?;
    let mut found = Found::default();
    for round in 0.. {
        if found.tries >= ground.kills {
            break;
        }
        let tried =
            Tried { program: &ground.program, work: ground.work, directory: ground.work.join(format!("run-{round}")) };
        let mut asked = Asked::default();
        let mut ends = 0;
        let status = loop {
            let mut child = tried.start()?;
            let status = loop {
                let moment = whole.mul_f64(0.05 + 0.6 * ground.random.below(1000) as f64 / 1000.0);
                if ends >= ENDS_OF_ONE_RUN || found.tries >= ground.kills {
                    break Some(child.wait()?);
                }
                if let Some(status) = ended_within(&mut child, moment)? {
                    break Some(status);
                }
                found.tries += 1;
                ends += 1;
                if end(&mut ground.random, &mut child, &tried, &mut asked, &mut found)? {
                    break None;
                }
            };
            match status.and_then(|status| status.code()) {
                Some(0) => break status,
                // A sample whose worker was killed twice is an error, and is asked again.
                Some(1) if ends < ENDS_OF_ONE_RUN => {}
                Some(_) => break status,
                None => {}
            }
        };
        asked.check(&tried, &mut found)?;
        match status.and_then(|status| status.code()) {
            Some(0) => Results::read(&tried, subject.products)?.compare(&undisturbed, &mut found),
            _ => {
                let said = std::fs::read_to_string(tried.directory.with_extension("stderr")).unwrap_or_default();
                found.wrong(format!("in the end, the program ended with {status:?}: {}", said.trim_end()));
            }
        }
        std::fs::remove_dir_all(&tried.directory)?;
    }
    Ok(found)
}

/// The results of a run that nothing happens to, and how long it takes.
pub(super) fn undisturbed(program: &Path, work: &Path, subject: &Subject) -> Result<(Results, Duration)> {
    let tried = Tried { program, work, directory: work.join("undisturbed") };
    let began = Instant::now();
    let (status, said) = tried.run()?;
    ensure!(status.success(), "undisturbed, the program ended with {status}:\n{said}");
    Ok((Results::read(&tried, subject.products)?, began.elapsed()))
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

fn signal(name: &str, process: u32) -> Result<()> {
    // That the process is gone already is not a failure.
    Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).output().context("cannot start `kill`")?;
    Ok(())
}

/// The processes that a process has started and that still run, from Linux's `/proc`.
fn children(process: u32) -> Vec<u32> {
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

fn is_gone(process: u32, patience: Duration) -> bool {
    let began = Instant::now();
    loop {
        match state(process) {
            Some((state, _)) if state != 'Z' => {}
            _ => return true,
        }
        if began.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
