//! Takes from a run what it needs: room for its files, its directory.

use super::evidence::Results;
use super::kills::undisturbed;
use super::subject::{Subject, Tried, ended};
use super::{Found, Ground};
use anyhow::Result;

/// Files may be a little larger at each try, until the run gets through.
pub(super) fn file_size(ground: &mut Ground<'_>, subject: &Subject) -> Result<Found> {
    subject.lay_out(ground.work)?;
    let (undisturbed, _) = undisturbed(&ground.program, ground.work, subject)?;
    let tried = Tried { program: &ground.program, work: ground.work, directory: ground.work.join("run") };
    let mut found = Found::default();
    let mut blocks = 1;
    loop {
        found.tries += 1;
        let (status, said) = ended(tried.command_with_files_below(blocks))?;
        match status.code() {
            Some(0) => break,
            Some(1) if said.contains("File too large") => {}
            _ => {
                found.wrong(format!(
                    "with files of {blocks} blocks at most, the program ended with {status}: {}",
                    said.trim_end()
                ));
                return Ok(found);
            }
        }
        blocks += blocks / 3 + 1;
    }
    Results::read(&tried, subject.products)?.compare(&undisturbed, &mut found);
    Ok(found)
}

/// While one run is under way, others in its directory are refused with its number, and harm nothing.
pub(super) fn two_at_once(ground: &mut Ground<'_>, subject: &Subject) -> Result<Found> {
    subject.lay_out(ground.work)?;
    let (undisturbed, whole) = undisturbed(&ground.program, ground.work, subject)?;
    let tried = Tried { program: &ground.program, work: ground.work, directory: ground.work.join("run") };
    let mut found = Found::default();
    let mut first = tried.start()?;
    std::thread::sleep(whole.mul_f64(0.3));
    while first.try_wait()?.is_none() && found.tries < 5 {
        let (status, said) = tried.run()?;
        let holder = format!("in use by process {}", first.id());
        let is_refused = status.code() == Some(2) && said.contains(&holder);
        if !is_refused && first.try_wait()?.is_none() {
            found.wrong(format!("a second run ended with {status}: {}", said.trim_end()));
        }
        found.tries += 1;
    }
    if !first.wait()?.success() {
        found.wrong("the first run did not end well".to_owned());
    }
    Results::read(&tried, subject.products)?.compare(&undisturbed, &mut found);
    Ok(found)
}
