//! Matrices of GGUF files, which may stay in their blocks.
//!
//! On the CPU, matrices stay in their blocks in memory, and what is computed is what their numbers in 32 bits give. Elsewhere, and where
//! the option `dtype` asks for another number type, weights are dequantized when they are loaded: such a model takes the memory of that
//! type.

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Tensor};
use examiner_gguf::{NumberType, Stored};
use examiner_kernels::{BlockFormat, Blocks};

/// A matrix as it comes from its file.
#[derive(Debug)]
pub(crate) enum Matrix {
    /// Numbers, rounded to the type that was asked for.
    Plain(Tensor),
    /// Quantized ones, as they are.
    Blocks(BlockMatrix),
}

impl Matrix {
    /// The matrix of a file: in its blocks, if that is what it is stored in, or else rounded to `dtype`.
    pub(crate) fn of(stored: Stored, dtype: DType) -> candle_core::Result<Self> {
        match BlockMatrix::new(stored, dtype) {
            Ok(blocks) => Ok(Matrix::Blocks(blocks)),
            Err(stored) => stored.dequantize()?.to_dtype(dtype).map(Matrix::Plain),
        }
    }

    /// Its numbers.
    pub(crate) fn numbers(&self) -> candle_core::Result<Tensor> {
        match self {
            Matrix::Plain(tensor) => Ok(tensor.clone()),
            Matrix::Blocks(blocks) => blocks.dequantize(),
        }
    }
}

/// A matrix whose rows are blocks, as it is in its file.
#[derive(Debug)]
pub(crate) struct BlockMatrix {
    number_type: NumberType,
    format: BlockFormat,
    bytes: Vec<u8>,
    /// `[rows, columns]`: of a linear layer, outputs and inputs.
    shape: [usize; 2],
    /// What its numbers are rounded to where they do not stay in blocks.
    dtype: DType,
}

impl BlockMatrix {
    /// The matrix of whole blocks, if that is what they are.
    fn new(stored: Stored, dtype: DType) -> Result<Self, Stored> {
        match (format(stored.number_type), stored.shape.as_slice()) {
            (Some(format), &[rows, columns]) => {
                let Stored { number_type, bytes, .. } = stored;
                Ok(BlockMatrix { number_type, format, bytes, shape: [rows, columns], dtype })
            }
            _ => Err(stored),
        }
    }

    pub(crate) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The matrix for the CPU's own kernels.
    pub(crate) fn blocks(&self) -> Blocks<'_> {
        Blocks { format: self.format, bytes: &self.bytes, outputs: self.shape[0] }
    }

    pub(crate) fn dequantize(&self) -> candle_core::Result<Tensor> {
        self.number_type.dequantize(&self.bytes, &self.shape)?.to_dtype(self.dtype)
    }

    /// The same with the rows in another order: `of` says which row comes at a place.
    pub(crate) fn with_rows(&self, of: impl Fn(usize) -> usize) -> Self {
        let row = self.bytes.len() / self.shape[0].max(1);
        let bytes = (0..self.shape[0]).flat_map(|place| &self.bytes[of(place) * row..][..row]).copied().collect();
        BlockMatrix { bytes, ..*self }
    }
}

/// What its blocks are for the CPU's own kernels; none for plain numbers.
fn format(number_type: NumberType) -> Option<BlockFormat> {
    Some(match number_type {
        NumberType::Candle(GgmlDType::Q4_0) => BlockFormat::Q4_0,
        NumberType::Candle(GgmlDType::Q4_1) => BlockFormat::Q4_1,
        NumberType::Candle(GgmlDType::Q5_0) => BlockFormat::Q5_0,
        NumberType::Candle(GgmlDType::Q5_1) => BlockFormat::Q5_1,
        NumberType::Candle(GgmlDType::Q8_0) => BlockFormat::Q8_0,
        NumberType::Candle(GgmlDType::Q2K) => BlockFormat::Q2K,
        NumberType::Candle(GgmlDType::Q3K) => BlockFormat::Q3K,
        NumberType::Candle(GgmlDType::Q4K) => BlockFormat::Q4K,
        NumberType::Candle(GgmlDType::Q5K) => BlockFormat::Q5K,
        NumberType::Candle(GgmlDType::Q6K) => BlockFormat::Q6K,
        NumberType::Candle(_) => return None,
        NumberType::Iq4Nl => BlockFormat::Iq4Nl,
        NumberType::Iq4Xs => BlockFormat::Iq4Xs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_gguf::Gguf;
    use examiner_kernels::Linear;
    use examiner_test_support::ground_truth;

    #[test]
    fn numbers_that_stay_in_blocks_are_those_of_the_reference() {
        let path = ground_truth::quantized();
        let gguf = Gguf::open(&path.display().to_string(), &FakeHost::new().host()).unwrap();
        let names: Vec<String> = gguf.names().into_iter().filter(|name| !name.ends_with(".expected")).collect();
        let mut plain = Vec::new();
        for name in names {
            let Matrix::Blocks(matrix) = Matrix::of(gguf.read(&name).unwrap(), DType::F32).unwrap() else {
                plain.push(name);
                continue;
            };
            let layer = Linear::pack_blocks(&[matrix.blocks()], matrix.shape()[1], None);
            let expected =
                gguf.read(&format!("{name}.expected")).unwrap().dequantize().unwrap().to_vec2::<f32>().unwrap();
            assert_eq!((expected.len(), layer.outputs()), (2, 2));
            for (output, expected) in expected.iter().enumerate() {
                let mut found = vec![f32::NAN; layer.inputs()];
                layer.weights_of(output, &mut found);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(expected), "{name}, row {output}");
            }
        }
        assert_eq!(plain, ["BF16", "F16", "F32"]);
    }
}
