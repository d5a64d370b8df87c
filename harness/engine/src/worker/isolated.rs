//! A role in a worker, and in another one when that has died.

use super::Workers;
use super::process::Worker;
use super::serve::OPEN;
use examiner_api::wire::{self, Call, RawSink};
use examiner_api::{Flow, Host, Metadata, PluginError, Result, RoleKind};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The role that a worker opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The plugin's file.
    pub library: PathBuf,
    /// The SHA-256 that it must have.
    pub sha256: String,
    /// The kind of role.
    pub kind: RoleKind,
    /// The role's name.
    pub name: String,
    /// Its options, in which references are filled in.
    pub options: Metadata,
}

impl Job {
    /// The role, for messages: `` model `candle` ``.
    fn said(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }
}

/// A role in a process of its own.
pub(super) struct Isolated {
    workers: Workers,
    job: Job,
    pub(super) host: Host,
    worker: Worker,
    /// Whether the process is to be left, though it runs: its role has panicked.
    spoilt: bool,
}

/// How a call ended.
pub(super) enum Ended {
    /// As calls do.
    Returned(Result<Vec<u8>>),
    /// With the process; the next call has a new one.
    Died(PluginError),
}

impl Isolated {
    /// Starts a worker, and opens the role there. A worker that dies of that gets no second try.
    pub(super) fn open(workers: &Workers, job: Job, host: Host) -> Result<Self> {
        let worker = open(workers, &job, &host)?;
        Ok(Isolated { workers: workers.clone(), job, host, worker, spoilt: false })
    }

    /// How many samples, or tries, in a row may end the process.
    pub(super) fn deaths(&self) -> u32 {
        self.workers.isolation.deaths.max(1)
    }

    /// What the worker is, for messages.
    pub(super) fn name(&self) -> String {
        self.job.said()
    }

    /// Calls a method of the role, in a new process where the last one has died.
    pub(super) fn call(&mut self, method: &str, payload: &[u8], sink: &RawSink<'_>) -> Result<Ended> {
        if self.spoilt || self.worker.is_dead() {
            self.worker = open(&self.workers, &self.job, &self.host)?;
            self.spoilt = false;
        }
        let result = (&self.worker).call(method, payload, sink);
        Ok(match result {
            Err(error) if self.worker.is_dead() => Ended::Died(error),
            // Its state is not to be trusted any more.
            Err(error) if error.code == examiner_api::ErrorCode::Panic => {
                self.spoilt = true;
                Ended::Died(error)
            }
            result => Ended::Returned(result),
        })
    }

    /// What a method says that streams nothing.
    pub(super) fn ask(&self, method: &str) -> Result<Vec<u8>> {
        (&self.worker).call(method, &wire::encode(&())?, &|_| Flow::Stop)
    }
}

fn open(workers: &Workers, job: &Job, host: &Host) -> Result<Worker> {
    let worker = Worker::start(workers, &job.said(), host)?;
    (&worker).call(OPEN, &wire::encode(job)?, &|_| Flow::Stop)?;
    Ok(worker)
}
