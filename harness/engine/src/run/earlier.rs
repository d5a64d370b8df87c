//! Which earlier run is continued.

use super::Job;
use examiner_store::provenance::{Provenance, Request, Status};
use std::path::{Path, PathBuf};

/// The identity of what was asked for, by which an unfinished run is recognised.
pub fn request(job: &Job) -> Request {
    Request {
        suite: blake3::hash(job.loaded.text.as_bytes()).to_hex().to_string(),
        set: job.set.clone(),
        limit: job.limit,
        only: job.only.clone(),
    }
}

/// The run that would be continued: `--out`, or the newest of this suite if it was asked for the same and is not complete. One
/// that failed is continued, too: what is finished holds, and only what failed is tried again.
pub fn resumable(job: &Job) -> Option<PathBuf> {
    if let Some(out) = &job.out {
        return out.join("run.json").exists().then(|| out.clone());
    }
    if job.fresh {
        return None;
    }
    let newest = newest_run(&job.outputs, &job.loaded.suite.name)?;
    let provenance = Provenance::read(&newest)?;
    let unfinished = provenance.status != Status::Complete;
    (unfinished && provenance.request == request(job)).then_some(newest)
}

/// The newest run of a suite.
pub fn newest_run(outputs: &Path, suite: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(outputs).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let of_suite = entries.filter(|path| Provenance::read(path).is_some_and(|run| run.suite == suite));
    of_suite.filter(|path| !path.is_symlink()).max_by_key(|path| {
        let made = std::fs::metadata(path.join("suite.yaml")).and_then(|file| file.modified()).ok();
        (made, path.clone())
    })
}
