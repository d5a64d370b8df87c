//! The tensors of a safetensors file, checked one by one against what a model expects.

use candle_core::safetensors::{Load, MmapedSafetensors};
use candle_core::{DType, Device, Tensor};
use examiner_api::{PluginError, Result};
use safetensors::Dtype;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A memory-mapped safetensors file of which every tensor must be asked for.
pub(crate) struct Tensors {
    path: PathBuf,
    file: MmapedSafetensors,
    left: BTreeSet<String>,
    dtype: DType,
}

impl Tensors {
    /// Maps a file. Its tensors will be rounded to `dtype`.
    ///
    /// # Errors
    /// `BadInput` for a file that is cut off or no safetensors file at all.
    pub(crate) fn open(path: &Path, dtype: DType) -> Result<Self> {
        // SAFETY: like every program that maps its weights, we rely on nobody changing the file while it is read. All
        // of it is copied before `open` of the model returns.
        let file = unsafe { MmapedSafetensors::new(path) }.map_err(|error| {
            PluginError::bad_input(format!("`{}` is not a complete safetensors file", path.display()))
                .with_cause(&error)
                .with_help("it may have been cut off while it was downloaded or copied: fetch it again")
        })?;
        let left = file.tensors().into_iter().map(|(name, _)| name).collect();
        Ok(Tensors { path: path.to_owned(), file, left, dtype })
    }

    /// Whether any tensor's name begins so.
    pub(crate) fn has_prefix(&self, prefix: &str) -> bool {
        self.left.iter().any(|name| name.starts_with(prefix))
    }

    /// Whether a tensor is there that was not asked for yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains(name)
    }

    /// Whether two tensors hold the same bytes.
    pub(crate) fn same(&self, a: &str, b: &str) -> bool {
        match (self.file.get(a), self.file.get(b)) {
            (Ok(a), Ok(b)) => a.dtype() == b.dtype() && a.shape() == b.shape() && a.data() == b.data(),
            _ => false,
        }
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// `BadInput` if it is not there, has another shape, or is not of floating-point numbers.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        if !self.left.remove(name) {
            return Err(PluginError::bad_input(format!("`{}` has no tensor `{name}` {shape:?}", self.path.display()))
                .with_help("`config.json` and `model.safetensors` must come from the same model"));
        }
        let view = self.file.get(name).map_err(|error| self.damaged(name, &error))?;
        if view.shape() != shape {
            return Err(PluginError::bad_input(format!(
                "tensor `{name}` of `{}` has the shape {:?}; `config.json` asks for {shape:?}",
                self.path.display(),
                view.shape()
            )));
        }
        if !matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(PluginError::bad_input(format!(
                "tensor `{name}` of `{}` has the number type {:?}; expected F32, F16 or BF16",
                self.path.display(),
                view.dtype()
            )));
        }
        let load = || view.load(&Device::Cpu)?.to_dtype(self.dtype);
        load().map_err(|error| self.damaged(name, &error))
    }

    /// Refuses a file with tensors that were not asked for, other than those that `known` passes.
    pub(crate) fn finish(self, known: impl Fn(&str) -> bool) -> Result<()> {
        let extra: Vec<&str> = self.left.iter().map(String::as_str).filter(|name| !known(name)).collect();
        let Some(first) = extra.first() else { return Ok(()) };
        Err(PluginError::bad_input(format!(
            "`{}` has {} tensor{} that the model does not use, first `{first}`",
            self.path.display(),
            extra.len(),
            if extra.len() == 1 { "" } else { "s" }
        ))
        .with_help("`config.json` may be of another model, or name too few layers"))
    }

    fn damaged(&self, name: &str, error: &candle_core::Error) -> PluginError {
        PluginError::bad_input(format!("cannot read tensor `{name}` of `{}`", self.path.display())).with_cause(error)
    }
}
