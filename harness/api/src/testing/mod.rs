//! A fake host, for the tests of plugins.

mod answers;
mod rows;

use crate::asking::ask_all;
use crate::wire::{Call, RawSink, Remote};
use crate::{
    AskAll, AskReport, GenerateResult, Host, HostApi, Level, OpenRole, PluginError, Progress, RecipeReport, Response,
    Result, RoleAddress, RoleKind, RowsContent, RowsFile, Sink, wire,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Records what is logged, finds local files, and offers the roles it is given. Clones share everything.
#[derive(Clone, Default)]
pub struct FakeHost {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    base: Mutex<PathBuf>,
    messages: Mutex<Vec<(Level, String)>>,
    progress: Mutex<Vec<Progress>>,
    cancelled: AtomicBool,
    roles: Mutex<BTreeMap<(RoleKind, String), OpenRole>>,
}

impl FakeHost {
    /// A host whose relative paths are relative to the current directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A host whose relative paths are relative to `base`.
    pub fn in_dir(base: impl Into<PathBuf>) -> Self {
        let host = Self::default();
        *host.shared.base.lock() = base.into();
        host
    }

    /// The host as plugins see it.
    pub fn host(&self) -> Host {
        Host::new(self.clone())
    }

    /// Offers a role by its kind and name. Options that it is asked for with are passed over.
    pub fn offer(&self, kind: RoleKind, name: &str, role: OpenRole) {
        self.shared.roles.lock().insert((kind, name.to_owned()), role);
    }

    /// From now on the user wants to stop.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::SeqCst);
    }

    /// What was logged.
    pub fn messages(&self) -> Vec<(Level, String)> {
        self.shared.messages.lock().clone()
    }

    /// What progress was reported.
    pub fn progress_reports(&self) -> Vec<Progress> {
        self.shared.progress.lock().clone()
    }
}

impl HostApi for FakeHost {
    fn log(&self, level: Level, message: &str) {
        self.shared.messages.lock().push((level, message.to_owned()));
    }

    fn progress(&self, progress: Progress) {
        self.shared.progress.lock().push(progress);
    }

    fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    fn scratch_dir(&self) -> Result<PathBuf> {
        Ok(std::env::temp_dir())
    }

    fn fetch(&self, uri: &str) -> Result<PathBuf> {
        if uri.contains("://") {
            return Err(PluginError::not_found(format!("the fake host downloads nothing: `{uri}`")));
        }
        let path = self.shared.base.lock().join(uri);
        match path.exists() {
            true => Ok(path),
            false => Err(PluginError::not_found(format!("`{}` does not exist", path.display()))),
        }
    }

    /// A local directory as it is, whatever is in it.
    fn fetch_repository(&self, uri: &str, _: &[String]) -> Result<PathBuf> {
        self.fetch(uri)
    }

    fn ask_all(&self, ask: AskAll, sink: &dyn Sink<Response<GenerateResult>>) -> Result<AskReport> {
        let mut store = answers::Lines::open(&ask.answers)?;
        let mut model = Remote::new(Offered { host: self.clone(), kind: RoleKind::Model, name: ask.model });
        ask_all(&mut model, &mut store, ask.requests, &|| self.is_cancelled(), sink)
    }

    fn find_rows(&self, file: &RowsFile) -> Result<Option<RecipeReport>> {
        Ok(rows::find(file))
    }

    /// Files made of something else are moved aside, with a warning; but for the program's, these are not safe from a
    /// process that ends.
    fn write_rows(&self, file: &RowsFile, content: RowsContent) -> Result<RecipeReport> {
        rows::write(file, content, self)
    }

    fn call_role(&self, role: &RoleAddress, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        // Taken out while it works, so that a role that is asked may ask others.
        let key = (role.kind, role.name.clone());
        let missing = || PluginError::not_found(format!("there is no {} `{}`", role.kind, role.name));
        let mut role = self.shared.roles.lock().remove(&key).ok_or_else(missing)?;
        let answer = wire::serve(&mut role, method, payload, sink);
        self.shared.roles.lock().insert(key, role);
        answer
    }
}

/// A role that was offered.
struct Offered {
    host: FakeHost,
    kind: RoleKind,
    name: String,
}

impl Call for Offered {
    fn call(&self, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        let role = RoleAddress { kind: self.kind, name: self.name.clone(), options: Default::default() };
        self.host.call_role(&role, method, payload, sink)
    }
}
