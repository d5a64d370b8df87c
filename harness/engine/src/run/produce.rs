//! Runs the stages with a product: teach, train, export.

use super::Run;
use crate::plan::{Action, Obstacle, ProducerStage, Reason};
use crate::stages::{self, Outputs, StageProduct};
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_store::product::{self, ProductFiles};
use examiner_store::provenance::{StageRecord, Status, identity};
use examiner_suite::StageKind;
use std::path::Path;
use std::time::Instant;

impl Run {
    /// Does what was decided for a stage, and offers its product to later ones.
    pub(super) fn produce(&mut self, stage: ProducerStage) {
        let ProducerStage { producer, action, inputs, before } = stage;
        let name = producer.to_string();
        self.begin_stage(&name, &action);
        let before = match (&action, before) {
            (Action::Reuse, Some(before)) => {
                // The planner has offered its product. What it opened to decide is not needed any more.
                self.shared.take_back();
                return self.note(name, before);
            }
            (_, before) => before,
        };
        let began = Instant::now();
        let record = StageRecord { identity: identity(&inputs), inputs, ..StageRecord::default() };
        let made: Result<(StageProduct, ProductFiles)> = match action {
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
                let is_damaged = matches!(action, Action::Run(Reason::ProductMissing(_) | Reason::ProductChanged(_)));
                // Rows that a recipe finds changed are set aside by the file of rows itself.
                if let Some(before) = before.filter(|_| is_damaged && producer.kind != StageKind::Teach) {
                    self.set_aside(&name, &before);
                }
                let outputs = Outputs { run: &self.directory.path, events: &self.events };
                stages::produce(&self.shared, &producer, &outputs, self.limit).and_then(with_files)
            }
        };
        let record = StageRecord { seconds: began.elapsed().as_secs_f64(), ..record };
        let record = match made {
            Ok((StageProduct { product, details }, files)) => {
                let stored = product::stored(&self.directory.path, Path::new(&product));
                self.shared.roles.offer(producer.kind, &producer.name, product);
                StageRecord { status: Status::Complete, product: Some(stored), files, details, ..record }
            }
            Err(error) if error.code == ErrorCode::Cancelled => {
                StageRecord { status: Status::Interrupted, message: Some(error.to_string()), ..record }
            }
            Err(error) => {
                self.failures.push(format!("{name}: {error}"));
                StageRecord { status: Status::Failed, message: Some(error.to_string()), ..record }
            }
        };
        let is_made = record.product.is_some();
        self.note(name, record);
        if is_made && let Err(error) = self.mark_latest() {
            self.stop(error);
        }
    }

    /// Makes room for a product that is damaged. What is left of it is kept, under another name.
    fn set_aside(&self, stage: &str, before: &StageRecord) {
        let Some(path) = before.product_path(&self.directory.path) else { return };
        let message = match product::set_aside(&path) {
            Ok(None) => return,
            Ok(Some(kept)) => format!("{stage}: what is left of `{}` is now `{}`", path.display(), kept.display()),
            // Whatever cannot be renamed is for the stage to cope with.
            Err(error) => format!("{stage}: cannot rename `{}`, which is damaged: {error}", path.display()),
        };
        self.log.warn(message.clone());
        self.shared.progress.print(&message);
    }
}

/// A product with its files, by which a later run knows it.
fn with_files(made: StageProduct) -> Result<(StageProduct, ProductFiles)> {
    let path = Path::new(&made.product);
    let files = product::files(path).map_err(|error| PluginError::io("read the product", path, &error))?;
    Ok((made, files))
}
