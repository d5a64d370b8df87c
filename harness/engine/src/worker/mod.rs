//! Models, trainers and exporters in processes of their own.
//!
//! Native code can end its process in ways that no `catch` catches: a segfault, an abort, `exit()`, the kernel out of
//! memory. It then ends a worker, not the run. A worker is this program, started with the hidden command `worker`; it opens
//! one role of one plugin and answers calls on a pipe ([`frame`], `connection`) in the same wire form in which a plugin is
//! called, so that `serve`, in the worker, passes requests and results on as bytes. `process` is a worker as the program
//! sees it: started, watched, killed, and described when it has died. `model` and `stages` implement the roles' traits, and
//! continue with a new worker when one has died.
//!
//! **Invariant:** no worker outlives the program: it ends when its end of the pipe does.
//!
//! **Invariant:** what a plugin prints never reaches the pipe; it goes to the log.

mod connection;
mod environment;
pub mod frame;
mod isolated;
mod memory;
mod model;
mod process;
mod role;
mod serve;
mod stages;
mod stderr_tail;
mod trace;

pub use role::{WorkerRole, WorkerSettings};
pub use serve::main;

use examiner_api::{Exporter, Host, Model, Result, Trainer};
use isolated::IsolatedRole;
use std::path::PathBuf;

impl WorkerSettings {
    /// A model in a worker.
    pub fn model(&self, role: WorkerRole, host: Host) -> Result<Box<dyn Model>> {
        Ok(Box::new(model::IsolatedModel::new(IsolatedRole::open(self, role, host)?)?))
    }

    /// A trainer in a worker.
    pub fn trainer(&self, role: WorkerRole, host: Host) -> Result<Box<dyn Trainer>> {
        Ok(Box::new(stages::IsolatedTrainer(IsolatedRole::open(self, role, host)?)))
    }

    /// An exporter in a worker.
    pub fn exporter(&self, role: WorkerRole, host: Host) -> Result<Box<dyn Exporter>> {
        Ok(Box::new(stages::IsolatedExporter(IsolatedRole::open(self, role, host)?)))
    }
}

/// The path of this program. It stays valid while the process runs, even if the file is moved or replaced.
pub fn program() -> Option<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Some(running) } else { std::env::current_exe().ok() }
}
