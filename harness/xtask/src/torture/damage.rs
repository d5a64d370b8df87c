//! Damages the journal of a finished run, and goes on with it.

use super::evidence::Results;
use super::kills::undisturbed;
use super::subject::{Subject, Tried};
use super::{Found, Ground};
use crate::sample::Random;
use anyhow::Result;
use std::path::Path;

const TRIES: u64 = 25;
const JOURNAL: &str = "journal/echo/sums.jsonl";

/// A journal that ends anywhere.
pub(super) fn torn(ground: &mut Ground<'_>, subject: &Subject) -> Result<Found> {
    damaged(ground, subject, |random, bytes| bytes.truncate(random.below(bytes.len() as u64) as usize))
}

/// A journal in which bytes have changed, anywhere behind its first line.
pub(super) fn flipped(ground: &mut Ground<'_>, subject: &Subject) -> Result<Found> {
    damaged(ground, subject, |random, bytes| {
        let head = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1;
        for _ in 0..=random.below(20) {
            let place = head + random.below((bytes.len() - head) as u64) as usize;
            bytes[place] ^= 1 << random.below(8);
        }
    })
}

fn damaged(ground: &mut Ground<'_>, subject: &Subject, damage: fn(&mut Random, &mut Vec<u8>)) -> Result<Found> {
    subject.lay_out(ground.work)?;
    let (undisturbed, _) = undisturbed(&ground.program, ground.work, subject)?;
    let tried = Tried { program: &ground.program, work: ground.work, directory: ground.work.join("undisturbed") };
    let journal = tried.directory.join(JOURNAL);
    let mut found = Found::default();
    for _ in 0..TRIES {
        found.tries += 1;
        let mut bytes = std::fs::read(&journal)?;
        damage(&mut ground.random, &mut bytes);
        std::fs::write(&journal, &bytes)?;
        remove(&tried.directory.join("samples"))?;
        let (status, said) = tried.run()?;
        if status.success() {
            Results::read(&tried, subject.products)?.compare(&undisturbed, &mut found);
        } else {
            found.wrong(format!("with a damaged journal, the program ended with {status}: {}", said.trim_end()));
        }
    }
    Ok(found)
}

fn remove(directory: &Path) -> Result<()> {
    Ok(std::fs::remove_dir_all(directory)?)
}
