//! Which earlier run is continued, and which may not be touched.

use super::Job;
use crate::graph::{pairs, selected};
use examiner_api::{PluginError, Result};
use examiner_store::directory::RunDirectory;
use examiner_store::product;
use examiner_store::provenance::{self, Provenance, Request, Status};
use examiner_suite::{Loaded, Paths};
use std::path::{Path, PathBuf};

/// The identity of a suite: what it says, and not how it is written.
pub fn suite_identity(loaded: &Loaded) -> String {
    // What was read from a file of text can be written. If it could not, the text itself would tell suites apart.
    let said = serde_json::to_vec(&loaded.suite).unwrap_or_else(|_| loaded.text.clone().into_bytes());
    blake3::hash(&said).to_hex().to_string()
}

/// The identity of what was asked for, by which an unfinished run is recognised.
pub fn request(job: &Job) -> Request {
    Request { suite: suite_identity(&job.loaded), set: job.set.clone(), limit: job.limit, only: job.only.clone() }
}

/// The directory in which paths of the suite begin, from wherever a later command is given.
pub(crate) fn suite_directory(paths: &Paths) -> String {
    let directory = &paths.directory;
    let absolute = std::path::absolute(if directory.as_os_str().is_empty() { Path::new(".") } else { directory });
    absolute.unwrap_or_else(|_| directory.clone()).display().to_string()
}

/// The run that would be continued: `--out`, or the newest of this suite if it was asked for the same and is not complete. One
/// that failed is continued, too: what is finished holds, and only what failed is tried again.
pub fn resumable(job: &Job) -> Option<PathBuf> {
    if job.fresh {
        return None;
    }
    if let Some(out) = &job.out {
        return out.join("run.json").exists().then(|| out.clone());
    }
    let newest = newest_run(&job.outputs, &job.loaded.suite.name)?;
    let provenance = Provenance::read(&newest)?;
    let unfinished = provenance.status != Status::Complete;
    (unfinished && provenance.request == request(job)).then_some(newest)
}

/// Refuses a directory in which the results of another suite, or more results of this one, would be replaced.
///
/// # Errors
/// `BadInput`, unless the job says that they may be.
pub fn check_replaced(job: &Job) -> Result<()> {
    let Some(out) = job.out.as_ref().filter(|_| !job.replace && !job.fresh) else { return Ok(()) };
    let Some(earlier) = Provenance::read(out) else { return Ok(()) };
    let (place, suite) = (out.display(), &job.loaded.suite);
    let help = "choose another directory; `--replace` replaces what is there, `--fresh` keeps it under another name";
    if earlier.suite != suite.name {
        let message =
            format!("`{place}` holds a run of the suite `{}`, and this suite is `{}`", earlier.suite, suite.name);
        return Err(PluginError::bad_input(message).with_help(help));
    }
    if earlier.status != Status::Complete {
        return Ok(());
    }
    if let Some(limit) = job.limit.filter(|limit| earlier.request.limit.is_none_or(|earlier| *limit < earlier)) {
        let of = earlier.request.limit.map_or("all".to_owned(), |limit| format!("at most {limit}"));
        let message =
            format!("`{place}` holds the results of {of} questions of each dataset, and `--limit {limit}` are fewer");
        return Err(PluginError::bad_input(message).with_help(help));
    }
    let now: Vec<String> =
        pairs(suite).iter().map(|pair| pair.stage()).filter(|name| selected(&job.only, name)).collect();
    let lost = earlier.stages.keys().find(|name| name.starts_with("evaluate/") && !now.contains(name));
    lost.map_or(Ok(()), |lost| {
        let message = format!("`{place}` holds the results of `{lost}`, which is not among what is run now");
        Err(PluginError::bad_input(message).with_help(help))
    })
}

/// Gives the directory of an earlier run another name, if the job is to start from the beginning in it. Returns the new name.
///
/// # Errors
/// The directory is in use, or cannot be renamed.
pub(super) fn make_room(job: &Job) -> Result<Option<PathBuf>> {
    let Some(out) = job.out.as_ref().filter(|out| job.fresh && out.join("run.json").exists()) else { return Ok(None) };
    // Not while somebody writes in it.
    drop(RunDirectory::open(out, &job.loaded.suite.name)?);
    product::set_aside(out).map_err(|error| PluginError::io("rename", out, &error))
}

/// The newest run of a suite.
pub fn newest_run(outputs: &Path, suite: &str) -> Option<PathBuf> {
    let of_suite = provenance::runs(outputs).ok()?.filter(|(_, run)| run.suite == suite);
    of_suite.map(|(path, _)| path).max_by_key(|path| {
        let made = std::fs::metadata(path.join("suite.yaml")).and_then(|file| file.modified()).ok();
        (made, path.clone())
    })
}
