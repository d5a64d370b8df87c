//! What a forward pass needs of the machine it runs on. A model family is written once, over this trait.

mod buffers;
mod cpu;
mod ops;

pub(crate) use cpu::Cpu;
pub(crate) use ops::Ops;

use crate::cache::{CacheShape, Chain};
use crate::gguf::{BlockMatrix, Matrix};
use candle_core::Tensor;
use examiner_api::{PluginError, Result};
use examiner_families::Order;
use examiner_lm::checkpoint::Activation;
use std::borrow::Cow;
use std::ops::Range;

/// The rows of one sequence in a pass.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// Which rows of the activations.
    pub(crate) rows: Range<usize>,
    /// How many positions the sequence's cache held before the pass.
    pub(crate) past: usize,
}

/// One layer's attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention {
    pub(crate) layer: usize,
    /// Heads of queries: a multiple of the heads of keys and values.
    pub(crate) heads: usize,
    pub(crate) shape: CacheShape,
    /// Scores are multiplied by it before the softmax.
    pub(crate) scale: f32,
    /// A row sees so many positions at most, its own included.
    pub(crate) window: Option<usize>,
    /// Scores `s`, once scaled, become `cap · tanh(s / cap)`.
    pub(crate) softcap: Option<f32>,
}

impl Attention {
    /// Width of a row of `[queries, keys, values]`.
    pub(crate) fn row(&self) -> usize {
        (self.heads + 2 * self.shape.heads) * self.shape.width
    }
}

/// What becomes of a linear layer's output.
pub(crate) enum Then<A> {
    Nothing,
    Activate(Activation),
    /// It is added to an array of the same shape.
    Add(A),
}

/// Arithmetic on packed rows: the tokens of all sequences of a pass, one after the other, nothing padded.
pub(crate) trait Backend: Send {
    /// Activations, `[rows, width]`, in `f32`.
    type Array;
    /// The weights of a linear layer.
    type Linear: Send;
    /// The weights of a norm.
    type Norm: Send;
    /// An embedding.
    type Table: Send;
    /// Keys and values of a stretch of positions, for all layers.
    type Block: Send + Sync;

    /// Makes a linear layer of tensors in main memory.
    fn load_linear(&self, weight: &Tensor, order: Order, bias: Option<&Tensor>) -> Result<Self::Linear>;
    /// Makes a linear layer of quantized matrices of `[outputs, inputs]`, whose outputs are side by side.
    fn load_blocks(&self, pieces: &[&BlockMatrix], bias: Option<&Tensor>) -> Result<Self::Linear> {
        self.load_linear(&dequantized(pieces)?, Order::OutputsFirst, bias)
    }
    /// Makes a layer norm.
    fn load_norm(&self, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Self::Norm>;
    /// Makes a norm by the root of the mean square.
    fn load_rms_norm(&self, weight: &Tensor, epsilon: f64) -> Result<Self::Norm>;
    /// Makes an embedding of `[entries, width]`.
    fn load_table(&self, weight: &Tensor) -> Result<Self::Table>;
    /// Makes an embedding of a quantized matrix.
    fn load_table_of_blocks(&self, matrix: &BlockMatrix) -> Result<Self::Table> {
        self.load_table(&dequantized(&[matrix])?)
    }
    /// The embedding that shares its weights with an output head: `weight` as the head was made of it.
    fn tied_table(&self, head: &Self::Linear, weight: &Matrix) -> Result<Self::Table>;
    /// Room for the keys and values of `capacity` positions.
    fn new_block(&self, shape: CacheShape, capacity: usize) -> Result<Self::Block>;
    /// Bytes that a cached value takes.
    fn cache_value_bytes(&self) -> usize;

    /// The entries at `ids`.
    fn look_up(&self, table: &Self::Table, ids: &[u32]) -> Result<Self::Array>;
    /// `a + b`.
    fn add(&self, a: Self::Array, b: Self::Array) -> Result<Self::Array>;
    /// `x · factor`.
    fn scale(&self, x: Self::Array, factor: f32) -> Result<Self::Array>;
    /// The norm of each row.
    fn norm(&self, norm: &Self::Norm, x: &Self::Array) -> Result<Self::Array>;
    /// The norm of each stretch of the given columns that is as wide as the norm. The other columns stay. For a norm by
    /// the root of the mean square.
    fn norm_columns(&self, norm: &Self::Norm, x: Self::Array, columns: Range<usize>) -> Result<Self::Array>;
    /// A linear layer and what follows it.
    fn linear(&self, layer: &Self::Linear, x: &Self::Array, then: Then<Self::Array>) -> Result<Self::Array>;
    /// The activation of the first half of each row times its second half.
    fn gate(&self, activation: Activation, x: Self::Array) -> Result<Self::Array>;
    /// `cap · tanh(x / cap)`.
    fn softcap(&self, x: Self::Array, cap: f32) -> Result<Self::Array>;
    /// Rows of numbers in main memory, `[rows, width]`.
    fn write(&self, values: Vec<f32>, width: usize) -> Result<Self::Array>;
    /// Rotates the first `heads` heads of each row by its `angles`, `[rows, 2 · pairs]`: cosines, then sines. The value
    /// `i` of a head and the one `pairs` further on are a point that is turned by the `i`-th angle.
    fn rotate(&self, x: Self::Array, heads: usize, width: usize, angles: &Self::Array) -> Result<Self::Array>;
    /// Adds the keys and values in `qkv`, rows of `[queries, keys, values]`, to the caches, where there is room for
    /// them already, and attends to each row's own sequence up to its own position: for all rows, or for those in `only`,
    /// ascending.
    fn attend(
        &self,
        attention: Attention,
        qkv: Self::Array,
        spans: &[Span],
        caches: &mut [Chain<Self::Block>],
        only: Option<&[u32]>,
    ) -> Result<Self::Array>;
    /// The given rows, in the given order.
    fn select(&self, x: &Self::Array, rows: &[u32]) -> Result<Self::Array>;
    /// The values, row by row.
    fn read<'a>(&self, x: &'a Self::Array) -> Result<Cow<'a, [f32]>>;
}

/// The numbers of quantized matrices, one below the other.
fn dequantized(pieces: &[&BlockMatrix]) -> Result<Tensor> {
    let numbers = || {
        let pieces = pieces.iter().map(|piece| piece.dequantize()).collect::<candle_core::Result<Vec<_>>>()?;
        Tensor::cat(&pieces, 0)
    };
    numbers().map_err(candle_error("dequantize a matrix"))
}

/// An error of candle while doing something.
pub(crate) fn candle_error(doing: &'static str) -> impl Fn(candle_core::Error) -> PluginError {
    move |error| {
        PluginError::new(examiner_api::ErrorCode::Other, format!("candle failed to {doing}")).with_cause(&error)
    }
}
