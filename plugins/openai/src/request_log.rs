//! One line for each attempt. No header, no prompt, no key.

use crate::options::RequestLog;
use examiner_api::{Host, Level, PluginError, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// An attempt.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AttemptEntry {
    pub(crate) time: String,
    pub(crate) dataset: String,
    pub(crate) sample: String,
    pub(crate) repeats: Vec<u32>,
    /// From 1.
    pub(crate) attempt: u32,
    /// Where the server answered.
    pub(crate) status: Option<u16>,
    pub(crate) latency_ms: u64,
    pub(crate) tokens_in: Option<u64>,
    pub(crate) tokens_out: Option<u64>,
    pub(crate) cost: Option<f64>,
    /// Why there is no answer.
    pub(crate) error: Option<examiner_api::ErrorCode>,
    pub(crate) message: Option<String>,
}

/// Where entries go.
pub(crate) enum AttemptLog {
    Nowhere,
    Stage,
    File { file: File, path: PathBuf },
}

impl AttemptLog {
    /// Opens the file before the work begins, so that it cannot fail at its end.
    pub(crate) fn open(options: &RequestLog) -> Result<Self> {
        match options {
            RequestLog::Stage(false) => Ok(AttemptLog::Nowhere),
            RequestLog::Stage(true) => Ok(AttemptLog::Stage),
            RequestLog::File(path) => {
                let path = PathBuf::from(path);
                let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                let opened = made.and_then(|()| File::options().create(true).append(true).open(&path));
                let file = opened.map_err(|error| PluginError::io("open the request log", &path, &error))?;
                Ok(AttemptLog::File { file, path })
            }
        }
    }

    /// A log that cannot be written must not end the work: it is reported once, and no more is logged.
    pub(crate) fn write(&mut self, host: &Host, entry: &AttemptEntry) {
        let Ok(line) = serde_json::to_string(entry) else { return };
        match self {
            AttemptLog::Nowhere => {}
            AttemptLog::Stage => host.log(Level::Debug, line),
            AttemptLog::File { file, path } => {
                // Whole lines, so that several processes can share the file.
                if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
                    host.warn(PluginError::io("go on with the request log", path, &error).to_string());
                    *self = AttemptLog::Nowhere;
                }
            }
        }
    }
}
