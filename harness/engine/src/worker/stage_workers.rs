//! Trainers and exporters in workers. Both leave files, and a trainer goes on from its own: when a worker dies, another
//! one is given the same job.

use super::isolated::{Ended, Isolated};
use examiner_api::wire::{decode, encode, method};
use examiner_api::{
    ErrorCode, ExportJob, ExportReport, Exporter, Flow, PluginError, Result, Sink, TrainEvent, TrainJob, TrainReport,
    Trainer,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// A trainer in a process of its own.
pub(super) struct IsolatedTrainer(pub(super) Isolated);

impl Trainer for IsolatedTrainer {
    fn train(&mut self, mut job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        let (furthest, last) = (AtomicU64::new(0), AtomicU64::new(job.recorded.unwrap_or(0)));
        let take = |event: &[u8]| match decode::<TrainEvent>(event) {
            Ok(event) => {
                furthest.fetch_max(event.step, Ordering::SeqCst);
                last.store(event.step, Ordering::SeqCst);
                sink.send(event)
            }
            Err(_) => Flow::Stop,
        };
        let mut tries = Tries::new(&self.0);
        loop {
            let before = furthest.load(Ordering::SeqCst);
            // Another process may go on from where the events of the last one ended.
            job.recorded = job.recorded.map(|_| last.load(Ordering::SeqCst));
            match self.0.call(method::TRAIN, &encode(&job)?, &take)? {
                Ended::Returned(report) => return decode(&report?),
                Ended::Died(error) => tries.again(&self.0, error, furthest.load(Ordering::SeqCst) > before)?,
            }
        }
    }
}

/// An exporter in a process of its own.
pub(super) struct IsolatedExporter(pub(super) Isolated);

impl Exporter for IsolatedExporter {
    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        let job = encode(&job)?;
        let mut tries = Tries::new(&self.0);
        loop {
            match self.0.call(method::EXPORT, &job, &|_| Flow::Stop)? {
                Ended::Returned(report) => return decode(&report?),
                Ended::Died(error) => tries.again(&self.0, error, false)?,
            }
        }
    }
}

/// How often a job is tried that ends its process without getting further.
struct Tries {
    left: u32,
}

impl Tries {
    fn new(role: &Isolated) -> Self {
        Tries { left: role.deaths() }
    }

    /// Whether there is another try, after this end of the last one.
    fn again(&mut self, role: &Isolated, error: PluginError, got_further: bool) -> Result<()> {
        // A panic, and silence, come again for the same reason.
        if error.code == ErrorCode::Panic || error.code == ErrorCode::Timeout || role.host.is_cancelled() {
            return Err(error);
        }
        self.left = if got_further { role.deaths() } else { self.left } - 1;
        if self.left == 0 {
            return Err(error);
        }
        role.host.warn(format!("{error}; going on in another process"));
        Ok(())
    }
}
