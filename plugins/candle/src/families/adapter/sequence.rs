//! One sequence in a model of the crate.

use candle_core::{Result, Tensor};

/// A model of the crate and the cache of one sequence within it. All sequences share the weights.
pub(super) trait Sequence: Send {
    /// Computes tokens, `[1, count]`, at the positions after the `past` ones that it holds. What it gives is [`Gives`].
    fn run(&mut self, tokens: &Tensor, past: usize) -> Result<Tensor>;

    /// Another sequence that holds the same positions, if the crate's model can be copied.
    fn copy(&self) -> Option<Box<dyn Sequence>>;

    /// Forgets all positions. Whether the crate's model can do that.
    fn clear(&mut self) -> bool;
}

/// What a pass over tokens gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// The logits of the token that follows the last one.
    LastLogits,
    /// What the output head reads, for each token: `[1, count, width]`.
    States,
}

/// How many tokens a pass may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passes {
    /// Any number.
    Any,
    /// Any number at the beginning, then one.
    OneAfterFirst,
    /// One.
    One,
}

/// How a model of type `M` is run.
pub(super) type Run<M> = fn(&mut M, &Tensor, usize) -> Result<Tensor>;

/// A model that is run by a function.
pub(super) struct Model<M> {
    pub(super) model: M,
    pub(super) run: Run<M>,
    pub(super) copy: Option<fn(&M) -> M>,
    pub(super) clear: Option<fn(&mut M)>,
}

impl<M: Send + 'static> Sequence for Model<M> {
    fn run(&mut self, tokens: &Tensor, past: usize) -> Result<Tensor> {
        (self.run)(&mut self.model, tokens, past)
    }

    fn copy(&self) -> Option<Box<dyn Sequence>> {
        let Model { run, copy, clear, .. } = *self;
        let model = copy?(&self.model);
        Some(Box::new(Model { model, run, copy, clear }))
    }

    fn clear(&mut self) -> bool {
        let Some(clear) = self.clear else { return false };
        clear(&mut self.model);
        true
    }
}
