//! Hours of runs that are disturbed in every way at once, and whether the program needs more in the end than in the beginning.

use super::findings::{Findings, Setup};
use super::kills::{Disturbance, children, disturb, end_of, pick, signal};
use super::workload::{Attempt, Workload};
use crate::program::measure;
use crate::program::process::command_line;
use crate::sample::Random;
use anyhow::{Context, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs workloads, one after the other, for so long. Each is disturbed some times, goes on to its end, and is compared.
pub(super) fn soak(program: &Path, seed: u64, lasting: Duration) -> Result<Findings> {
    let began = Instant::now();
    let mut random = Random::new(seed);
    let mut findings = Findings::default();
    let first = needs(program)?;
    let mut kinds = [0; KINDS.len()];
    while began.elapsed() < lasting {
        let workload = match random.below(4) {
            0 => Workload::echo(),
            1 => Workload::scoring(),
            2 => Workload::generation(),
            _ => Workload::training(),
        };
        let work = tempfile::tempdir()?;
        let kills = 4 + random.below(12);
        let limits: fn(&mut Random) -> Option<String> = draw_limit;
        let mut setup = Setup {
            program: program.to_owned(),
            work: work.path(),
            kills,
            random: Random::new(random.below(u64::MAX)),
            limits: Some(limits),
        };
        let found = disturb(&mut setup, &workload, &mut any(&mut kinds))?;
        findings.tries += found.tries;
        findings.lost += found.lost;
        findings.wrong += found.wrong;
        findings.notes.extend(found.notes);
        for left in left_over(work.path())? {
            findings.wrong(format!("`{left}` was left behind"));
        }
    }
    let last = needs(program)?;
    let counts: Vec<String> = KINDS.iter().zip(kinds).map(|(kind, count)| format!("{count} x {kind}")).collect();
    println!("disturbed by {}, besides limits to memory and to the size of files", counts.join(", "));
    println!(
        "an undisturbed run: {:.0} MiB and {} open files in the beginning, {:.0} MiB and {} in the end",
        first.peak_mib, first.files, last.peak_mib, last.files
    );
    if last.files > first.files || last.peak_mib > 1.1 * first.peak_mib {
        findings.wrong("an undisturbed run needs more than in the beginning".to_owned());
    }
    Ok(findings)
}

const KINDS: [&str; 5] = ["kill of the program", "kill of a worker", "stopped program", "stopped worker", "interrupt"];

/// A disturbance of any kind.
fn any(counts: &mut [u64; KINDS.len()]) -> Box<Disturbance<'_>> {
    Box::new(|random, child, attempt, trace, findings| {
        let workers = children(child.id());
        let worker = pick(random, &workers);
        let kind = match (random.below(KINDS.len() as u64), worker) {
            (1 | 3, None) => 0,
            (kind, _) => kind as usize,
        };
        counts[kind] += 1;
        match (kind, worker) {
            (1, Some(worker)) => {
                trace.mark(attempt, findings)?;
                signal("KILL", worker)?;
                Ok(false)
            }
            (2 | 3, worker) => {
                let stopped = worker.filter(|_| kind == 3).unwrap_or(child.id());
                signal("STOP", stopped)?;
                std::thread::sleep(Duration::from_millis(100 + random.below(400)));
                signal("CONT", stopped)?;
                Ok(false)
            }
            (4, _) => {
                signal("INT", child.id())?;
                end_of(child, findings)?;
                trace.mark(attempt, findings)?;
                Ok(true)
            }
            _ => {
                child.kill()?;
                child.wait()?;
                trace.mark(attempt, findings)?;
                Ok(true)
            }
        }
    })
}

/// One start in four may not write long files, or not have much memory.
fn draw_limit(random: &mut Random) -> Option<String> {
    match random.below(8) {
        0 => Some(format!("ulimit -f {}", 1 + random.below(4000))),
        1 => Some(format!("ulimit -v {}", 50_000 + random.below(2_000_000))),
        _ => None,
    }
}

/// What a finished run has left beside its files: the directory for temporary files is `work`.
fn left_over(work: &Path) -> Result<Vec<String>> {
    let names = std::fs::read_dir(work)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<Result<_>>()?;
    let is_ours = |name: &String| {
        ["gpt2", "suite.yaml", "undisturbed"].contains(&&**name)
            || [".jsonl", ".trace", ".stderr"].iter().any(|ending| name.ends_with(ending))
    };
    Ok(names.into_iter().filter(|name| !is_ours(name)).collect())
}

/// What an undisturbed run needs.
struct Needs {
    peak_mib: f64,
    /// The most files that the program had open.
    files: usize,
}

fn needs(program: &Path) -> Result<Needs> {
    let work = tempfile::tempdir()?;
    let workload = Workload::scoring();
    workload.write_files(work.path())?;
    let attempt = |name| Attempt { program, work: work.path(), directory: work.path().join(name) };
    let peak_mib = measure::run(&mut attempt("memory").command())?.peak_mib;
    let again = attempt("files");
    let mut child = again.start()?;
    let mut files = 0;
    while child.try_wait()?.is_none() {
        let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).map_or(0, Iterator::count);
        files = files.max(open);
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = child.wait()?;
    status
        .success()
        .then_some(Needs { peak_mib, files })
        .with_context(|| format!("undisturbed, `{}` ended with {status}", command_line(&again.command())))
}
