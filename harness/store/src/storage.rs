//! What is said where the run's own files cannot be written: a full disk, a limit, a directory that is read-only.
//!
//! Such an error ends the run and not only the stage that meets it first, because the next stage would meet it too.
//! Nothing finished is lost: journals hold it, and the same command goes on from them.

use examiner_api::{ErrorCode, PluginError};
use std::io::{Error, ErrorKind};
use std::path::Path;

/// The error of a file or directory of the run, with what to do about it.
pub fn failure(doing: &str, path: &Path, error: &Error) -> PluginError {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::FileTooLarge => "raise the limit on the size of files (`ulimit -f`)",
        ErrorKind::ReadOnlyFilesystem => "make the file system writable",
        ErrorKind::PermissionDenied => "make it writable for this user",
        _ => "put that right",
    };
    PluginError::new(ErrorCode::Io, format!("cannot {doing} `{}`", path.display()))
        .with_cause(error)
        .with_help(format!("{remedy}, then run the same command again: what is finished is not done again"))
}
