//! A thread in which a model's requests live, so that connections stay open between batches, and a receiver that takes its
//! time holds up no request.

use crate::batch::RequestJob;
use crate::dispatch::{Dispatcher, Event};
use examiner_api::{ErrorCode, PluginError, Result};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// The thread.
pub(crate) struct RequestThread {
    /// None when it is to end.
    batches: Option<UnboundedSender<JobBatch>>,
    thread: Option<JoinHandle<()>>,
}

struct JobBatch {
    jobs: Vec<RequestJob>,
    events: Sender<Event>,
    stop: Arc<AtomicBool>,
}

impl RequestThread {
    pub(crate) fn start(mut dispatcher: Dispatcher) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| PluginError::new(ErrorCode::Io, "cannot start what requests run on").with_cause(&error))?;
        let (batches, mut inbox) = unbounded_channel::<JobBatch>();
        let work = move || {
            runtime.block_on(async {
                while let Some(JobBatch { jobs, events, stop }) = inbox.recv().await {
                    dispatcher.run(jobs, &events, &stop).await;
                }
            });
        };
        let thread = std::thread::Builder::new().name("openai".to_owned()).spawn(work);
        let thread =
            thread.map_err(|error| PluginError::new(ErrorCode::Io, "cannot start a thread").with_cause(&error))?;
        Ok(RequestThread { batches: Some(batches), thread: Some(thread) })
    }

    /// Begins a batch. The receiver ends after [`Event::End`]; raising `stop` ends the batch early.
    pub(crate) fn begin(&self, jobs: Vec<RequestJob>, stop: Arc<AtomicBool>) -> Receiver<Event> {
        let (events, outbox) = channel();
        if let Some(batches) = &self.batches {
            // A thread that is gone shows as a receiver that ends at once.
            let _ = batches.send(JobBatch { jobs, events, stop });
        }
        outbox
    }
}

impl Drop for RequestThread {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
