//! Tensors of 32-bit floats as a safetensors file.

use anyhow::Result;
use safetensors::tensor::{Dtype, TensorView};

/// A tensor with its name and shape.
pub(super) struct Tensor {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    pub(super) fn new(name: String, shape: Vec<usize>, values: impl Iterator<Item = f32>) -> Self {
        Tensor { name, shape, bytes: values.flat_map(f32::to_le_bytes).collect() }
    }

    /// The number of its values.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The content of a safetensors file.
pub(super) fn serialize(tensors: &[Tensor]) -> Result<Vec<u8>> {
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes)?;
        Ok((tensor.name.as_str(), view))
    });
    Ok(safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None)?)
}
