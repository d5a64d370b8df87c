//! What a plugin gets from the program that loaded it.
//!
//! Globals are per library: a `tracing` subscriber or a signal handler of the program does not exist for a plugin. All
//! that a plugin says or needs goes through here.

use crate::wire::{Call, RawSink, Remote};
use crate::{Dataset, Metadata, Model, Result, RoleKind, Scorer};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

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

/// How far a long task is.
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
    /// The options of a role that does not stand in the suite.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub options: Metadata,
}

/// What the program behind a [`Host`] does. Plugins use [`Host`]; programs and tests implement this.
pub trait HostApi: Send + Sync {
    /// Takes a message.
    fn log(&self, level: Level, message: &str);
    /// Takes note of how far a task is.
    fn progress(&self, progress: Progress);
    /// Whether the user wants to stop.
    fn is_cancelled(&self) -> bool;
    /// A directory for files that nobody needs later.
    fn scratch_dir(&self) -> Result<PathBuf>;
    /// The local path of a file: a path as it is (relative ones stand in the working directory), `hf://org/name/file` and
    /// `https://...` downloaded, checked and kept.
    fn fetch(&self, uri: &str) -> Result<PathBuf>;
    /// Calls a method of another role. `sink` gets its results in wire form.
    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>>;
}

/// A plugin's way to the program that loaded it. Cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Host {
    api: Arc<dyn HostApi>,
}

impl Host {
    /// A host that does what `api` does.
    pub fn new(api: impl HostApi + 'static) -> Self {
        Host { api: Arc::new(api) }
    }

    /// A message for the log of the stage.
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.api.log(level, message.as_ref());
    }

    /// A message worth a line in the log.
    pub fn info(&self, message: impl AsRef<str>) {
        self.log(Level::Info, message);
    }

    /// A message that the user should see.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.log(Level::Warn, message);
    }

    /// Says how far a long task is.
    pub fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        self.api.progress(Progress { task: task.to_owned(), done, total, unit: unit.to_owned() });
    }

    /// Whether the user wants to stop. Ask now and then in long work, and return
    /// [`crate::ErrorCode::Cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.api.is_cancelled()
    }

    /// A directory for files that nobody needs later.
    pub fn scratch_dir(&self) -> Result<PathBuf> {
        self.api.scratch_dir()
    }

    /// The local path of a file or directory: a local path as it is (relative paths stand in the working directory),
    /// `hf://org/name[/file]`, `hf://datasets/org/name/file` and `https://...` downloaded once, checked and kept.
    pub fn fetch(&self, uri: &str) -> Result<PathBuf> {
        self.api.fetch(uri)
    }

    /// A model of the suite, by its name there.
    pub fn model(&self, name: &str) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.role(RoleKind::Model, name, Metadata::new())))
    }

    /// A dataset of the suite, by its name there.
    pub fn dataset(&self, name: &str) -> Result<Box<dyn Dataset>> {
        Ok(Box::new(self.role(RoleKind::Dataset, name, Metadata::new())))
    }

    /// A scorer by its own name and options, so that a recipe judges answers exactly as an examination does.
    pub fn scorer(&self, name: &str, options: Metadata) -> Result<Box<dyn Scorer>> {
        Ok(Box::new(self.role(RoleKind::Scorer, name, options)))
    }

    fn role(&self, kind: RoleKind, name: &str, options: Metadata) -> Remote<HostedRole> {
        Remote::new(HostedRole { host: self.clone(), role: RoleAddress { kind, name: name.to_owned(), options } })
    }

    pub(crate) fn api(&self) -> &dyn HostApi {
        &*self.api
    }
}

/// Another role of the suite, reached through the program: a plugin never links another.
struct HostedRole {
    host: Host,
    role: RoleAddress,
}

impl Call for HostedRole {
    fn call(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        self.host.api().call_role(&self.role, name, payload, sink)
    }
}
