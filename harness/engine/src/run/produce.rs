//! Runs the stages with a product: teach, train, export.

use super::Run;
use crate::plan::{Action, Obstacle, ProducerStage};
use crate::stages::{self, Outputs, StageProduct};
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_store::provenance::{StageRecord, Status, identity};
use std::time::Instant;

impl Run {
    /// Does what was decided for a stage, and offers its product to later ones.
    pub(super) fn produce(&mut self, stage: ProducerStage) {
        let ProducerStage { producer, action, inputs, before } = stage;
        let name = producer.to_string();
        self.begin_stage(&name, &action);
        if let (Action::Reuse, Some(before)) = (&action, before) {
            // The planner has offered its product. What it opened to decide is not needed any more.
            self.shared.take_back();
            return self.note(name, before);
        }
        let began = Instant::now();
        let record = StageRecord { identity: identity(&inputs), inputs, ..StageRecord::default() };
        let made: Result<StageProduct> = match action {
            Action::Blocked(Obstacle::Error(error) | Obstacle::Storage(error)) => Err(error),
            Action::Blocked(Obstacle::Stage(stage)) => {
                Err(PluginError::not_found(format!("stage `{stage}` has to run first, and did not")))
            }
            Action::Reuse | Action::Resume(_) | Action::Run(_) => {
                // Should this try be killed, the next one knows what it was about.
                self.note(name.clone(), record.clone());
                if self.storage.is_some() {
                    return;
                }
                let outputs = Outputs { run: &self.directory.path, events: &self.events };
                stages::produce(&self.shared, &producer, &outputs, self.limit)
            }
        };
        let record = StageRecord { seconds: began.elapsed().as_secs_f64(), ..record };
        let record = match made {
            Ok(StageProduct { product, details }) => {
                self.shared.roles.offer(producer.kind, &producer.name, product.clone());
                StageRecord { status: Status::Complete, product: Some(product), details, ..record }
            }
            Err(error) if error.code == ErrorCode::Cancelled => {
                StageRecord { status: Status::Interrupted, message: Some(error.to_string()), ..record }
            }
            Err(error) => {
                self.failures.push(format!("{name}: {error}"));
                StageRecord { status: Status::Failed, message: Some(error.to_string()), ..record }
            }
        };
        self.note(name, record);
    }
}
