//! What all groups of comparisons share: the program, the reference data, and rows in pairs.

use crate::program::files::write;
use crate::program::software_gpu::Environment;
use crate::program::{self, DeviceArguments};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What all groups share.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) program: PathBuf,
    /// The directory of suites and results.
    pub(super) work: PathBuf,
    pub(super) shared: PathBuf,
    pub(super) device: DeviceArguments,
    pub(super) python: Option<PathBuf>,
    /// What the program's environment has besides this program's own.
    pub(super) environment: Environment,
}

impl Setup {
    /// A path in the directory of reference data.
    pub(super) fn shared(&self, path: &str) -> PathBuf {
        self.shared.join(path)
    }

    /// Runs a suite.
    pub(super) fn examine(&self, suite: &Value) -> Result<program::Results> {
        let environment: Vec<_> = self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        program::examine_with(&self.program, &self.work, suite, &environment)
    }

    /// The tiny GPT-2 that all recorded numbers are of, on the CPU.
    pub(super) fn tiny_gpt2(&self) -> Value {
        json!({ "plugin": "candle", "checkpoint": self.shared("models/tiny-gpt2"), "device": "cpu" })
    }

    /// Largest difference of a log-likelihood, in nats: CUDA sums in another order, with less precision.
    pub(super) fn tolerance(&self) -> f64 {
        if matches!(&*self.device.device, "cpu" | "webgpu" | "openvino") { 1e-3 } else { 1e-2 }
    }
}

/// Writes rows that a suite reads.
pub(super) fn write_rows(path: &Path, rows: impl IntoIterator<Item = Value>) -> Result<()> {
    let text: String = rows.into_iter().map(|row| format!("{row}\n")).collect();
    write(path, text)
}

/// The rows of two lists in pairs; they must have the same length.
pub(super) fn pairs<'a, A, B>(ours: &'a [A], theirs: &'a [B]) -> Result<impl Iterator<Item = (&'a A, &'a B)>> {
    let (found, expected) = (ours.len(), theirs.len());
    ensure!(found == expected, "expected {expected} samples, one for each recorded row, found {found}");
    Ok(ours.iter().zip(theirs))
}
