//! The stages before the examination, one after the other; what an earlier try of the run made from the same inputs is
//! taken as it is.

use super::evaluate::Inputs;
use super::provenance::{StageRecord, Status, identity};
use super::selection::selected;
use super::{Run, stages};
use crate::host::Shared;
use crate::suite::StageKind;
use examiner_api::{ErrorCode, PluginError, Result};
use std::time::Instant;

/// What a stage that makes something depends on. Fails while something that it refers to has not been made.
pub fn maker_inputs(shared: &Shared, kind: StageKind, name: &str) -> Result<Inputs> {
    let suite = &shared.roles.suite;
    let inputs = match kind {
        StageKind::Teach => suite.teach.get(name).map(|spec| stages::teach_inputs(shared, spec)),
        StageKind::Train => suite.train.get(name).map(|spec| stages::train_inputs(shared, spec)),
        StageKind::Export => suite.export.get(name).map(|spec| stages::export_inputs(shared, spec)),
    };
    inputs.unwrap_or_else(|| Err(PluginError::not_found(format!("the suite has no stage `{kind}/{name}`"))))
}

impl Run {
    pub(super) fn teach(&mut self) {
        let specs = self.shared.roles.suite.teach.clone();
        for (name, spec) in &specs {
            let shared = self.shared.clone();
            self.make(StageKind::Teach, name, |stage| stages::teach(&shared, stage, spec));
        }
    }

    pub(super) fn train(&mut self) {
        let specs = self.shared.roles.suite.train.clone();
        for (name, spec) in &specs {
            let (shared, out) = (self.shared.clone(), self.directory.path.join("train").join(name));
            self.make(StageKind::Train, name, |stage| stages::train(&shared, stage, spec, &out));
        }
    }

    pub(super) fn export(&mut self) {
        let specs = self.shared.roles.suite.export.clone();
        for (name, spec) in &specs {
            let (shared, out) = (self.shared.clone(), self.directory.path.join("export").join(name));
            self.make(StageKind::Export, name, |stage| stages::export(&shared, stage, spec, &out));
        }
    }

    /// Makes a product, or takes the one that an earlier try of this run made from the same inputs.
    fn make(&mut self, kind: StageKind, name: &str, work: impl FnOnce(&str) -> Result<String>) {
        let stage = format!("{kind}/{name}");
        let earlier = self.earlier.stages.get(&stage).cloned();
        if !selected(&self.only, &stage) {
            // A product that is there may be used by what is left in.
            if let Some(product) = earlier.as_ref().and_then(|earlier| earlier.product.clone()) {
                self.shared.roles.offer(kind, name, product);
            }
            return;
        }
        if self.shared.is_cancelled() {
            return;
        }
        let began = Instant::now();
        let mut record = StageRecord::default();
        let made = maker_inputs(&self.shared, kind, name).and_then(|inputs| {
            record.identity = identity(&inputs);
            record.inputs = inputs;
            let reused = earlier.filter(|earlier| {
                earlier.status == Status::Complete
                    && earlier.identity == record.identity
                    && earlier.product.as_ref().is_some_and(|product| std::path::Path::new(product).exists())
            });
            match reused.and_then(|earlier| earlier.product) {
                Some(product) => Ok(product),
                None => work(&stage),
            }
        });
        record.seconds = began.elapsed().as_secs_f64();
        match made {
            Ok(product) => {
                self.shared.roles.offer(kind, name, product.clone());
                record.status = Status::Complete;
                record.product = Some(product);
            }
            Err(error) => {
                record.status = if error.code == ErrorCode::Cancelled { Status::Interrupted } else { Status::Failed };
                record.message = Some(error.to_string());
                if record.status == Status::Failed {
                    self.failures.push(format!("{stage}: {error}"));
                }
            }
        }
        self.note(stage, record);
    }
}
