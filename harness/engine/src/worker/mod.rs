//! Models, trainers and exporters in processes of their own.
//!
//! Native code can end its process in ways that no `catch` catches: a segfault, an abort, `exit()`, the kernel out of
//! memory. It then ends a worker, not the run. A worker is this program, started with the hidden command `worker`; it opens
//! one role of one plugin and answers calls on a pipe ([`frame`], `connection`) in the same wire form in which a plugin is
//! called. `process` is a worker as the program sees it: started, watched, killed, and described when it has died. `model`
//! and `makers` give the roles back, and go on with a new worker when one has died.
//!
//! **Invariant:** no worker outlives the program: it ends when its end of the pipe does.
//!
//! **Invariant:** what a plugin prints never reaches the pipe; it goes to the log.

mod connection;
pub mod frame;
mod isolated;
mod model;
mod process;
mod serve;
mod stage_workers;
mod stderr_tail;
mod trace;

pub use isolated::Job;
pub use serve::main;

use examiner_api::{Exporter, Host, Model, Result, Trainer};
use examiner_suite::Isolation;
use isolated::Isolated;
use std::path::PathBuf;

/// How workers are started and watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Workers {
    /// This program.
    pub program: PathBuf,
    /// What the suite says of them.
    pub isolation: Isolation,
}

impl Workers {
    /// A model in a worker.
    pub fn model(&self, job: Job, host: Host) -> Result<Box<dyn Model>> {
        Ok(Box::new(model::IsolatedModel::new(Isolated::open(self, job, host)?)?))
    }

    /// A trainer in a worker.
    pub fn trainer(&self, job: Job, host: Host) -> Result<Box<dyn Trainer>> {
        Ok(Box::new(stage_workers::IsolatedTrainer(Isolated::open(self, job, host)?)))
    }

    /// An exporter in a worker.
    pub fn exporter(&self, job: Job, host: Host) -> Result<Box<dyn Exporter>> {
        Ok(Box::new(stage_workers::IsolatedExporter(Isolated::open(self, job, host)?)))
    }
}

/// This program, as long as the process runs, whatever becomes of its file.
pub fn program() -> Option<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Some(running) } else { std::env::current_exe().ok() }
}
