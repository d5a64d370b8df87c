//! Which files hold the weights: `model.safetensors`, or the shards that `model.safetensors.index.json` names.

use super::{Checkpoint, read_json};
use examiner_api::{PluginError, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The files with the weights of a checkpoint.
#[derive(Debug, Clone)]
pub struct WeightFiles {
    /// The file that lists the tensors: the weights themselves, or the index of their shards.
    pub path: PathBuf,
    /// The files, in the order of their names.
    pub shards: Vec<Shard>,
}

/// A file of weights.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Its path.
    pub path: PathBuf,
    /// The tensors that the index finds in it; none where there is no index, which any tensor fits.
    pub tensors: Option<BTreeSet<String>>,
}

impl Shard {
    /// Refuses a file that holds other tensors than the index finds in it.
    ///
    /// # Errors
    /// `BadInput` names the first tensor that is missing, or too many.
    pub fn check(&self, found: &BTreeSet<String>, index: &Path) -> Result<()> {
        let Some(expected) = &self.tensors else { return Ok(()) };
        let (path, index) = (self.path.display(), index.display());
        let what = if let Some(name) = expected.difference(found).next() {
            format!("`{path}` has no tensor `{name}`, which `{index}` finds in it")
        } else if let Some(name) = found.difference(expected).next() {
            format!("`{path}` has a tensor `{name}`, which `{index}` does not find in it")
        } else {
            return Ok(());
        };
        Err(PluginError::bad_input(what).with_help("all shards and their index must come from the same checkpoint"))
    }
}

impl WeightFiles {
    /// Weights in one file.
    pub fn whole(path: PathBuf) -> Self {
        WeightFiles { path: path.clone(), shards: vec![Shard { path, tensors: None }] }
    }

    /// All files that the weights depend on.
    pub fn paths(&self) -> Vec<&Path> {
        let shards = self.shards.iter().map(|shard| shard.path.as_path()).filter(|path| *path != self.path);
        std::iter::once(self.path.as_path()).chain(shards).collect()
    }
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Finds the safetensors files: the whole where there is one, else the shards.
    ///
    /// # Errors
    /// `NotFound` if there is neither, or a shard is missing; `BadInput` for an index that is none.
    pub fn weights(&self) -> Result<WeightFiles> {
        if let Some(whole) = self.fetch_optional(WHOLE)? {
            return Ok(WeightFiles::whole(whole));
        }
        let Some(path) = self.fetch_optional(INDEX)? else {
            let message = format!("no `{WHOLE}` and no `{INDEX}` in the checkpoint `{}`", self.source());
            return Err(PluginError::new(examiner_api::ErrorCode::NotFound, message)
                .with_help("weights in another format must be saved as safetensors first"));
        };
        let index = Index::deserialize(read_json(&path)?).map_err(|error| {
            PluginError::bad_input(format!("`{}` has no `weight_map` from tensors to files", path.display()))
                .with_cause(&error)
        })?;
        let mut shards: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (tensor, file) in index.weight_map {
            if file.contains(['/', '\\']) || !file.ends_with(".safetensors") {
                return Err(PluginError::bad_input(format!(
                    "`{}` finds `{tensor}` in `{file}`; expected a safetensors file beside it",
                    path.display()
                )));
            }
            shards.entry(file).or_default().insert(tensor);
        }
        let shard = |(file, tensors): (String, BTreeSet<String>)| {
            Ok(Shard { path: self.fetch(&file)?, tensors: Some(tensors) })
        };
        Ok(WeightFiles { shards: shards.into_iter().map(shard).collect::<Result<_>>()?, path })
    }
}
