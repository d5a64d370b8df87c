//! The tensors of a checkpoint's files, checked one by one against what a model expects.

mod gguf;
mod safetensors;

use self::safetensors::Safetensors;
use crate::gguf::Matrix;
use candle_core::{DType, Tensor};
use examiner_api::{PluginError, Result};
use examiner_gguf::Gguf;
use examiner_lm::checkpoint::{UnusedTensors, WeightFiles, check_tensor};
use std::collections::BTreeSet;
use std::path::Path;

/// Files that hold tensors.
trait Source: Send {
    /// The names of all tensors.
    fn names(&self) -> BTreeSet<String>;
    /// The file of a tensor.
    fn file(&self, name: &str) -> &Path;
    /// The shape of a tensor, and its number type if that is none that weights may have.
    fn look(&self, name: &str) -> candle_core::Result<(Vec<usize>, Option<String>)>;
    /// Reads a tensor into main memory.
    fn load(&mut self, name: &str, dtype: DType) -> candle_core::Result<Tensor>;
    /// Reads a matrix, which may stay quantized.
    fn load_matrix(&mut self, name: &str, dtype: DType) -> candle_core::Result<Matrix> {
        self.load(name, dtype).map(Matrix::Plain)
    }
    /// Whether any matrix may stay quantized.
    fn has_blocks(&self) -> bool {
        false
    }
    /// Whether two tensors hold the same bytes.
    fn same(&self, a: &str, b: &str) -> bool;
}

/// Files of weights of which every tensor must be asked for.
pub(crate) struct Tensors {
    source: Box<dyn Source>,
    unused: UnusedTensors,
    dtype: DType,
}

impl Tensors {
    /// Maps safetensors files. Their tensors will be rounded to `dtype`.
    ///
    /// # Errors
    /// `BadInput` if one of them is cut off or no safetensors file at all, or holds other tensors than the index lists.
    pub(crate) fn open(files: &WeightFiles, dtype: DType) -> Result<Self> {
        Ok(Self::of(Box::new(Safetensors::open(files)?), &files.path, dtype))
    }

    /// The tensors of a GGUF file. What is not taken as a matrix will be dequantized.
    pub(crate) fn quantized(gguf: Gguf, dtype: DType) -> Self {
        let path = gguf.path().to_owned();
        Self::of(Box::new(gguf), &path, dtype)
    }

    fn of(source: Box<dyn Source>, path: &Path, dtype: DType) -> Self {
        let unused = UnusedTensors::new(path.to_owned(), source.names());
        Tensors { source, unused, dtype }
    }

    /// Whether any matrix may stay quantized.
    pub(crate) fn has_blocks(&self) -> bool {
        self.source.has_blocks()
    }

    /// Whether any tensor's name begins so.
    pub(crate) fn has_prefix(&self, prefix: &str) -> bool {
        self.unused.has_prefix(prefix)
    }

    /// Whether there is such a tensor that was not asked for yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.unused.has(name)
    }

    /// Refuses an output head that should be the embedding and is not.
    pub(crate) fn check_tied(&self, head: &str, embedding: &str) -> Result<()> {
        self.unused.check_tied(head, embedding, |a, b| self.source.same(a, b))
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// `BadInput` if it does not exist, has another shape, or is not of floating-point numbers.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.check(name, shape)?;
        self.source.load(name, self.dtype).map_err(|error| self.damaged(name, &error))
    }

    /// Reads a matrix, which may stay quantized.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn take_matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        self.check(name, &shape)?;
        self.source.load_matrix(name, self.dtype).map_err(|error| self.damaged(name, &error))
    }

    fn check(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        self.unused.take(name, shape)?;
        let (found, other_type) = self.source.look(name).map_err(|error| self.damaged(name, &error))?;
        check_tensor(name, self.source.file(name), shape, &found, other_type.as_deref())
    }

    /// Refuses files with tensors that were not asked for, other than those that `known` accepts.
    pub(crate) fn finish(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        self.unused.finish(known)
    }

    fn damaged(&self, name: &str, error: &candle_core::Error) -> PluginError {
        let file = self.source.file(name).display();
        PluginError::bad_input(format!("cannot read tensor `{name}` of `{file}`")).with_cause(error)
    }
}
