//! The tensors of a GGUF file.

use super::Source;
use crate::gguf::{Gguf, Matrix};
use candle_core::{DType, Tensor};
use std::collections::BTreeSet;
use std::path::Path;

/// Tensors that belong to the configuration, and are read with it: the factors of rotations.
const CONFIGURATION: [&str; 3] = ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"];

impl Source for Gguf {
    fn names(&self) -> BTreeSet<String> {
        let mut names = Gguf::names(self);
        names.retain(|name| !CONFIGURATION.contains(&name.as_str()));
        names
    }

    fn file(&self, name: &str) -> &Path {
        self.file_of(name)
    }

    fn look(&self, name: &str) -> candle_core::Result<(Vec<usize>, Option<String>)> {
        let missing = || candle_core::Error::CannotFindTensor { path: name.to_owned() };
        Ok((self.shape(name).ok_or_else(missing)?.to_vec(), None))
    }

    fn load(&mut self, name: &str, dtype: DType) -> candle_core::Result<Tensor> {
        Gguf::load(self, name, dtype)
    }

    fn load_matrix(&mut self, name: &str, dtype: DType) -> candle_core::Result<Matrix> {
        Gguf::load_matrix(self, name, dtype)
    }

    fn has_blocks(&self) -> bool {
        Gguf::has_blocks(self)
    }

    fn same(&self, _: &str, _: &str) -> bool {
        false
    }
}
