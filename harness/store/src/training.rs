//! `train.csv`: one line for each step of a training.

use examiner_api::TrainEvent;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The first line.
pub const HEADER: &str = "step,loss,validation_loss,learning_rate,gradient_norm,tokens_per_s\n";

/// A line. Where nothing was measured the field is empty.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct TrainRow {
    /// Steps done.
    pub step: u64,
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

impl TrainRow {
    /// What is recorded of an event.
    pub fn of(event: &TrainEvent) -> Self {
        TrainRow {
            step: event.step,
            loss: event.loss,
            validation_loss: event.validation_loss,
            learning_rate: event.learning_rate,
            gradient_norm: event.gradient_norm,
            tokens_per_s: event.tokens_per_s,
        }
    }

    /// The values with their columns.
    pub fn values(&self) -> [(&'static str, Option<f64>); 5] {
        [
            ("loss", self.loss),
            ("validation_loss", self.validation_loss),
            ("learning_rate", self.learning_rate),
            ("gradient_norm", self.gradient_norm),
            ("tokens_per_s", self.tokens_per_s),
        ]
    }

    /// The line, with its line break. Numbers come back from it as they were.
    pub fn line(&self) -> String {
        let values = self.values().map(|(_, value)| value.map_or_else(String::new, |value| value.to_string()));
        format!("{},{}\n", self.step, values.join(","))
    }
}

/// The directory of a training in that of its run.
pub fn directory(run: &Path, name: &str) -> PathBuf {
    run.join("train").join(name)
}

/// `train.csv` in the directory of a training.
pub fn csv_path(training: &Path) -> PathBuf {
    training.join("train.csv")
}

/// Reads `train.csv`.
///
/// # Errors
/// It cannot be read, or a line of it.
pub fn read(path: &Path) -> csv::Result<Vec<TrainRow>> {
    csv::Reader::from_path(path)?.deserialize().collect()
}
