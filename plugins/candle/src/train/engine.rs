//! Who computes losses, gradients and steps.

mod composed;
mod fused;

pub(super) use composed::Composed;
pub(super) use fused::Fused;

use super::parameters::Layout;
use examiner_api::Result;
use examiner_lm::checkpoint::Gpt2Config;
use std::ops::Range;

/// Rows of a pass, one after the other, nothing padded. Positions start from 0 in each row, and no row sees another.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Batch {
    /// What the model reads.
    pub(super) tokens: Vec<u32>,
    /// Which tokens belong to each row.
    pub(super) spans: Vec<Range<usize>>,
    /// The indices in `tokens` of those that have a label, ascending.
    pub(super) label_indices: Vec<u32>,
    /// The tokens to be predicted after them.
    pub(super) labels: Vec<u32>,
}

impl Batch {
    /// Adds a row, of which the tokens from `first_label` on are learned.
    pub(super) fn push(&mut self, row: &[u32], first_label: usize) {
        let start = self.tokens.len();
        // The last token is a label alone: nothing would be learned from what follows it.
        let inputs = row.len() - 1;
        self.tokens.extend(&row[..inputs]);
        self.spans.push(start..start + inputs);
        self.label_indices.extend((first_label - 1..inputs).map(|index| (start + index) as u32));
        self.labels.extend(&row[first_label..]);
    }

    /// The position of each token in its row.
    pub(super) fn positions(&self) -> impl Iterator<Item = u32> + '_ {
        self.spans.iter().flat_map(|span| 0..span.len() as u32)
    }
}

/// How the optimizer moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
    pub(super) learning_rate: f64,
    pub(super) betas: [f64; 2],
    pub(super) epsilon: f64,
    pub(super) weight_decay: f64,
    /// Longest gradient; 0 for no limit.
    pub(super) clip: f64,
    /// From 1.
    pub(super) step: u64,
}

impl Update {
    /// What a gradient of this norm is multiplied by, as PyTorch's `clip_grad_norm_` does.
    fn gradient_scale(&self, norm: f64) -> f64 {
        if self.clip > 0.0 { (self.clip / (norm + 1e-6)).min(1.0) } else { 1.0 }
    }
}

/// All that changes with training, each in the order of [`Layout`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) weights: Vec<f32>,
    /// AdamW's mean of gradients.
    pub(super) first: Vec<f32>,
    /// AdamW's mean of squared gradients.
    pub(super) second: Vec<f32>,
}

impl State {
    /// The state before the first step.
    pub(super) fn new(weights: Vec<f32>) -> State {
        let zeros = vec![0.0; weights.len()];
        State { first: zeros.clone(), second: zeros, weights }
    }
}

/// A model that learns.
pub(super) trait Engine {
    /// Adds the gradient of `scale` times the summed loss of the batch, and gives the summed loss, in nats.
    fn accumulate(&mut self, batch: &Batch, scale: f32) -> Result<f64>;

    /// The summed loss of the batch alone.
    fn loss(&mut self, batch: &Batch) -> Result<f64>;

    /// Moves the weights, forgets the gradient, and gives its norm before clipping. A norm that is no number moves
    /// nothing.
    fn step(&mut self, update: &Update) -> Result<f64>;

    /// What there is to keep. Borrowed, so that a checkpoint of a large model takes no second copy of it.
    fn with_state(&self, keep: &mut dyn FnMut(&State) -> Result<()>) -> Result<()>;
}

/// What every engine is made of.
pub(super) struct Parts {
    pub(super) config: Gpt2Config,
    pub(super) layout: Layout,
    pub(super) state: State,
}

#[cfg(test)]
mod tests;
