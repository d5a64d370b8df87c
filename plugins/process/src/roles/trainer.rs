//! A trainer.

use super::{ask, stream};
use crate::Options;
use crate::connection::Connection;
use crate::handshake::open;
use examiner_api::wire::method;
use examiner_api::{Host, Open, Result, RoleKind, Sink, TrainEvent, TrainJob, TrainReport, Trainer};

/// A trainer that is a program.
pub struct ProcessTrainer {
    connection: Connection,
}

impl Open for ProcessTrainer {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        Ok(ProcessTrainer { connection: open(RoleKind::Trainer, &options, &host)?.connection })
    }
}

impl Trainer for ProcessTrainer {
    fn check(&mut self, from: Option<&str>) -> Result<()> {
        ask(&mut self.connection, method::CHECK, &from)
    }

    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport> {
        stream(&mut self.connection, method::TRAIN, &job, sink)
    }
}
