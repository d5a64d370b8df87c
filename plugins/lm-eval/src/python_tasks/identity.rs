//! What the samples of a task, and the verdicts on answers to them, depend on where Python runs it.

use super::program::SCRIPT;
use super::session::Session;
use crate::TaskConfig;
use crate::task::settings_text;
use examiner_api::{PluginError, Result, rows};
use std::path::{Path, PathBuf};

/// The version of the rules. It changes when the same task and answers could come to something else.
const RULES: u32 = 1;

/// The hash of a task's settings, of the files beside it, of the Python files in `imported`, of the packages that compute, and of the
/// script that runs them. Where any of it lies is no part of it.
pub(super) fn of(config: &TaskConfig, session: &Session, imported: &[PathBuf]) -> Result<String> {
    let mut parts = vec![format!("python {RULES}"), SCRIPT.to_owned(), session.versions(), settings_text(config)];
    for file in beside(&config.path)?.iter().chain(imported) {
        parts.push(file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
        parts.push(rows::fingerprint(file)?);
    }
    Ok(rows::digest(parts))
}

/// The files in the directory of a task, sorted: its functions, and the data that they read.
fn beside(task: &Path) -> Result<Vec<PathBuf>> {
    let directory = task.parent().unwrap_or(Path::new(""));
    let failed = |error: std::io::Error| PluginError::io("read", directory, &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
