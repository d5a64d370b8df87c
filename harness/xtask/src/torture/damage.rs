//! Damages the journal of a finished run, and resumes the run.

use super::findings::{Findings, Setup};
use super::kills::undisturbed;
use super::results::Results;
use super::workload::{Attempt, Workload};
use crate::sample::Random;
use anyhow::Result;
use std::path::Path;

const TRIES: u64 = 25;
const JOURNAL: &str = "journal/echo/sums.jsonl";

/// A journal that is cut at any byte.
pub(super) fn torn(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    damaged(setup, workload, |random, bytes| bytes.truncate(random.below(bytes.len() as u64) as usize))
}

/// A journal with flipped bits anywhere after its first line.
pub(super) fn flipped(setup: &mut Setup<'_>, workload: &Workload) -> Result<Findings> {
    damaged(setup, workload, |random, bytes| {
        let head = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1;
        for _ in 0..=random.below(20) {
            let index = head + random.below((bytes.len() - head) as u64) as usize;
            bytes[index] ^= 1 << random.below(8);
        }
    })
}

fn damaged(setup: &mut Setup<'_>, workload: &Workload, damage: fn(&mut Random, &mut Vec<u8>)) -> Result<Findings> {
    workload.write_files(setup.work)?;
    let (undisturbed, _) = undisturbed(&setup.program, setup.work, workload)?;
    let attempt = Attempt { program: &setup.program, work: setup.work, directory: setup.work.join("undisturbed") };
    let journal = attempt.directory.join(JOURNAL);
    let mut findings = Findings::default();
    for _ in 0..TRIES {
        findings.tries += 1;
        let mut bytes = std::fs::read(&journal)?;
        damage(&mut setup.random, &mut bytes);
        std::fs::write(&journal, &bytes)?;
        remove(&attempt.directory.join("samples"))?;
        let (status, stderr) = attempt.run()?;
        if status.success() {
            Results::read(&attempt, workload.products)?.compare(&undisturbed, &mut findings);
        } else {
            findings.wrong(format!("with a damaged journal, the program ended with {status}: {}", stderr.trim_end()));
        }
    }
    Ok(findings)
}

fn remove(directory: &Path) -> Result<()> {
    Ok(std::fs::remove_dir_all(directory)?)
}
