//! Checkpoints of random weights, to measure with: what a model computes does not depend on whether it was trained.

pub(crate) mod gpt2;
pub(crate) mod llama;
pub(crate) mod shapes;
mod tensors;
pub(crate) mod tokenizers;
