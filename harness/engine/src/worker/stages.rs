//! Trainers, recipes and exporters in workers. All leave files, and trainers and recipes go on from their own: when a worker dies,
//! a new one gets the same job.

use super::isolated::{CallEnd, IsolatedRole};
use examiner_api::wire::{decode, encode, if_known, method};
use examiner_api::{
    ErrorCode, ExportJob, ExportReport, Exporter, Flow, PluginError, Recipe, RecipeEvent, RecipeInfo, RecipeJob,
    RecipeReport, Result, Sink, TrainEvent, TrainJob, TrainReport, Trainer,
};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicU64, Ordering};

/// Asks a role whether it could start.
fn check(role: &mut IsolatedRole, from: &[u8]) -> Result<()> {
    match role.call(method::CHECK, from, &|_| Flow::Stop)? {
        CallEnd::Returned(answer) => if_known(method::CHECK, answer.and_then(|answer| decode(&answer))),
        CallEnd::Died(error) => Err(error),
    }
}

/// A trainer in a process of its own.
pub(super) struct IsolatedTrainer(pub(super) IsolatedRole);

impl Trainer for IsolatedTrainer {
    fn check(&mut self, from: Option<&str>) -> Result<()> {
        check(&mut self.0, &encode(&from)?)
    }

    fn train(&mut self, mut job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        let last = AtomicU64::new(job.recorded.unwrap_or(0));
        let receive = |event: TrainEvent| {
            last.store(event.step, Ordering::SeqCst);
            (event.step, sink.send(event))
        };
        carry_out(&mut self.0, method::TRAIN, &receive, || {
            // A new process continues where the events of the last one ended.
            job.recorded = job.recorded.map(|_| last.load(Ordering::SeqCst));
            encode(&job)
        })
    }
}

/// A recipe in a process of its own. What it has asked stands in the program's journal, where a new process finds it.
pub(super) struct IsolatedRecipe(pub(super) Mutex<IsolatedRole>);

impl Recipe for IsolatedRecipe {
    fn info(&self) -> Result<RecipeInfo> {
        decode(&self.0.lock().query(method::INFO)?)
    }

    fn make(&mut self, job: RecipeJob, sink: &dyn Sink<RecipeEvent>) -> Result<RecipeReport> {
        let receive = |event: RecipeEvent| (event.done, sink.send(event));
        carry_out(self.0.get_mut(), method::MAKE, &receive, || encode(&job))
    }
}

/// An exporter in a process of its own.
pub(super) struct IsolatedExporter(pub(super) IsolatedRole);

impl Exporter for IsolatedExporter {
    fn check(&mut self, from: &str) -> Result<()> {
        check(&mut self.0, &encode(from)?)
    }

    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        // An exporter sends no events: each attempt begins anew.
        carry_out(&mut self.0, method::EXPORT, &|()| (0, Flow::Stop), || encode(&job))
    }
}

/// Asks a role to do a job, and a new process of it once more when one has died. `receive` passes an event on, and says how far the
/// job has come; `job` is what the next process is asked.
fn carry_out<E: DeserializeOwned, R: DeserializeOwned>(
    role: &mut IsolatedRole,
    method: &str,
    receive: &(dyn Fn(E) -> (u64, Flow) + Sync),
    mut job: impl FnMut() -> Result<Vec<u8>>,
) -> Result<R> {
    let furthest = AtomicU64::new(0);
    let failure: Mutex<Option<PluginError>> = Mutex::new(None);
    let receive = |event: &[u8]| match decode::<E>(event) {
        Ok(event) => {
            let (reached, flow) = receive(event);
            furthest.fetch_max(reached, Ordering::SeqCst);
            flow
        }
        Err(error) => {
            failure.lock().get_or_insert(error);
            Flow::Stop
        }
    };
    let mut attempts = Attempts::new(role);
    loop {
        let before = furthest.load(Ordering::SeqCst);
        let end = role.call(method, &job()?, &receive)?;
        if let Some(error) = failure.lock().take() {
            return Err(error);
        }
        match end {
            CallEnd::Returned(report) => return decode(&report?),
            CallEnd::Died(error) => attempts.after_death(role, error, furthest.load(Ordering::SeqCst) > before)?,
        }
    }
}

/// How often a job that ends its process without progress is tried.
struct Attempts {
    left: u32,
}

impl Attempts {
    fn new(role: &IsolatedRole) -> Self {
        Attempts { left: role.deaths_max() }
    }

    /// Allows another attempt after the last one ended with `error`, or returns the error.
    fn after_death(&mut self, role: &IsolatedRole, error: PluginError, made_progress: bool) -> Result<()> {
        // A panic and a timeout would only happen again.
        if error.code == ErrorCode::Panic || error.code == ErrorCode::Timeout || role.host.is_cancelled() {
            return Err(error);
        }
        self.left = if made_progress { role.deaths_max() } else { self.left } - 1;
        if self.left == 0 {
            return Err(error);
        }
        role.host.warn(format!("{error}; continuing in a new process"));
        Ok(())
    }
}
