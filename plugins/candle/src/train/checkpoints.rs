//! Checkpoints on the disk: Hugging Face directories, with what an interrupted training needs to go on beside the weights.
//!
//! A directory is written under another name, synced and renamed: one that bears its name is complete.

use super::engine::State;
use super::parameters::Layout;
use super::start::full_name;
use examiner_api::{PluginError, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const PROGRESS: &str = "trainer_state.json";

/// How far a training has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Of options, rows, start and seed: a checkpoint of something else is not gone on from.
    pub(super) identity: String,
    /// Steps done.
    pub(super) step: u64,
    pub(super) best: Option<Best>,
    /// Validations since the best.
    pub(super) without_best: u64,
    /// Loss of the last step.
    pub(super) loss: Option<f64>,
    /// Tokens that the model has read.
    pub(super) tokens: u64,
    pub(super) seconds: f64,
}

/// The lowest validation loss so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    pub(super) step: u64,
    pub(super) validation_loss: f64,
}

/// The checkpoints of one training.
pub(super) struct Checkpoints {
    directory: PathBuf,
    /// Files that every checkpoint holds as they are.
    files: Vec<(String, Vec<u8>)>,
}

impl Checkpoints {
    pub(super) fn new(directory: PathBuf, files: Vec<(String, Vec<u8>)>) -> Self {
        Checkpoints { directory, files }
    }

    /// The directory of the checkpoint of a step.
    pub(super) fn path(&self, step: u64) -> PathBuf {
        self.directory.join(format!("step-{step:06}"))
    }

    /// Writes a checkpoint. Afterwards it is there, whatever happens.
    pub(super) fn write(&self, layout: &Layout, state: &State, progress: &Progress) -> Result<()> {
        let path = self.path(progress.step);
        let part = self.directory.join(format!(".step-{:06}.part", progress.step));
        for old in [&part, &path] {
            remove(old)?;
        }
        std::fs::create_dir_all(&part).map_err(|error| PluginError::io("make", &part, &error))?;
        for (name, bytes) in &self.files {
            put(&part.join(name), bytes)?;
        }
        tensors(&part.join(WEIGHTS), layout, &[("", &state.weights)])?;
        tensors(&part.join(OPTIMIZER), layout, &[("first.", &state.first), ("second.", &state.second)])?;
        let text = serde_json::to_string_pretty(progress);
        let text = text.map_err(|error| PluginError::bad_input("cannot write the progress").with_cause(&error))?;
        put(&part.join(PROGRESS), text.as_bytes())?;
        sync(&part)?;
        std::fs::rename(&part, &path).map_err(|error| PluginError::io("rename", &part, &error))?;
        sync(&self.directory)
    }

    /// The last checkpoint that training can go on from, if it is of the same training.
    pub(super) fn last(&self, layout: &Layout, identity: &str) -> Result<Option<(Progress, State)>> {
        for step in self.steps()?.into_iter().rev() {
            let path = self.path(step);
            let Some(progress) = progress_of(&path) else { continue };
            if progress.identity == identity
                && path.join(OPTIMIZER).exists()
                && let Some(state) = read(&path, layout)
            {
                return Ok(Some((progress, state)));
            }
        }
        Ok(None)
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> Result<bool> {
        Ok(self.steps()?.is_empty())
    }

    /// Where they are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Renames the directory to the first free name with `.earlier-1` and so on behind it.
    pub(super) fn set_aside(&self) -> Result<PathBuf> {
        let mut number = 1;
        loop {
            let kept = self.directory.with_extension(format!("earlier-{number}"));
            if !kept.exists() {
                std::fs::rename(&self.directory, &kept)
                    .map_err(|error| PluginError::io("rename", &self.directory, &error))?;
                return Ok(kept);
            }
            number += 1;
        }
    }

    /// Removes all of them.
    pub(super) fn clear(&self) -> Result<()> {
        remove(&self.directory)
    }

    /// Removes all but the last `count` and the best; of the best, what only the last needs.
    pub(super) fn prune(&self, count: usize, best: Option<u64>) -> Result<()> {
        let steps = self.steps()?;
        for &step in &steps[..steps.len().saturating_sub(count)] {
            match Some(step) == best {
                true => remove(&self.path(step).join(OPTIMIZER))?,
                false => remove(&self.path(step))?,
            }
        }
        Ok(())
    }

    /// Removes what only an unfinished training needs.
    pub(super) fn finish(&self) -> Result<()> {
        self.steps()?.into_iter().try_for_each(|step| remove(&self.path(step).join(OPTIMIZER)))
    }

    /// The steps of which there are complete checkpoints, ascending. Incomplete ones are removed.
    fn steps(&self) -> Result<Vec<u64>> {
        let failed = |error: std::io::Error| PluginError::io("read", &self.directory, &error);
        let mut steps = Vec::new();
        if !self.directory.is_dir() {
            return Ok(steps);
        }
        for entry in std::fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(".step-") {
                remove(&path)?;
            }
            steps.extend(name.strip_prefix("step-").and_then(|step| step.parse::<u64>().ok()));
        }
        steps.sort_unstable();
        Ok(steps)
    }
}

fn progress_of(path: &Path) -> Option<Progress> {
    serde_json::from_slice(&std::fs::read(path.join(PROGRESS)).ok()?).ok()
}

fn read(path: &Path, layout: &Layout) -> Option<State> {
    Some(State {
        weights: values(&path.join(WEIGHTS), layout, "")?,
        first: values(&path.join(OPTIMIZER), layout, "first.")?,
        second: values(&path.join(OPTIMIZER), layout, "second.")?,
    })
}

fn values(path: &Path, layout: &Layout, prefix: &str) -> Option<Vec<f32>> {
    let bytes = std::fs::read(path).ok()?;
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let mut values = vec![0.0f32; layout.size()];
    for parameter in &layout.parameters {
        let tensor = file.tensor(&format!("{prefix}{}", full_name("transformer.", &parameter.name))).ok()?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != parameter.shape {
            return None;
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        let part = &mut values[parameter.range.clone()];
        part.iter_mut().zip(numbers).for_each(|(value, bytes)| *value = f32::from_le_bytes(*bytes));
    }
    Some(values)
}

/// Writes arrays of the layout to one file, the names of each with its prefix.
fn tensors(path: &Path, layout: &Layout, arrays: &[(&str, &[f32])]) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| {
        PluginError::new(examiner_api::ErrorCode::Io, format!("cannot write `{}`", path.display())).with_cause(&error)
    };
    let mut views = Vec::new();
    for (prefix, values) in arrays {
        for parameter in &layout.parameters {
            let bytes: &[u8] = bytemuck::cast_slice(&values[parameter.range.clone()]);
            let view = TensorView::new(Dtype::F32, parameter.shape.clone(), bytes).map_err(failed)?;
            views.push((format!("{prefix}{}", full_name("transformer.", &parameter.name)), view));
        }
    }
    // Hugging Face's library refuses files without this entry.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(views, Some(about), path).map_err(failed)?;
    sync(path)
}

/// Writes a file that is on the disk afterwards.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| PluginError::io("write", path, &error))?;
    sync(path)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| PluginError::io("sync", path, &error))
}

/// Writes a file under another name, and renames it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    put(&part, bytes)?;
    std::fs::rename(&part, path).map_err(|error| PluginError::io("rename", &part, &error))?;
    path.parent().map_or(Ok(()), sync)
}

/// Removes a file or a directory, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = match path.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(PluginError::io("remove", path, &error)),
        _ => Ok(()),
    }
}
