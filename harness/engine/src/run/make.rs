//! The stages before the examination, one after the other; what an earlier try of the run made from the same inputs is
//! taken as it is.

use super::selection::selected;
use super::stages::{self, Made};
use super::{Run, order};
use crate::host::Shared;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_store::provenance::Inputs;
use examiner_store::provenance::{StageRecord, Status, identity};
use examiner_suite::StageKind;
use std::sync::Arc;
use std::time::Instant;

/// What a stage that makes something depends on. Fails while something that it refers to has not been made.
pub fn maker_inputs(shared: &Arc<Shared>, kind: StageKind, name: &str, limit: Option<u64>) -> Result<Inputs> {
    let suite = &shared.roles.suite;
    let inputs = match kind {
        StageKind::Teach => suite.teach.get(name).map(|spec| stages::teach_inputs(shared, spec, limit)),
        StageKind::Train => suite.train.get(name).map(|spec| stages::train_inputs(shared, spec, limit)),
        StageKind::Export => suite.export.get(name).map(|spec| stages::export_inputs(shared, spec)),
    };
    inputs.unwrap_or_else(|| Err(undefined(kind, name)))
}

fn undefined(kind: StageKind, name: &str) -> PluginError {
    PluginError::not_found(format!("the suite has no stage `{kind}/{name}`"))
}

impl Run {
    /// Teaches, trains and exports, each after what it needs.
    pub(super) fn make_all(&mut self) {
        for (kind, name) in order::makers(&self.shared.roles.suite) {
            self.make(kind, &name);
        }
    }

    fn work(&self, kind: StageKind, name: &str, stage: &str) -> Result<Made> {
        let (shared, suite) = (&self.shared, &self.shared.roles.suite);
        let out = self.directory.path.join(kind.to_string()).join(name);
        let made = match kind {
            StageKind::Teach => suite.teach.get(name).map(|spec| stages::teach(shared, stage, spec, self.limit)),
            StageKind::Train => suite.train.get(name).map(|spec| {
                let place = stages::Place { out, events: self.events.join(name) };
                stages::train(shared, stage, spec, place, self.limit)
            }),
            StageKind::Export => suite.export.get(name).map(|spec| stages::export(shared, stage, spec, &out)),
        };
        made.unwrap_or_else(|| Err(undefined(kind, name)))
    }

    /// Makes a product, or takes the one that an earlier try of this run made from the same inputs.
    fn make(&mut self, kind: StageKind, name: &str) {
        let stage = format!("{kind}/{name}");
        let earlier = self.earlier.stages.get(&stage).cloned();
        if !selected(&self.only, &stage) {
            // A product that is there may be used by what is left in.
            if let Some(product) = earlier.as_ref().and_then(|earlier| earlier.product.clone()) {
                self.shared.roles.offer(kind, name, product);
            }
            return;
        }
        if self.is_over() {
            return;
        }
        let began = Instant::now();
        let mut record = StageRecord::default();
        let mut taken = None;
        let made = maker_inputs(&self.shared, kind, name, self.limit).and_then(|inputs| {
            record.identity = identity(&inputs);
            record.inputs = inputs;
            let reused = earlier.filter(|earlier| {
                kind != StageKind::Teach
                    && earlier.status == Status::Complete
                    && earlier.identity == record.identity
                    && earlier.product.as_ref().is_some_and(|product| std::path::Path::new(product).exists())
            });
            match reused.and_then(|earlier| Some((earlier.product?, earlier.details, earlier.seconds))) {
                Some((product, details, seconds)) => {
                    taken = Some(seconds);
                    Ok(Made { product, details })
                }
                None => self.work(kind, name, &stage),
            }
        });
        // What was made earlier took what it took then.
        record.seconds = taken.unwrap_or_else(|| began.elapsed().as_secs_f64());
        match made {
            Ok(Made { product, details }) => {
                self.shared.roles.offer(kind, name, product.clone());
                record.status = Status::Complete;
                record.product = Some(product);
                record.details = details;
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
