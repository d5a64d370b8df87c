//! A role in a worker as it is: nothing is tried again, a death is the error of the call that it ended, and what the process holds
//! can be asked.

use super::isolated::{IsolatedCalls, IsolatedRole};
use super::pool::Workers;
use super::role::WorkerRole;
use crate::loader::Plugins;
use examiner_api::{Host, Metadata, OpenRole, Result, RoleKind};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// After so long a worker has told what it holds: it does so five times a second.
const TOLD_AFTER: Duration = Duration::from_millis(450);

/// What the process of a role holds.
pub(crate) struct HeldMemory(Arc<Mutex<IsolatedRole>>);

impl HeldMemory {
    /// Memory of its own, in KiB, while the role does nothing; none where the process has ended.
    pub(crate) fn kib(&self) -> Option<u64> {
        std::thread::sleep(TOLD_AFTER);
        self.0.lock().memory_kib()
    }
}

/// Opens a role in one of `workers`. Of a part of the program there is no process of its own to measure.
pub(crate) fn open_alone(
    workers: Option<&Workers>,
    plugins: &Plugins,
    kind: RoleKind,
    name: &str,
    options: Metadata,
    host: Host,
) -> Result<(OpenRole, Option<HeldMemory>)> {
    let (file, role) = plugins.find(kind, name)?;
    let (Some(workers), Some(identity)) = (workers, file.library()) else {
        return Ok((plugins.open(kind, name, options, host)?, None));
    };
    let isolated = IsolatedRole::open(workers, WorkerRole::of(file, identity, role, options), host)?;
    let role = Arc::new(Mutex::new(isolated));
    Ok((OpenRole::remote(kind, IsolatedCalls(role.clone())), Some(HeldMemory(role))))
}
