//! The tensors of a GGUF file.

use super::Source;
use crate::gguf::Matrix;
use candle_core::{DType, Tensor};
use examiner_gguf::Gguf;
use std::collections::BTreeSet;
use std::path::Path;

impl Source for Gguf {
    fn names(&self) -> BTreeSet<String> {
        self.weights()
    }

    fn file(&self, name: &str) -> &Path {
        self.file_of(name)
    }

    fn look(&self, name: &str) -> candle_core::Result<(Vec<usize>, Option<String>)> {
        let missing = || candle_core::Error::CannotFindTensor { path: name.to_owned() };
        Ok((self.shape(name).ok_or_else(missing)?.to_vec(), None))
    }

    fn load(&mut self, name: &str, dtype: DType) -> candle_core::Result<Tensor> {
        self.read(name)?.dequantize()?.to_dtype(dtype)
    }

    fn load_matrix(&mut self, name: &str, dtype: DType) -> candle_core::Result<Matrix> {
        Matrix::of(self.read(name)?, dtype)
    }

    fn has_blocks(&self) -> bool {
        Gguf::has_blocks(self)
    }

    fn same(&self, _: &str, _: &str) -> bool {
        false
    }
}
