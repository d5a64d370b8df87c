//! A role in a worker, and in a new worker after the last one has died.

use super::process::WorkerProcess;
use super::role::{OPEN, WorkerRole, WorkerSettings};
use examiner_api::wire::{self, Call, RawSink};
use examiner_api::{ErrorCode, Flow, Host, PluginError, Result};

/// A role in a process of its own.
pub(super) struct IsolatedRole {
    settings: WorkerSettings,
    role: WorkerRole,
    pub(super) host: Host,
    process: WorkerProcess,
    /// The role has panicked: its process still runs, but is not used again.
    has_panicked: bool,
}

/// How a call ended.
pub(super) enum CallEnd {
    /// The role returned.
    Returned(Result<Vec<u8>>),
    /// The process ended, or must not be used again; the next call starts a new one.
    Died(PluginError),
}

impl IsolatedRole {
    /// Starts a worker and opens the role in it. A worker that dies of that is not started again.
    pub(super) fn open(settings: &WorkerSettings, role: WorkerRole, host: Host) -> Result<Self> {
        let process = open(settings, &role, &host)?;
        Ok(IsolatedRole { settings: settings.clone(), role, host, process, has_panicked: false })
    }

    /// How many samples, or attempts, in a row may end the process.
    pub(super) fn deaths_max(&self) -> u32 {
        self.settings.isolation.deaths.max(1)
    }

    /// The role, for messages.
    pub(super) fn label(&self) -> String {
        self.role.label()
    }

    /// Calls a method of the role, in a new process if the last one has died.
    pub(super) fn call(&mut self, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<CallEnd> {
        if self.has_panicked || self.process.is_dead() {
            self.process = open(&self.settings, &self.role, &self.host)?;
            self.has_panicked = false;
        }
        let result = (&self.process).call(method, payload, sink);
        Ok(match result {
            Err(error) if self.process.is_dead() => CallEnd::Died(error),
            Err(error) if error.code == ErrorCode::Panic => {
                self.has_panicked = true;
                CallEnd::Died(error)
            }
            result => CallEnd::Returned(result),
        })
    }

    /// Calls a method that takes nothing and streams nothing, in the process that there is.
    pub(super) fn query(&self, method: &str) -> Result<Vec<u8>> {
        (&self.process).call(method, &wire::encode(&())?, &|_| Flow::Stop)
    }
}

fn open(settings: &WorkerSettings, role: &WorkerRole, host: &Host) -> Result<WorkerProcess> {
    let process = WorkerProcess::start(settings, role, host)?;
    (&process).call(OPEN, &wire::encode(role)?, &|_| Flow::Stop)?;
    Ok(process)
}
