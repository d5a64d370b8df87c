//! Errors of the run's own files: a full disk, a limit, a read-only directory.
//!
//! Such an error ends the run and not only the stage in which it occurs first, because it would occur in the next stage,
//! too. Finished work is not lost: it is in the journals, and the same command continues from them.

use examiner_api::{ErrorCode, PluginError};
use std::io::{Error, ErrorKind};
use std::path::Path;

/// The error of a file or directory of the run, with what to try.
pub fn failure(doing: &str, path: &Path, error: &Error) -> PluginError {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::FileTooLarge => "raise the limit on the size of files (`ulimit -f`)",
        ErrorKind::ReadOnlyFilesystem => "make the file system writable",
        ErrorKind::PermissionDenied => "make it writable for this user",
        _ => "fix that",
    };
    PluginError::new(ErrorCode::Io, format!("cannot {doing} `{}`", path.display()))
        .with_cause(error)
        .with_help(format!("{remedy}, then run the same command again: what is finished is not done again"))
}
