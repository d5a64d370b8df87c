//! `run.json`: what ran, from what, on what, and how it ended. A later run reads it to see what has changed.

use crate::product::{self, Damage, ProductFiles};
use examiner_api::{ModelInfo, PluginError, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The state of a run or a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Still running, or killed.
    #[default]
    Running,
    /// Finished without a failure.
    Complete,
    /// Finished, but some samples are errors.
    Partial,
    /// Failed; the reason is in the message.
    Failed,
    /// The user stopped it.
    Interrupted,
}

impl Status {
    /// What a list says of it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Running => "going on, or killed",
            Status::Complete => "complete",
            Status::Partial => "partial",
            Status::Failed => "failed",
            Status::Interrupted => "interrupted",
        }
    }
}

/// Everything that the result of a stage depends on, by name.
pub type Inputs = BTreeMap<String, String>;

/// The content of `run.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The suite's name.
    pub suite: String,
    /// The run's name.
    pub run: String,
    /// Its state.
    pub status: Status,
    /// Version of the program.
    pub program: String,
    /// Version of the plugin interface.
    pub api: String,
    /// The machine.
    pub host: BTreeMap<String, String>,
    /// What was asked for on the command line.
    pub request: Request,
    /// The directory in which relative paths of the suite begin; empty for the working directory. Its `suite.yaml` in the
    /// run's directory is read as if it lay there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub suite_directory: String,
    /// Key of all random numbers.
    pub seed: u64,
    /// When it began, in UTC.
    pub started: String,
    /// When it ended, in UTC.
    pub finished: Option<String>,
    /// How long it took, in seconds, over all resumptions.
    pub seconds: f64,
    /// The plugins that were at hand: name to file, version and SHA-256.
    pub plugins: BTreeMap<String, PluginFile>,
    /// What the models said of themselves.
    pub models: BTreeMap<String, ModelInfo>,
    /// The repositories of the hub that files were read of, by address (`hf://datasets/org/name`), and their commits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hub: BTreeMap<String, String>,
    /// The stages, by name.
    pub stages: BTreeMap<String, StageRecord>,
}

/// What of the command line decides what is run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// BLAKE3 of what the suite says, as JSON.
    pub suite: String,
    /// `--set`, as typed.
    pub set: Vec<String>,
    /// `--limit`.
    pub limit: Option<u64>,
    /// `--only`.
    pub only: Vec<String>,
}

/// A plugin that was available.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginFile {
    /// The file.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Its SHA-256.
    pub sha256: String,
}

/// The state of a stage, and what it depends on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StageRecord {
    /// Its state.
    pub status: Status,
    /// Hash of `inputs`.
    pub identity: String,
    /// What it depends on.
    pub inputs: Inputs,
    /// The dataset's version of the prompt, where the stage is an examination.
    pub version: String,
    /// Its product, for `${...}`: a path that is relative to the run's directory if it is in it.
    pub product: Option<String>,
    /// The files of its product, as they were when it ended.
    #[serde(skip_serializing_if = "ProductFiles::is_empty")]
    pub files: ProductFiles,
    /// Facts about its product: rows, steps, losses. Of an examination, what the model says of its work: tokens that were computed.
    #[serde(skip_serializing_if = "examiner_api::Metadata::is_empty")]
    pub details: examiner_api::Metadata,
    /// Why it failed, or the first of its errors.
    pub message: Option<String>,
    /// What users should know when they read its results, a sentence each. They are shown below the results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Questions that are finished.
    pub questions: u64,
    /// Questions without an answer.
    pub errors: u64,
    /// Questions whose record was in the journal already.
    pub reused: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl StageRecord {
    /// Where its product is, if it has one. `run` is the run's directory.
    pub fn product_path(&self, run: &Path) -> Option<PathBuf> {
        self.product.as_ref().map(|product| run.join(product))
    }

    /// Looks whether the product is what it was, and notes the times that its files have now. Without a product, nothing is
    /// missing.
    ///
    /// # Errors
    /// What is not there or has another content.
    pub fn check_product(&mut self, run: &Path) -> Result<(), Damage> {
        if let Some(path) = self.product_path(run) {
            self.files = product::check(&path, &self.files)?;
        }
        Ok(())
    }

    /// Whether `other` has the same results from the same inputs, apart from the time it took and the number of reused records.
    pub fn is_the_work_of(&self, other: &Self) -> bool {
        *self == StageRecord { reused: self.reused, seconds: self.seconds, ..other.clone() }
    }
}

/// The runs in a directory, in no order; links to runs are left out.
///
/// # Errors
/// The directory cannot be read.
pub fn runs(outputs: &Path) -> std::io::Result<impl Iterator<Item = (PathBuf, Provenance)>> {
    let paths = std::fs::read_dir(outputs)?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| !path.is_symlink()).filter_map(|path| {
        let run = Provenance::read(&path)?;
        Some((path, run))
    }))
}

impl Provenance {
    /// Reads the `run.json` of a run; none if there is none that can be read.
    pub fn read(directory: &Path) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(directory.join("run.json")).ok()?).ok()
    }

    /// Writes `run.json`, as a whole or not at all.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join("run.json");
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| PluginError::bad_input("cannot write `run.json`").with_cause(&error))?;
        crate::atomic::write(&path, |file| file.write_all(text.as_bytes()))
            .map_err(|error| crate::storage::failure("write", &path, &error))
    }

    /// Whether it is the same as `other`, apart from when it was written.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let at_that_time =
            |this: &Self| Provenance { finished: other.finished.clone(), seconds: other.seconds, ..this.clone() };
        at_that_time(self) == *other
    }
}

/// The hash of a stage's inputs.
pub fn identity(inputs: &Inputs) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, value) in inputs {
        hasher.update(format!("{}\0{name}\0{}\0{value}\0", name.len(), value.len()).as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// The machine, as far as it matters to results.
pub fn host() -> BTreeMap<String, String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut host = BTreeMap::from([
        ("os".to_owned(), std::env::consts::OS.to_owned()),
        ("arch".to_owned(), std::env::consts::ARCH.to_owned()),
        ("cores".to_owned(), cores.to_string()),
    ]);
    if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        host.insert("name".to_owned(), name.trim().to_owned());
    }
    host
}
