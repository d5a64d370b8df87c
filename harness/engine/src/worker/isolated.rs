//! A role in a worker, and in a new worker after the last one has died.

use super::pool::Workers;
use super::process::WorkerProcess;
use super::role::{OPEN, WorkerRole};
use examiner_api::wire::{self, Call, RawSink};
use examiner_api::{ErrorCode, Flow, Host, PluginError, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// A role in a process of its own.
pub(super) struct IsolatedRole {
    workers: Workers,
    role: WorkerRole,
    pub(super) host: Host,
    /// None where the last one has died.
    process: Option<WorkerProcess>,
}

/// How a call ended.
pub(super) enum CallEnd {
    /// The role returned.
    Returned(Result<Vec<u8>>),
    /// The process ended, or must not be used again; the next call starts a new one.
    Died(PluginError),
}

impl IsolatedRole {
    /// Starts a worker, or takes one that is idle, and opens the role in it. A worker that dies of that is not started again.
    pub(super) fn open(workers: &Workers, role: WorkerRole, host: Host) -> Result<Self> {
        let mut opened = IsolatedRole { workers: workers.clone(), role, host, process: None };
        opened.process()?;
        Ok(opened)
    }

    /// How many samples, or attempts, in a row may end the process.
    pub(super) fn deaths_max(&self) -> u32 {
        self.workers.settings.isolation.deaths.max(1)
    }

    /// The role, for messages.
    pub(super) fn label(&self) -> String {
        self.role.label()
    }

    /// What its process held of its own when it last told, in KiB; none where it has ended.
    pub(super) fn memory_kib(&self) -> Option<u64> {
        self.process.as_ref().map(WorkerProcess::memory_kib)
    }

    /// Whether the process in which the role is open still runs.
    pub(super) fn is_alive(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.is_dead())
    }

    /// Calls a method of the role, in a new process if the last one has died.
    pub(super) fn call(&mut self, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<CallEnd> {
        let process = self.process()?;
        let result = process.call(method, payload, sink);
        Ok(match result {
            // A role that has panicked, or whose own process has ended, is not used again, although the worker still runs.
            Err(error) if matches!(error.code, ErrorCode::Panic | ErrorCode::Crashed) || process.is_dead() => {
                self.process = None;
                CallEnd::Died(error)
            }
            result => CallEnd::Returned(result),
        })
    }

    /// Calls a method that takes nothing and streams nothing.
    pub(super) fn query(&mut self, method: &str) -> Result<Vec<u8>> {
        self.process()?.call(method, &wire::encode(&())?, &|_| Flow::Stop)
    }

    /// The process in which the role is open.
    fn process(&mut self) -> Result<&WorkerProcess> {
        if self.process.as_ref().is_none_or(WorkerProcess::is_dead) {
            self.process = None;
            let process = self.workers.get(&self.role, &self.host)?;
            (&process).call(OPEN, &wire::encode(&self.role)?, &|_| Flow::Stop)?;
            self.process = Some(process);
        }
        self.process.as_ref().ok_or_else(|| PluginError::new(ErrorCode::Crashed, "the worker has ended"))
    }
}

impl Drop for IsolatedRole {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.workers.give_back(&self.role, process);
        }
    }
}

/// The calls of a role of which a death is no more than an error: another call gets a new process.
pub(super) struct IsolatedCalls(pub(super) Arc<Mutex<IsolatedRole>>);

impl Call for IsolatedCalls {
    fn call(&self, name: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Vec<u8>> {
        match self.0.lock().call(name, payload, sink)? {
            CallEnd::Returned(result) => result,
            CallEnd::Died(error) => Err(error),
        }
    }
}
