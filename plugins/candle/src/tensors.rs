//! The tensors of a checkpoint's files, checked one by one against what a model expects.

mod gguf;
mod safetensors;

pub(crate) use gguf::Gguf;

use self::safetensors::Safetensors;
use candle_core::{DType, Tensor};
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::WeightFiles;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Files that hold tensors.
trait Source {
    /// The names of all tensors.
    fn names(&self) -> BTreeSet<String>;
    /// The file in which a tensor lies.
    fn file(&self, name: &str) -> &Path;
    /// The shape of a tensor, and its number type if that is none that weights may have.
    fn look(&self, name: &str) -> candle_core::Result<(Vec<usize>, Option<String>)>;
    /// Reads a tensor into main memory.
    fn load(&mut self, name: &str, dtype: DType) -> candle_core::Result<Tensor>;
    /// Whether two tensors hold the same bytes.
    fn same(&self, a: &str, b: &str) -> bool;
}

/// Files of weights of which every tensor must be asked for.
pub(crate) struct Tensors {
    /// The file that says which tensors there are.
    path: PathBuf,
    source: Box<dyn Source>,
    left: BTreeSet<String>,
    dtype: DType,
}

impl Tensors {
    /// Maps a safetensors file. Its tensors will be rounded to `dtype`.
    ///
    /// # Errors
    /// `BadInput` for a file that is cut off or no safetensors file at all.
    pub(crate) fn open(path: &Path, dtype: DType) -> Result<Self> {
        Self::open_files(&WeightFiles::whole(path.to_owned()), dtype)
    }

    /// Maps safetensors files.
    ///
    /// # Errors
    /// `BadInput` if one of them is cut off or no safetensors file at all, or holds other tensors than the index says.
    pub(crate) fn open_files(files: &WeightFiles, dtype: DType) -> Result<Self> {
        Ok(Self::of(Box::new(Safetensors::open(files)?), files.path.clone(), dtype))
    }

    /// The tensors of a GGUF file, which will be dequantized.
    pub(crate) fn quantized(gguf: Gguf, dtype: DType) -> Self {
        let path = gguf.path().to_owned();
        Self::of(Box::new(gguf), path, dtype)
    }

    fn of(source: Box<dyn Source>, path: PathBuf, dtype: DType) -> Self {
        let left = source.names();
        Tensors { path, source, left, dtype }
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
        self.source.same(a, b)
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// `BadInput` if it is not there, has another shape, or is not of floating-point numbers.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        if !self.left.remove(name) {
            return Err(PluginError::bad_input(format!("`{}` has no tensor `{name}` {shape:?}", self.path.display()))
                .with_help("configuration and weights must come from the same model"));
        }
        let (found, odd) = self.source.look(name).map_err(|error| self.damaged(name, &error))?;
        let file = self.source.file(name).display();
        if found != shape {
            return Err(PluginError::bad_input(format!(
                "tensor `{name}` of `{file}` has the shape {found:?}; `config.json` asks for {shape:?}"
            )));
        }
        if let Some(odd) = odd {
            return Err(PluginError::bad_input(format!(
                "tensor `{name}` of `{file}` has the number type {odd}; expected F32, F16 or BF16"
            )));
        }
        self.source.load(name, self.dtype).map_err(|error| self.damaged(name, &error))
    }

    /// Refuses files with tensors that were not asked for, other than those that `known` passes.
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
        let file = self.source.file(name).display();
        PluginError::bad_input(format!("cannot read tensor `{name}` of `{file}`")).with_cause(error)
    }
}
