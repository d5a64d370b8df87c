//! What a forward pass needs of the machine it runs on. A model family is written once, over this trait.

mod cpu;
mod ops;

pub(crate) use cpu::Cpu;
pub(crate) use ops::Ops;

use crate::cache::{CacheShape, Chain};
use crate::kernels::Order;
use candle_core::Tensor;
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::Activation;
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
    pub(crate) shape: CacheShape,
    /// Scores are multiplied by it before the softmax.
    pub(crate) scale: f32,
}

/// Arithmetic on packed rows: the tokens of all sequences of a pass, one after the other, nothing padded.
pub(crate) trait Backend: Send {
    /// Activations, `[rows, width]`, in `f32`.
    type Array;
    /// The weights of a linear layer.
    type Linear: Send;
    /// The weights of a layer norm.
    type Norm: Send;
    /// An embedding.
    type Table: Send;
    /// Keys and values of a stretch of positions, for all layers.
    type Block: Send + Sync;

    /// Makes a linear layer of tensors in main memory.
    fn load_linear(&self, weight: &Tensor, order: Order, bias: Option<&Tensor>) -> Result<Self::Linear>;
    /// Makes a layer norm.
    fn load_norm(&self, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Self::Norm>;
    /// Makes an embedding of `[entries, width]`.
    fn load_table(&self, weight: &Tensor) -> Result<Self::Table>;
    /// The embedding that shares its weights with an output head.
    fn tied_table(&self, head: &Self::Linear) -> Result<Self::Table>;
    /// Room for the keys and values of `capacity` positions.
    fn new_block(&self, shape: CacheShape, capacity: usize) -> Result<Self::Block>;
    /// Bytes that a cached value takes.
    fn cache_value_bytes(&self) -> usize;

    /// The entries at `ids`.
    fn look_up(&self, table: &Self::Table, ids: &[u32]) -> Result<Self::Array>;
    /// `a + b`.
    fn add(&self, a: Self::Array, b: Self::Array) -> Result<Self::Array>;
    /// Layer norm of each row.
    fn norm(&self, norm: &Self::Norm, x: &Self::Array) -> Result<Self::Array>;
    /// A linear layer.
    fn linear(&self, layer: &Self::Linear, x: &Self::Array) -> Result<Self::Array>;
    /// An activation function.
    fn activate(&self, activation: Activation, x: Self::Array) -> Result<Self::Array>;
    /// Adds the keys and values in `qkv`, rows of `[queries, keys, values]`, to the caches, where there is room for
    /// them already, and attends to each row's own sequence up to its own position.
    fn attend(
        &self,
        attention: Attention,
        qkv: Self::Array,
        spans: &[Span],
        caches: &mut [Chain<Self::Block>],
    ) -> Result<Self::Array>;
    /// The given rows, in the given order.
    fn select(&self, x: &Self::Array, rows: &[u32]) -> Result<Self::Array>;
    /// The values, row by row.
    fn read(&self, x: Self::Array) -> Result<Vec<f32>>;
}

/// An error of candle while doing something.
pub(crate) fn candle_error(doing: &'static str) -> impl Fn(candle_core::Error) -> PluginError {
    move |error| {
        PluginError::new(examiner_api::ErrorCode::Other, format!("candle failed to {doing}")).with_cause(&error)
    }
}
