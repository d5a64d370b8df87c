//! What a plugin gets from the program that loaded it.
//!
//! Globals are per library: a `tracing` subscriber or a signal handler of the program does not exist for a plugin. All
//! that a plugin says or needs goes through here.

use crate::wire::{Call, RawSink, Remote};
use crate::{
    AskAll, AskReport, Dataset, GenerateResult, HostApi, Level, Metadata, Model, Progress, RecipeReport, Response,
    Result, RoleAddress, RoleKind, RowsContent, RowsFile, Scorer, Sink, wire,
};
use std::path::PathBuf;
use std::sync::Arc;

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

    /// Reports the progress of a long task.
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

    /// The local path of a file or directory: a local path as it is (relative to the working directory),
    /// `hf://org/name[/file]`, `hf://datasets/org/name/file` and `https://...` downloaded once, checked and kept.
    ///
    /// `hf://datasets/org/name?split=test&config=main` is a split of a dataset, with the rows that `load_dataset` of the Python library
    /// `datasets` gives: a file of JSON lines (`rows::HubSplit` writes the address).
    ///
    /// Of a repository or a folder of the hub all files are fetched: [`Host::fetch_repository`] leaves out what nobody reads.
    pub fn fetch(&self, uri: &str) -> Result<PathBuf> {
        self.api.fetch(uri)
    }

    /// The local directory of `hf://org/name` or `hf://datasets/org/name`, in which at least the files are that one of the
    /// patterns fits: `*.json`, `onnx/*`. A `*` is any text without a `/`; a file that a pattern after `!` fits is left out:
    /// `!consolidated*`. A local directory is returned as it is.
    ///
    /// # Errors
    /// As for [`Host::fetch`]; `NotFound` where no file of the repository fits.
    pub fn fetch_repository(&self, uri: &str, patterns: &[&str]) -> Result<PathBuf> {
        self.api.fetch_repository(uri, &patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// Returns once everything that was sent to the sink of the method under way has been recorded. A trainer calls it before it
    /// writes a checkpoint: whoever goes on from there then finds the events of all steps before.
    pub fn flush(&self) -> Result<()> {
        self.api.flush()
    }

    /// Asks a model of the suite many questions, and sends an answer or an error for each to `sink`, in any order. An answer is
    /// stored before it is sent, and never asked for again, not by another run either; an error is, by the next try.
    ///
    /// # Errors
    /// What ends the asking: the user, a refused key or an empty account, a failure of the whole batch, a file that cannot be
    /// written. What was answered before is kept.
    pub fn ask_all(&self, ask: AskAll, sink: &dyn Sink<Response<GenerateResult>>) -> Result<AskReport> {
        self.api.ask_all(ask, sink)
    }

    /// What was reported of rows that were written with the same inputs, if they are all there and as they were, and no question
    /// of theirs is open.
    pub fn find_rows(&self, file: &RowsFile) -> Result<Option<RecipeReport>> {
        self.api.find_rows(file)
    }

    /// Writes rows, the counts of tasks, unsolved questions, and what the rows are made of, each file as a whole or not at all.
    /// Files made of something else, or changed since, are moved aside under another name with a warning. Returns the
    /// report with the place of the rows.
    pub fn write_rows(&self, file: &RowsFile, content: RowsContent) -> Result<RecipeReport> {
        self.api.write_rows(file, content)
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

    /// Answers a call in wire form: what [`crate::wire::RemoteHost`] asks, on the program's side.
    pub fn serve(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        wire::serve_host(&*self.api, name, payload, sink)
    }
}

/// Another role of the suite, reached through the program: a plugin never links another.
struct HostedRole {
    host: Host,
    role: RoleAddress,
}

impl Call for HostedRole {
    fn call(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        self.host.api.call_role(&self.role, name, payload, sink)
    }
}
