//! Answers of other runs, for a run that has none of its own yet: where the suite says `reuse`.

use crate::evaluate::Setup;
use crate::graph::Pair;
use examiner_api::Result;
use examiner_store::atomic;
use examiner_store::directory::journal_path;
use examiner_store::provenance::{self, Provenance};
use examiner_store::storage::failure;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// So many of the newest runs are looked at.
const RUNS: usize = 20;

/// The newest runs of a directory, the newest first.
#[derive(Default)]
pub(super) struct OtherRuns(Vec<(PathBuf, Provenance)>);

/// The journal of another run.
pub(super) struct OtherJournal {
    pub(super) run: PathBuf,
    pub(super) path: PathBuf,
}

impl OtherRuns {
    /// The runs in `directory`, apart from the one in `own`.
    pub(super) fn of(directory: Option<&Path>, own: Option<&Path>) -> Self {
        let Some(found) = directory.and_then(|directory| provenance::runs(directory).ok()) else {
            return OtherRuns::default();
        };
        let own = own.and_then(|own| own.canonicalize().ok());
        let is_other = |path: &Path| own.is_none() || path.canonicalize().ok() != own;
        let mut runs: Vec<(Option<SystemTime>, PathBuf, Provenance)> = found
            .filter(|(path, _)| is_other(path))
            .map(|(path, run)| (modified(&path.join("run.json")), path, run))
            .collect();
        runs.sort_by(|(one, one_path, _), (other, other_path, _)| (other, other_path).cmp(&(one, one_path)));
        OtherRuns(runs.into_iter().take(RUNS).map(|(_, path, run)| (path, run)).collect())
    }

    /// The journal of the newest run in which the model was examined on the dataset by the same scorers. Each of its records is held
    /// against its question, as one of the run's own would be.
    pub(super) fn journal(&self, pair: &Pair, setup: &Setup) -> Option<OtherJournal> {
        self.0.iter().find_map(|(run, provenance)| {
            let stage = provenance.stages.get(&pair.stage())?;
            let path = journal_path(run, &pair.model, &pair.dataset);
            let may_hold = !stage.inputs.is_empty() && setup.shares_keys_with(&stage.inputs);
            (may_hold && path.is_file()).then(|| OtherJournal { run: run.clone(), path })
        })
    }
}

impl OtherJournal {
    /// Copies it to where the run has its own: the other run may change or vanish.
    pub(super) fn copy(&self, to: &Path) -> Result<()> {
        let copied = to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            let mut from = File::open(&self.path)?;
            atomic::write(to, |file| std::io::copy(&mut from, file).map(drop))
        });
        copied.map_err(|error| failure("copy answers to", to, &error))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}
