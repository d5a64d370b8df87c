//! GPT-2 of candle's tensor operations, with candle's automatic differentiation: for a GPU, and on the CPU to compare the
//! written-out passes with.
//!
//! Weights, moments and everything but matrix products are in `f32`; matrix products are in the number type asked for.

use super::{Batch, Engine, Parts, State, Update};
use crate::backend::candle_error;
use crate::train::parameters::{Layout, Pair};
use candle_core::{D, DType, Device, Result, Tensor, Var};
use examiner_lm::checkpoint::{Activation, Gpt2Config};

/// A GPT-2 that learns with candle's operations.
pub(crate) struct Composed {
    device: Device,
    /// The number type of matrix products.
    dtype: DType,
    config: Gpt2Config,
    layout: Layout,
    weights: Vec<Var>,
    gradients: Vec<Option<Tensor>>,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
}

/// Which rows of a batch attention puts beside each other, so that all its sequences are one product.
struct Padding {
    /// For each sequence, the indices of `longest` tokens; those beyond its end repeat its last.
    padded: Tensor,
    /// For each token, its index among the padded ones.
    back: Tensor,
    /// `[longest, longest]`: minus infinity where a query does not see a key.
    mask: Tensor,
    sequences: usize,
    longest: usize,
}

impl Composed {
    pub(crate) fn new(parts: Parts, device: Device, dtype: DType) -> examiner_api::Result<Composed> {
        let Parts { config, layout, state } = parts;
        let tensors = |values: &[f32]| {
            let parameter = |parameter: &crate::train::parameters::Parameter| {
                Tensor::from_slice(&values[parameter.range.clone()], parameter.shape.as_slice(), &device)
            };
            layout.parameters.iter().map(parameter).collect::<Result<Vec<_>>>()
        };
        let make = || {
            let weights = tensors(&state.weights)?.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
            Ok((weights, tensors(&state.first)?, tensors(&state.second)?))
        };
        let (weights, first, second) = make().map_err(candle_error("put weights on the device"))?;
        let gradients = vec![None; weights.len()];
        Ok(Composed { device, dtype, config, layout, weights, gradients, first, second })
    }

    /// The summed loss of a batch, as a tensor.
    fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let width = self.config.n_embd;
        let indices = |values: &[u32]| Tensor::new(values, &self.device);
        let positions: Vec<u32> = batch.positions().collect();
        let tokens = self.weights[self.layout.tokens].index_select(&indices(&batch.tokens)?, 0)?;
        let mut x = (tokens + self.weights[self.layout.positions].index_select(&indices(&positions)?, 0)?)?;
        let padding = self.padding(batch)?;
        for (index, layer) in self.layout.layers.iter().enumerate() {
            let qkv = self.linear(layer.attention_in, &self.norm(layer.norm_1, &x)?)?;
            let attended = self.attend(index, &qkv, &padding)?;
            x = (x + self.linear(layer.attention_out, &attended)?)?;
            let hidden = self.linear(layer.mlp_in, &self.norm(layer.norm_2, &x)?)?;
            let hidden = match self.config.activation {
                Activation::GeluTanh => hidden.gelu(),
                Activation::Gelu => hidden.gelu_erf(),
                Activation::Relu => hidden.relu(),
                Activation::Silu => hidden.silu(),
            }?;
            x = (x + self.linear(layer.mlp_out, &hidden)?)?;
        }
        let x = self.norm(self.layout.norm, &x.index_select(&indices(&batch.label_indices)?, 0)?)?;
        debug_assert_eq!(x.dims()[1], width);
        let head = self.weights[self.layout.head].to_dtype(self.dtype)?;
        let logits = x.to_dtype(self.dtype)?.matmul(&head.t()?)?.to_dtype(DType::F32)?;
        // The highest logit is taken away for the sake of the range alone; nothing is to be learned from it.
        let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
        let totals = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
        let labels = indices(&batch.labels)?.unsqueeze(1)?;
        (totals - shifted.gather(&labels, 1)?)?.sum_all()
    }

    fn norm(&self, pair: Pair, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let scaled = centred.broadcast_div(&(variance + self.config.layer_norm_epsilon)?.sqrt()?)?;
        scaled.broadcast_mul(&self.weights[pair.weight])?.broadcast_add(&self.weights[pair.bias])
    }

    fn linear(&self, pair: Pair, x: &Tensor) -> Result<Tensor> {
        let weight = self.weights[pair.weight].to_dtype(self.dtype)?;
        let product = x.to_dtype(self.dtype)?.matmul(&weight)?.to_dtype(DType::F32)?;
        product.broadcast_add(&self.weights[pair.bias])
    }

    fn padding(&self, batch: &Batch) -> Result<Padding> {
        let longest = batch.spans.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let index = |span: &std::ops::Range<usize>, at: usize| (span.start + at).min(span.end - 1) as u32;
        let padded: Vec<u32> =
            batch.spans.iter().flat_map(|span| (0..longest).map(move |at| index(span, at))).collect();
        let back = batch.spans.iter().enumerate();
        let back: Vec<u32> =
            back.flat_map(|(row, span)| (0..span.len()).map(move |at| (row * longest + at) as u32)).collect();
        let seen = |query: usize, key: usize| if key > query { f32::NEG_INFINITY } else { 0.0 };
        let mask: Vec<f32> = (0..longest).flat_map(|query| (0..longest).map(move |key| seen(query, key))).collect();
        Ok(Padding {
            padded: Tensor::new(padded, &self.device)?,
            back: Tensor::new(back, &self.device)?,
            mask: Tensor::from_vec(mask, (longest, longest), &self.device)?,
            sequences: batch.spans.len(),
            longest,
        })
    }

    fn attend(&self, layer: usize, qkv: &Tensor, padding: &Padding) -> Result<Tensor> {
        let Gpt2Config { n_head: heads, n_embd: width, .. } = self.config;
        let Padding { sequences, longest, .. } = *padding;
        let rows = qkv.index_select(&padding.padded, 0)?;
        let part = |index: usize| {
            let part = rows.narrow(1, index * width, width)?.reshape((sequences, longest, heads, width / heads))?;
            part.transpose(1, 2)?.to_dtype(self.dtype)?.contiguous()
        };
        let (queries, keys, values) = (part(0)?, part(1)?, part(2)?);
        let scores = queries.matmul(&keys.transpose(2, 3)?.contiguous()?)?.to_dtype(DType::F32)?;
        let scores = (scores * f64::from(self.config.attention_scale(layer)))?.broadcast_add(&padding.mask)?;
        let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?.to_dtype(self.dtype)?;
        let output = weights.matmul(&values)?.to_dtype(DType::F32)?.transpose(1, 2)?;
        output.reshape((sequences * longest, width))?.index_select(&padding.back, 0)
    }

    fn collect(&mut self, batch: &Batch, scale: f32) -> Result<f64> {
        let loss = self.forward(batch)?;
        let grads = (&loss * f64::from(scale))?.backward()?;
        for (weight, sum) in self.weights.iter().zip(&mut self.gradients) {
            let Some(gradient) = grads.get(weight) else { continue };
            *sum = Some(match sum.take() {
                Some(sum) => (sum + gradient)?,
                None => gradient.clone(),
            });
        }
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    fn update(&mut self, update: &Update) -> Result<f64> {
        let mut squares = 0.0;
        for gradient in self.gradients.iter().flatten() {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let norm = squares.sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        let [a, b] = update.betas;
        let times = update.step.min(i32::MAX as u64) as i32;
        let rate = update.learning_rate / (1.0 - a.powi(times));
        let root = 1.0 / (1.0 - b.powi(times)).sqrt();
        for (index, parameter) in self.layout.parameters.iter().enumerate() {
            let Some(gradient) = self.gradients[index].take() else { continue };
            let gradient = (gradient * update.gradient_scale(norm))?;
            let first = ((&self.first[index] * a)? + (&gradient * (1.0 - a))?)?;
            let second = ((&self.second[index] * b)? + (gradient.sqr()? * (1.0 - b))?)?;
            let length = ((second.sqrt()? * root)? + update.epsilon)?;
            let decay = if parameter.shape.len() > 1 { update.weight_decay } else { 0.0 };
            let kept = (self.weights[index].as_tensor() * (1.0 - update.learning_rate * decay))?;
            self.weights[index].set(&(kept - ((&first / length)? * rate)?)?.detach())?;
            (self.first[index], self.second[index]) = (first.detach(), second.detach());
        }
        Ok(norm)
    }

    fn read(&self) -> Result<State> {
        let flat = |tensors: &mut dyn Iterator<Item = &Tensor>| -> Result<Vec<f32>> {
            let mut values = Vec::with_capacity(self.layout.size());
            for tensor in tensors {
                values.extend(tensor.flatten_all()?.to_vec1::<f32>()?);
            }
            Ok(values)
        };
        Ok(State {
            weights: flat(&mut self.weights.iter().map(Var::as_tensor))?,
            first: flat(&mut self.first.iter())?,
            second: flat(&mut self.second.iter())?,
        })
    }
}

impl Engine for Composed {
    fn accumulate(&mut self, batch: &Batch, scale: f32) -> examiner_api::Result<f64> {
        self.collect(batch, scale).map_err(candle_error("compute a gradient"))
    }

    fn loss(&mut self, batch: &Batch) -> examiner_api::Result<f64> {
        let loss = || self.forward(batch)?.to_scalar::<f32>();
        loss().map(f64::from).map_err(candle_error("compute a loss"))
    }

    fn step(&mut self, update: &Update) -> examiner_api::Result<f64> {
        self.update(update).map_err(candle_error("update weights"))
    }

    fn with_state(&self, keep: &mut dyn FnMut(&State) -> examiner_api::Result<()>) -> examiner_api::Result<()> {
        keep(&self.read().map_err(candle_error("read weights"))?)
    }
}

#[cfg(test)]
impl Composed {
    /// For comparing gradients.
    pub(super) fn gradients(&self) -> Vec<f32> {
        let mut all = Vec::new();
        for (gradient, weight) in self.gradients.iter().zip(&self.weights) {
            let zeros = || weight.zeros_like().unwrap();
            let gradient = gradient.clone().unwrap_or_else(zeros);
            all.extend(gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }
        all
    }
}
