//! What a scenario needs, and what it reports.

use crate::sample::Random;
use std::path::{Path, PathBuf};

/// What a scenario needs.
pub(super) struct Setup<'a> {
    pub(super) program: PathBuf,
    pub(super) work: &'a Path,
    pub(super) kills: u64,
    pub(super) random: Random,
    /// Draws a limit for a start, as a command of the shell, or none.
    pub(super) limits: Option<fn(&mut Random) -> Option<String>>,
}

/// What a scenario reports.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) tries: u64,
    /// Samples that are missing in the end, and finished ones that were asked again.
    pub(super) lost: u64,
    /// Results that differ from the undisturbed run's, workers that outlived the program, other exit statuses than
    /// promised.
    pub(super) wrong: u64,
    /// A line for each of them.
    pub(super) notes: Vec<String>,
}

impl Findings {
    /// Adds a wrong result.
    pub(super) fn wrong(&mut self, note: String) {
        self.wrong += 1;
        self.notes.push(note);
    }
}
