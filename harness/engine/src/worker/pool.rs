//! Where workers come from: started, or kept from an earlier role of the same plugin file. To start a process, and to open the library
//! in it, takes longer than a small dataset.

use super::environment;
use super::process::WorkerProcess;
use super::role::{WorkerRole, WorkerSettings};
use examiner_api::{Host, Result, RoleKind};
use examiner_suite::Isolation;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// At most so many are kept: as many as there are threads that open datasets side by side.
const KEPT: usize = 8;

/// Starts workers, and keeps those whose role has ended. Its clones share what is kept.
#[derive(Clone)]
pub struct Workers {
    pub(super) settings: WorkerSettings,
    idle: Arc<Mutex<Vec<(Key, WorkerProcess)>>>,
}

/// What a worker must have in common with the one that a role would get anew.
#[derive(PartialEq, Eq)]
struct Key {
    library: PathBuf,
    sha256: String,
    /// The variables that it does not have.
    withheld: Vec<OsString>,
}

impl Key {
    fn of(role: &WorkerRole) -> Self {
        let withheld = environment::withheld(&role.options);
        Key { library: role.library.clone(), sha256: role.sha256.clone(), withheld }
    }
}

impl Workers {
    /// Workers that are processes of `program`, which is this program.
    pub fn new(program: PathBuf, isolation: Isolation) -> Self {
        Workers { settings: WorkerSettings { program, isolation, hub_mirror: None }, idle: Arc::default() }
    }

    /// The same, told of the directory that is read instead of the hub.
    #[must_use]
    pub fn mirrored(mut self, directory: Option<PathBuf>) -> Self {
        self.settings.hub_mirror = directory;
        self
    }

    /// A worker for a role, which is not open in it yet.
    pub(super) fn get(&self, role: &WorkerRole, host: &Host) -> Result<WorkerProcess> {
        let key = Key::of(role);
        if may_share(role.kind)
            && let Some(process) = self.take(&key)
        {
            process.serve_next(role.label(), host);
            return Ok(process);
        }
        WorkerProcess::start(&self.settings, role.label(), host, &key.withheld)
    }

    fn take(&self, key: &Key) -> Option<WorkerProcess> {
        let mut idle = self.idle.lock();
        // One that died while nobody used it is no loss.
        idle.retain(|(_, process)| !process.is_dead());
        let at = idle.iter().position(|(of, _)| of == key)?;
        Some(idle.swap_remove(at).1)
    }

    /// Ends the role of a worker, and keeps its process for the next, or ends that too.
    pub(super) fn give_back(&self, role: &WorkerRole, process: WorkerProcess) {
        if may_share(role.kind) && !process.is_dead() && process.release().is_ok() {
            let mut idle = self.idle.lock();
            if idle.len() < KEPT {
                idle.push((Key::of(role), process));
            }
        }
    }
}

/// Whether a process may serve another role before and after. Models and trainers leave memory and devices in a state that only the
/// end of their process puts in order.
fn may_share(kind: RoleKind) -> bool {
    matches!(kind, RoleKind::Dataset | RoleKind::Scorer | RoleKind::Recipe)
}
