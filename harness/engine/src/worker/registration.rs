//! Plugin files describe themselves in a worker: one that ends its process, or blocks, is named and passed over.

use super::process::WorkerProcess;
use super::role::{DESCRIBE, WorkerSettings};
use crate::bare_host::{bare_host, bare_host_with_log};
use crate::loader::{self, FileIdentity, LoadProblem, Register};
use crate::threads;
use examiner_api::wire::{self, Call};
use examiner_api::{ErrorCode, Flow, Metadata, PluginInfo, Result};
use examiner_suite::Isolation;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How long a plugin file may take to describe itself, in seconds, where `EXAMINER_REGISTRATION_S` says nothing else.
const DEADLINE_S: f64 = 30.0;

/// Asks plugin files in a worker, which is a process of `program`; in this process where there is none.
pub fn registration(program: Option<PathBuf>) -> Box<dyn Register> {
    let Some(program) = program else { return Box::new(InThisProcess) };
    let set = std::env::var("EXAMINER_REGISTRATION_S").ok().and_then(|text| text.parse().ok());
    let deadline_s = set.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0).unwrap_or(DEADLINE_S);
    let isolation = Isolation { deadline_s, ..Isolation::default() };
    Box::new(Registration::new(program, isolation))
}

struct Registration {
    settings: WorkerSettings,
    /// Processes that no file is being asked in: as many are started as files are asked side by side.
    idle: Mutex<Vec<WorkerProcess>>,
}

impl Register for Registration {
    fn describe(&self, path: &Path, identity: &FileIdentity) -> Result<PluginInfo, LoadProblem> {
        let mut described = self.ask(path, identity);
        // Another process may have ended this one, the kernel out of memory among them. A plugin that does so does it again.
        if described.as_ref().is_err_and(|error| error.code == ErrorCode::Crashed) {
            described = self.ask(path, identity);
        }
        described.map_err(|error| {
            let help = match error.code {
                ErrorCode::Timeout => "`EXAMINER_REGISTRATION_S` allows more seconds",
                _ => "this is an error in the plugin, tell its author",
            };
            LoadProblem::Died(Box::new(error.with_help(help)))
        })?
    }
}

impl Drop for Registration {
    /// The processes have no role that would clean up: nobody waits for their end. They end with the program at the latest.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        // Where no thread can be had, they end here.
        drop(threads::start(move || drop(idle)));
    }
}

impl Registration {
    fn new(program: PathBuf, isolation: Isolation) -> Self {
        Registration { settings: WorkerSettings { program, isolation, hub_mirror: None }, idle: Mutex::default() }
    }

    fn ask(&self, path: &Path, identity: &FileIdentity) -> Result<Result<PluginInfo, LoadProblem>> {
        let idle = self.idle.lock().pop().filter(|process| !process.is_dead());
        let process = idle.map_or_else(|| self.start(), Ok)?;
        process.serve_next("the plugin".to_owned(), &bare_host());
        let described = (&process).call(DESCRIBE, &wire::encode(&(path, identity))?, &|_| Flow::Stop)?;
        self.idle.lock().push(process);
        wire::decode(&described)
    }

    fn start(&self) -> Result<WorkerProcess> {
        // To describe itself a plugin needs no key of any server.
        let withheld: Vec<OsString> = super::environment::withheld(&Metadata::new());
        WorkerProcess::start(&self.settings, String::new(), &bare_host(), &withheld)
    }
}

/// The lines that a plugin file prints while it describes itself, in a worker that is a process of `program`.
///
/// # Errors
/// The process ends, or does not come back.
pub(crate) fn printed_at_registration(program: PathBuf, path: &Path, identity: &FileIdentity) -> Result<Vec<String>> {
    let isolation = Isolation { deadline_s: DEADLINE_S, ..Isolation::default() };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let process = Registration::new(program, isolation).start()?;
    let keep = {
        let lines = lines.clone();
        move |_, message: &str| lines.lock().push(message.strip_prefix("says: ").unwrap_or(message).to_owned())
    };
    process.serve_next("the plugin".to_owned(), &bare_host_with_log(keep));
    (&process).call(DESCRIBE, &wire::encode(&(path, identity))?, &|_| Flow::Stop)?;
    // Waits for what it has printed.
    process.release()?;
    let printed = std::mem::take(&mut *lines.lock());
    Ok(printed)
}

struct InThisProcess;

impl Register for InThisProcess {
    fn describe(&self, path: &Path, identity: &FileIdentity) -> Result<PluginInfo, LoadProblem> {
        loader::describe(path, identity)
    }
}
