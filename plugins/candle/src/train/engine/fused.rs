//! GPT-2 forward and backward on the CPU, written out: no graph is recorded, and buffers are used again.
//!
//! Gradients of weights are added where they belong by the matrix product itself. Logits exist for a few hundred rows at a
//! time, and only where something is to be learned; in the last layer, nothing after attention is computed elsewhere.

use super::{Batch, Engine, Parts, State, Update};
use crate::train::parameters::{Layout, Pair};
use examiner_api::Result;
use examiner_kernels::Isa;
use examiner_kernels::train::{
    AdamW, Gradient, Heads, Matrix, activate, activate_backward, adamw, add, add_column_sums, attend, attend_backward,
    cross_entropy, fill_rows, multiply, norm, norm_backward, sum_of_squares,
};
use examiner_lm::checkpoint::Gpt2Config;

/// Most logits that exist at the same time: 128 MiB.
const LOGITS: usize = 1 << 25;

/// A GPT-2 that learns on the CPU.
pub(crate) struct Fused {
    isa: Isa,
    config: Gpt2Config,
    layout: Layout,
    state: State,
    gradients: Vec<f32>,
    layers: Vec<Activations>,
    buffers: Buffers,
}

/// What a layer's backward pass needs from its forward pass. Rows are tokens; after attention, in the last layer, they are the
/// tokens that have a label.
#[derive(Default)]
struct Activations {
    input: Vec<f32>,
    moments_1: Vec<[f32; 2]>,
    normed_1: Vec<f32>,
    qkv: Vec<f32>,
    totals: Vec<f32>,
    attended: Vec<f32>,
    /// `input` and `attended` of the tokens that have a label, if those are not all.
    selected: Option<(Vec<f32>, Vec<f32>)>,
    middle: Vec<f32>,
    moments_2: Vec<[f32; 2]>,
    normed_2: Vec<f32>,
    hidden: Vec<f32>,
    activated: Vec<f32>,
}

/// What is needed in between.
#[derive(Default)]
struct Buffers {
    output: Vec<f32>,
    moments: Vec<[f32; 2]>,
    normed: Vec<f32>,
    logits: Vec<f32>,
    /// Gradient of the residual stream.
    residual: Vec<f32>,
    narrow: Vec<f32>,
    wide: Vec<f32>,
    qkv: Vec<f32>,
}

/// Sets the length; what was there is of no meaning.
fn room<T: Copy + Default>(values: &mut Vec<T>, length: usize) -> &mut [T] {
    values.resize(length, T::default());
    values
}

impl Fused {
    pub(crate) fn new(isa: Isa, parts: Parts) -> Fused {
        let Parts { config, layout, state } = parts;
        let gradients = vec![0.0; state.weights.len()];
        let layers = (0..config.n_layer).map(|_| Activations::default()).collect();
        Fused { isa, config, layout, state, gradients, layers, buffers: Buffers::default() }
    }

    fn heads(&self, layer: usize) -> Heads {
        let Gpt2Config { n_head, n_embd, .. } = self.config;
        Heads { heads: n_head, width: n_embd / n_head, scale: self.config.attention_scale(layer) }
    }

    /// Everything up to the last layer's output for tokens with a label, which is stored in `buffers.output`.
    fn forward(&mut self, batch: &Batch) {
        let Gpt2Config { n_embd: width, n_inner, activation, .. } = self.config;
        let epsilon = self.config.layer_norm_epsilon as f32;
        let (isa, layout, weights) = (self.isa, &self.layout, &self.state.weights);
        let tokens = batch.tokens.len();
        let norm_of = |pair: Pair, x: &[f32], y: &mut Vec<f32>, moments: &mut Vec<[f32; 2]>| {
            let (weight, bias) = (layout.of(weights, pair.weight), layout.of(weights, pair.bias));
            let moments = room(moments, x.len() / width);
            norm(isa, x, weight, bias, epsilon, room(y, x.len()), moments);
        };
        for index in 0..self.layers.len() {
            let heads = self.heads(index);
            let last = index + 1 == self.layers.len();
            let (layer, next) = self.layers[index..].split_at_mut(1);
            let layer = &mut layer[0];
            let parameters = &layout.layers[index];
            if index == 0 {
                embed(layout, weights, batch, width, room(&mut layer.input, tokens * width));
            }
            norm_of(parameters.norm_1, &layer.input, &mut layer.normed_1, &mut layer.moments_1);
            let qkv = room(&mut layer.qkv, 3 * tokens * width);
            linear(isa, layout, weights, parameters.attention_in, &layer.normed_1, qkv);
            let attended = room(&mut layer.attended, tokens * width);
            attend(isa, heads, &batch.spans, qkv, attended, room(&mut layer.totals, heads.heads * tokens));

            layer.selected = None;
            if last && batch.label_indices.len() < tokens {
                layer.selected = Some((
                    select(&layer.input, &batch.label_indices, width),
                    select(&layer.attended, &batch.label_indices, width),
                ));
            }
            let (input, attended) = match &layer.selected {
                Some((input, attended)) => (input, attended),
                None => (&layer.input, &layer.attended),
            };
            let rows = input.len() / width;
            let middle = room(&mut layer.middle, rows * width);
            linear_onto(isa, layout, weights, parameters.attention_out, attended, input, middle);
            norm_of(parameters.norm_2, &layer.middle, &mut layer.normed_2, &mut layer.moments_2);
            let hidden = room(&mut layer.hidden, rows * n_inner);
            linear(isa, layout, weights, parameters.mlp_in, &layer.normed_2, hidden);
            activate(isa, activation, hidden, room(&mut layer.activated, rows * n_inner));
            let output = next.first_mut().map_or(&mut self.buffers.output, |next| &mut next.input);
            let output = room(output, rows * width);
            linear_onto(isa, layout, weights, parameters.mlp_out, &layer.activated, &layer.middle, output);
        }
        let Buffers { output, normed, moments, .. } = &mut self.buffers;
        norm_of(layout.norm, output, normed, moments);
    }

    /// Logits and losses of the batch, after [`Fused::forward`]. With a scale, the gradient of the last norm's output goes
    /// to `buffers.narrow`, and that of the output head to where it belongs.
    fn head(&mut self, batch: &Batch, scale: Option<f32>) -> f64 {
        let Gpt2Config { n_embd: width, vocab_size, .. } = self.config;
        let chunk = (LOGITS / vocab_size).clamp(16, batch.labels.len().max(16));
        let weights = Matrix::new(self.layout.of(&self.state.weights, self.layout.head), vocab_size, width);
        let Buffers { normed, logits, narrow, .. } = &mut self.buffers;
        room(narrow, normed.len());
        let mut loss = 0.0;
        let chunks = batch.labels.chunks(chunk).zip(normed.chunks(chunk * width)).zip(narrow.chunks_mut(chunk * width));
        for ((labels, normed), gradient) in chunks {
            let logits = room(logits, labels.len() * vocab_size);
            let rows = Matrix::new(normed, labels.len(), width);
            multiply(self.isa, rows, weights.t(), false, logits);
            let wanted = scale.map_or(Gradient::None, Gradient::Scaled);
            loss += cross_entropy(self.isa, logits, vocab_size, labels, wanted);
            if scale.is_some() {
                let logits = Matrix::new(logits, labels.len(), vocab_size);
                multiply(self.isa, logits, weights, false, gradient);
                multiply(self.isa, logits.t(), rows, true, self.layout.of_mut(&mut self.gradients, self.layout.head));
            }
        }
        loss
    }

    /// From the gradient of the last norm's output, in `buffers.narrow`, to those of all parameters.
    fn backward(&mut self, batch: &Batch) {
        let Gpt2Config { n_embd: width, n_inner, activation, .. } = self.config;
        let (isa, layout, weights) = (self.isa, &self.layout, &self.state.weights);
        let tokens = batch.tokens.len();
        let gradients = &mut self.gradients;
        let norm_of = |gradients: &mut [f32], pair: Pair, y: &[f32], x: &[f32], m: &[[f32; 2]], into: &mut [f32]| {
            let parameters = layout.both_mut(gradients, pair.weight, pair.bias);
            norm_backward(isa, y, x, layout.of(weights, pair.weight), m, into, parameters);
        };
        let Buffers { output, moments, residual, narrow, wide, qkv, .. } = &mut self.buffers;
        room(residual, output.len()).fill(0.0);
        norm_of(gradients, layout.norm, narrow, output, moments, residual);
        for index in (0..self.layers.len()).rev() {
            let Gpt2Config { n_head, .. } = self.config;
            let heads = Heads { heads: n_head, width: width / n_head, scale: self.config.attention_scale(index) };
            let layer = &self.layers[index];
            let parameters = &layout.layers[index];
            let rows = residual.len() / width;
            let hidden = room(wide, rows * n_inner);
            linear_backward(isa, layout, weights, gradients, parameters.mlp_out, &layer.activated, residual, hidden);
            activate_backward(isa, activation, &layer.hidden, hidden);
            let normed = room(narrow, rows * width);
            linear_backward(isa, layout, weights, gradients, parameters.mlp_in, &layer.normed_2, hidden, normed);
            norm_of(gradients, parameters.norm_2, normed, &layer.middle, &layer.moments_2, residual);

            let attended = layer.selected.as_ref().map_or(&layer.attended, |(_, attended)| attended);
            linear_backward(isa, layout, weights, gradients, parameters.attention_out, attended, residual, normed);
            if layer.selected.is_some() {
                *residual = scatter(residual, &batch.label_indices, width, tokens);
                *narrow = scatter(narrow, &batch.label_indices, width, tokens);
            }
            let qkv = room(qkv, 3 * tokens * width);
            attend_backward(isa, heads, &batch.spans, &layer.qkv, &layer.attended, &layer.totals, narrow, qkv);
            let normed = room(narrow, tokens * width);
            linear_backward(isa, layout, weights, gradients, parameters.attention_in, &layer.normed_1, qkv, normed);
            norm_of(gradients, parameters.norm_1, normed, &layer.input, &layer.moments_1, residual);
        }
        for ((&token, position), gradient) in
            batch.tokens.iter().zip(batch.positions()).zip(residual.chunks_exact(width))
        {
            for (table, entry) in [(layout.tokens, token), (layout.positions, position)] {
                let row = &mut layout.of_mut(gradients, table)[entry as usize * width..][..width];
                row.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

impl Engine for Fused {
    fn accumulate(&mut self, batch: &Batch, scale: f32) -> Result<f64> {
        self.forward(batch);
        let loss = self.head(batch, Some(scale));
        self.backward(batch);
        Ok(loss)
    }

    fn loss(&mut self, batch: &Batch) -> Result<f64> {
        self.forward(batch);
        Ok(self.head(batch, None))
    }

    fn step(&mut self, update: &Update) -> Result<f64> {
        let norm = sum_of_squares(self.isa, &self.gradients).sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        let State { weights, first, second } = &mut self.state;
        let matrices = self.layout.matrices;
        let (weights, gradients) = (weights.split_at_mut(matrices), self.gradients.split_at_mut(matrices));
        let (first, second) = (first.split_at_mut(matrices), second.split_at_mut(matrices));
        let mut step = AdamW {
            gradient_scale: update.gradient_scale(norm) as f32,
            learning_rate: update.learning_rate,
            betas: update.betas,
            epsilon: update.epsilon,
            weight_decay: update.weight_decay,
            step: update.step,
        };
        adamw(self.isa, step, weights.0, gradients.0, first.0, second.0);
        step.weight_decay = 0.0;
        adamw(self.isa, step, weights.1, gradients.1, first.1, second.1);
        Ok(norm)
    }

    fn with_state(&self, keep: &mut dyn FnMut(&State) -> Result<()>) -> Result<()> {
        keep(&self.state)
    }
}

#[cfg(test)]
impl Fused {
    /// For comparing gradients.
    pub(super) fn gradients(&self) -> &[f32] {
        &self.gradients
    }
}

/// Embeddings of tokens and positions, added.
fn embed(layout: &Layout, weights: &[f32], batch: &Batch, width: usize, out: &mut [f32]) {
    let (tokens, positions) = (layout.of(weights, layout.tokens), layout.of(weights, layout.positions));
    for ((out, &token), position) in out.chunks_exact_mut(width).zip(&batch.tokens).zip(batch.positions()) {
        let (token, position) = (&tokens[token as usize * width..], &positions[position as usize * width..]);
        for ((out, a), b) in out.iter_mut().zip(token).zip(position) {
            *out = a + b;
        }
    }
}

/// `y = x · weight + bias`.
fn linear(isa: Isa, layout: &Layout, weights: &[f32], pair: Pair, x: &[f32], y: &mut [f32]) {
    fill_rows(layout.of(weights, pair.bias), y);
    apply(isa, layout, weights, pair, x, y);
}

/// `y = base + x · weight + bias`.
fn linear_onto(isa: Isa, layout: &Layout, weights: &[f32], pair: Pair, x: &[f32], base: &[f32], y: &mut [f32]) {
    add(base, layout.of(weights, pair.bias), y);
    apply(isa, layout, weights, pair, x, y);
}

fn shape(layout: &Layout, pair: Pair) -> (usize, usize) {
    let shape = &layout.parameters[pair.weight].shape;
    (shape[0], shape[1])
}

fn apply(isa: Isa, layout: &Layout, weights: &[f32], pair: Pair, x: &[f32], y: &mut [f32]) {
    let (inputs, outputs) = shape(layout, pair);
    let weight = Matrix::new(layout.of(weights, pair.weight), inputs, outputs);
    multiply(isa, Matrix::new(x, x.len() / inputs, inputs), weight, true, y);
}

/// From the gradient of `y` to that of `x`, which is overwritten, and those of weight and bias, which are added to.
fn linear_backward(
    isa: Isa,
    layout: &Layout,
    weights: &[f32],
    gradients: &mut [f32],
    pair: Pair,
    x: &[f32],
    y_gradient: &[f32],
    x_gradient: &mut [f32],
) {
    let (inputs, outputs) = shape(layout, pair);
    let rows = x.len() / inputs;
    let upstream = Matrix::new(y_gradient, rows, outputs);
    multiply(isa, upstream, Matrix::new(layout.of(weights, pair.weight), inputs, outputs).t(), false, x_gradient);
    multiply(isa, Matrix::new(x, rows, inputs).t(), upstream, true, layout.of_mut(gradients, pair.weight));
    add_column_sums(y_gradient, layout.of_mut(gradients, pair.bias));
}

fn select(rows: &[f32], indices: &[u32], width: usize) -> Vec<f32> {
    let mut selected = Vec::with_capacity(indices.len() * width);
    indices.iter().for_each(|&index| selected.extend(&rows[index as usize * width..][..width]));
    selected
}

/// Rows at their indices, zeros elsewhere.
fn scatter(rows: &[f32], indices: &[u32], width: usize, tokens: usize) -> Vec<f32> {
    let mut all = vec![0.0; tokens * width];
    for (row, &index) in rows.chunks_exact(width).zip(indices) {
        all[index as usize * width..][..width].copy_from_slice(row);
    }
    all
}
