//! Roles of plugins in processes of their own.
//!
//! Native code can end its process in ways that no `catch` catches: a segfault, an abort, `exit()`, the kernel out of
//! memory. It then ends a worker, not the run. A worker is this program, started with the hidden command `worker`; it opens
//! one role of one plugin at a time and answers calls on a pipe ([`frame`], `connection`) in the same wire form in which a plugin is
//! called, so that `serve`, in the worker, passes requests and results on as bytes. `process` is a worker as the program
//! sees it: started, watched, killed, and described when it has died. `model` and `stages` implement roles' traits, and
//! continue with a new worker when one has died; `registration` asks plugin files what they are.
//!
//! **Invariant:** no worker outlives the program: it ends when its end of the pipe does.
//!
//! **Invariant:** what a plugin prints never reaches the pipe; it goes to the log.

mod alone;
mod connection;
mod death;
mod environment;
pub mod frame;
mod isolated;
mod memory;
mod model;
mod pool;
mod process;
mod registration;
mod role;
mod serve;
mod stages;
mod stderr_tail;
mod trace;

pub(crate) use alone::{HeldMemory, open_alone};
pub use pool::Workers;
pub(crate) use registration::printed_at_registration;
pub use registration::registration;
pub use serve::main;

use crate::loader::Plugins;
use examiner_api::{Host, Metadata, OpenRole, Result, RoleKind};
use isolated::{IsolatedCalls, IsolatedRole};
use parking_lot::Mutex;
use role::WorkerRole;
use std::path::PathBuf;
use std::sync::Arc;

impl Workers {
    /// A role in a worker.
    fn open(&self, role: WorkerRole, host: Host) -> Result<OpenRole> {
        let kind = role.kind;
        let isolated = IsolatedRole::open(self, role, host)?;
        Ok(match kind {
            RoleKind::Model => OpenRole::Model(Box::new(model::IsolatedModel::new(isolated)?)),
            RoleKind::Trainer => OpenRole::Trainer(Box::new(stages::IsolatedTrainer(isolated))),
            RoleKind::Exporter => OpenRole::Exporter(Box::new(stages::IsolatedExporter(isolated))),
            RoleKind::Recipe => OpenRole::Recipe(Box::new(stages::IsolatedRecipe(Mutex::new(isolated)))),
            RoleKind::Dataset | RoleKind::Scorer | RoleKind::Diagnostic | RoleKind::Catalog => {
                OpenRole::remote(kind, IsolatedCalls(Arc::new(Mutex::new(isolated))))
            }
        })
    }
}

/// Opens a role: in one of `workers`, if there are any and the plugin is not a part of the program.
pub fn open(
    workers: Option<&Workers>,
    plugins: &Plugins,
    kind: RoleKind,
    name: &str,
    options: Metadata,
    host: Host,
) -> Result<OpenRole> {
    let (file, role) = plugins.find(kind, name)?;
    match (workers, file.library()) {
        (Some(workers), Some(identity)) => workers.open(WorkerRole::of(file, identity, role, options), host),
        _ => plugins.open(kind, name, options, host),
    }
}

/// The path of this program, of which workers are processes; none on a system without workers. It stays valid while the process
/// runs, even if the file is moved or replaced.
pub fn program() -> Option<PathBuf> {
    if !cfg!(unix) {
        return None;
    }
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Some(running) } else { std::env::current_exe().ok() }
}
