//! What a program does for the plugins that it has loaded. Plugins use [`crate::Host`]; programs and tests implement
//! [`HostApi`].

use crate::roles::RawSink;
use crate::{
    AskAll, AskReport, GenerateResult, Metadata, PluginError, RecipeReport, Response, Result, RoleKind, RowsContent,
    RowsFile, Sink,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// Worth a line in the log.
    Info,
    /// Something the user should know.
    Warn,
    /// Something went wrong.
    Error,
}

/// The progress of a long task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done: `download model.safetensors`.
    pub task: String,
    /// Units done.
    pub done: u64,
    /// Units to do, if it is known.
    pub total: Option<u64>,
    /// What is counted: `bytes`, `tokens`, `samples`.
    pub unit: String,
}

/// Which other role is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoleAddress {
    /// Its kind.
    pub kind: RoleKind,
    /// The name of a model or dataset in the suite; the name under which a plugin offers any other role.
    pub name: String,
    /// The options of a role that the suite does not define.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub options: Metadata,
}

/// What the program behind a [`crate::Host`] does. Plugins use [`crate::Host`]; programs and tests implement this.
pub trait HostApi: Send + Sync {
    /// Logs a message.
    fn log(&self, level: Level, message: &str);
    /// Reports the progress of a task.
    fn progress(&self, progress: Progress);
    /// Whether the user wants to stop.
    fn is_cancelled(&self) -> bool;
    /// A directory for files that nobody needs later.
    fn scratch_dir(&self) -> Result<PathBuf>;
    /// The local path of a file: a path as it is (relative ones to the working directory), `hf://org/name/file` and
    /// `https://...` downloaded, checked and kept.
    fn fetch(&self, uri: &str) -> Result<PathBuf>;
    /// The local directory of a repository of the hub (or a directory as it is), of which the files that `patterns` name are
    /// there; see [`crate::Host::fetch_repository`].
    fn fetch_repository(&self, uri: &str, patterns: &[String]) -> Result<PathBuf> {
        let _ = patterns;
        Err(no_verb(&format!("repositories: `{uri}`")))
    }
    /// Returns once everything that was sent to the sink of the method under way has been recorded.
    fn flush(&self) -> Result<()> {
        Ok(())
    }
    /// Asks a model what is not stored yet; see [`crate::asking::ask_all`].
    fn ask_all(&self, ask: AskAll, sink: &dyn Sink<Response<GenerateResult>>) -> Result<AskReport> {
        let _ = (ask, sink);
        Err(no_verb("questions of recipes"))
    }
    /// The report of the rows that were written with the same inputs, if they are all there and as they were.
    fn find_rows(&self, file: &RowsFile) -> Result<Option<RecipeReport>> {
        let _ = file;
        Err(no_verb("rows of recipes"))
    }
    /// Writes rows, with what they are made of beside them.
    fn write_rows(&self, file: &RowsFile, content: RowsContent) -> Result<RecipeReport> {
        let _ = (file, content);
        Err(no_verb("rows of recipes"))
    }
    /// Calls a method of another role. `sink` gets its results in wire form.
    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>>;
}

fn no_verb(what: &str) -> PluginError {
    PluginError::unsupported(format!("this host does not take {what}"))
}
