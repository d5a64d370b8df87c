//! The roles of the stages that train and export.

use crate::{Metadata, Result, Sink};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A row to learn from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainingRow {
    /// Unique within the file.
    pub id: String,
    /// What is given.
    pub prompt: String,
    /// What is learned, with its delimiter.
    pub completion: String,
    /// Anything else that the row carries (task, teacher, reasoning).
    #[serde(flatten)]
    pub metadata: Metadata,
}

/// Teaches a model.
pub trait Trainer: Send {
    /// Whether it can train from there, as far as can be told without weights: of what family the checkpoint is, say. `from` is that of
    /// [`TrainJob`]. Users are told before anything is run; nothing is written.
    fn check(&mut self, from: Option<&str>) -> Result<()> {
        let _ = from;
        Ok(())
    }

    /// Trains from `job.from` on `job.rows` and leaves a checkpoint directory. With checkpoints of an interrupted run in
    /// `job.out`, goes on from the last one that [`TrainJob::recorded`] allows.
    ///
    /// The program writes `train.csv` and TensorBoard's event files from the events; a trainer writes its checkpoints alone.
    /// Before it writes one, it calls [`crate::Host::flush`], so that no event before that step can be lost.
    fn train(&mut self, job: TrainJob, sink: &dyn Sink<TrainEvent>) -> Result<TrainReport>;
}

/// What a [`Trainer`] is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainJob {
    /// The checkpoint to start from: a directory or `hf://org/name`, of which [`crate::Host::fetch`] gets each file; none to
    /// start from scratch.
    pub from: Option<String>,
    /// A file of [`TrainingRow`]s, JSON lines.
    pub rows: PathBuf,
    /// Where checkpoints go.
    pub out: PathBuf,
    /// The last step of which an earlier attempt's event is recorded. From a later checkpoint a training cannot go on without a
    /// gap in its curves. None where nobody records events.
    #[serde(default)]
    pub recorded: Option<u64>,
    /// Key of all random numbers.
    pub seed: u64,
}

/// A step of training, as it happens. An event holds all that is known of its step: a later one of the same step, or of an
/// earlier one, takes the place of what was recorded of this step and of those after it. One without any value is shown as
/// progress, and not recorded.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainEvent {
    /// Steps done.
    pub step: u64,
    /// Steps to do.
    pub steps: u64,
    /// On the first event of a training that goes on from a checkpoint: the checkpoint's step. What was recorded of later
    /// steps is dropped. Where no event says so, a first event of step 0 or 1 begins a new record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_after: Option<u64>,
    /// Mean loss of the step, in nats per token.
    pub loss: Option<f64>,
    /// Mean loss of the validation rows, in nats per token.
    pub validation_loss: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: Option<f64>,
    /// Tokens a second.
    pub tokens_per_s: Option<f64>,
}

/// The result of a [`TrainJob`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainReport {
    /// The checkpoint directory that later stages use.
    pub checkpoint: PathBuf,
    /// Steps done.
    pub steps: u64,
    /// Anything else worth reporting.
    pub details: Metadata,
}

/// Turns a checkpoint directory into another format.
pub trait Exporter: Send {
    /// Whether it can export the checkpoint, as far as can be told without weights. Users are told before anything is run; nothing is
    /// written.
    fn check(&mut self, from: &str) -> Result<()> {
        let _ = from;
        Ok(())
    }

    /// Exports and says what was written.
    fn export(&mut self, job: ExportJob) -> Result<ExportReport>;
}

/// What an [`Exporter`] is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExportJob {
    /// The checkpoint: a directory or `hf://org/name`, of which [`crate::Host::fetch`] gets each file.
    pub from: String,
    /// Where the export goes.
    pub out: PathBuf,
}

/// The result of an [`ExportJob`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportReport {
    /// What later stages use.
    pub checkpoint: PathBuf,
    /// Anything else worth reporting.
    pub details: Metadata,
}
