//! A dataset.

use super::{ask, stream};
use crate::Options;
use crate::connection::Connection;
use crate::handshake::open;
use examiner_api::wire::method;
use examiner_api::{Dataset, DatasetInfo, Host, Open, Result, RoleKind, Sample, Shot, Sink};

/// A dataset that is a program.
pub struct ProcessDataset {
    connection: Connection,
    info: DatasetInfo,
}

impl Open for ProcessDataset {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        let opened = open(RoleKind::Dataset, &options, &host)?;
        let mut info: DatasetInfo = opened.info()?;
        info.fingerprint = opened.identity.fingerprint(&info.fingerprint);
        Ok(ProcessDataset { connection: opened.connection, info })
    }
}

impl Dataset for ProcessDataset {
    fn info(&self) -> Result<DatasetInfo> {
        Ok(self.info.clone())
    }

    fn few_shot_pool(&mut self) -> Result<Vec<Shot>> {
        ask(&mut self.connection, method::FEW_SHOT_POOL, &())
    }

    fn samples(&mut self, sink: &dyn Sink<Sample>) -> Result<()> {
        stream(&mut self.connection, method::SAMPLES, &(), sink)
    }

    fn training_samples(&mut self, form: &str, sink: &dyn Sink<Sample>) -> Result<()> {
        stream(&mut self.connection, method::TRAINING_SAMPLES, form, sink)
    }
}
