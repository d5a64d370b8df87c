//! The forward pass with candle's tensor operations: for a GPU, and on the CPU to compare the kernels with.
//!
//! Linear layers and attention are computed in the weights' number type, everything between them in `f32`.

use super::{Attention, Backend, Span, Then, candle_error};
use crate::cache::{CacheShape, Chain};
use crate::gguf::Matrix;
use candle_core::{D, DType, Device, Tensor};
use examiner_api::Result;
use examiner_families::Order;
use examiner_lm::checkpoint::Activation;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// A device of candle's, and the number type of weights and caches there.
pub(crate) struct Ops {
    device: Device,
    dtype: DType,
    /// The masks of a pass, by tokens, past and window: its layers share them.
    masks: RefCell<HashMap<(usize, usize, usize), Tensor>>,
}

impl Ops {
    pub(crate) fn new(device: Device, dtype: DType) -> Self {
        Ops { device, dtype, masks: RefCell::default() }
    }

    fn put(&self, tensor: &Tensor, dtype: DType) -> candle_core::Result<Tensor> {
        tensor.to_device(&self.device)?.to_dtype(dtype)?.contiguous()
    }
}

/// `weight` is `[inputs, outputs]`, `bias` is in `f32`.
pub(crate) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

pub(crate) struct Norm {
    weight: Tensor,
    /// Of a layer norm. Without it, the norm is one by the root of the mean square.
    bias: Option<Tensor>,
    epsilon: f64,
}

impl Norm {
    /// The norm over the last dimension.
    fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let Some(bias) = &self.bias else {
            let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
            return x.broadcast_div(&(mean + self.epsilon)?.sqrt()?)?.broadcast_mul(&self.weight);
        };
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let scaled = centred.broadcast_div(&(variance + self.epsilon)?.sqrt()?)?;
        scaled.broadcast_mul(&self.weight)?.broadcast_add(bias)
    }
}

/// For each layer, `[heads, capacity, width]`.
pub(crate) struct Block {
    keys: Vec<Tensor>,
    values: Vec<Tensor>,
}

impl Backend for Ops {
    type Array = Tensor;
    type Linear = Linear;
    type Norm = Norm;
    type Table = Tensor;
    type Block = Block;

    fn load_linear(&self, weight: &Tensor, order: Order, bias: Option<&Tensor>) -> Result<Linear> {
        let load = || {
            let weight = self.put(weight, self.dtype)?;
            let weight = if order == Order::OutputsFirst { weight.t()? } else { weight };
            Ok(Linear { weight, bias: bias.map(|bias| self.put(bias, DType::F32)).transpose()? })
        };
        load().map_err(candle_error("load a linear layer"))
    }

    fn load_norm(&self, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Norm> {
        let load = || {
            let bias = Some(self.put(bias, DType::F32)?);
            Ok(Norm { weight: self.put(weight, DType::F32)?, bias, epsilon })
        };
        load().map_err(candle_error("load a layer norm"))
    }

    fn load_rms_norm(&self, weight: &Tensor, epsilon: f64) -> Result<Norm> {
        let load = || Ok(Norm { weight: self.put(weight, DType::F32)?, bias: None, epsilon });
        load().map_err(candle_error("load a norm"))
    }

    fn load_table(&self, weight: &Tensor) -> Result<Tensor> {
        self.put(weight, self.dtype).map_err(candle_error("load an embedding"))
    }

    fn tied_table(&self, head: &Linear, _: &Matrix) -> Result<Tensor> {
        head.weight.t().map_err(candle_error("tie an embedding"))
    }

    fn new_block(&self, shape: CacheShape, capacity: usize) -> Result<Block> {
        let zeros = || {
            let layer = |_| Tensor::zeros((shape.heads, capacity, shape.width), self.dtype, &self.device);
            (0..shape.layers).map(layer).collect::<candle_core::Result<Vec<_>>>()
        };
        let make = || Ok(Block { keys: zeros()?, values: zeros()? });
        make().map_err(candle_error("allocate key/value memory"))
    }

    fn cache_value_bytes(&self) -> usize {
        self.dtype.size_in_bytes()
    }

    fn look_up(&self, table: &Tensor, ids: &[u32]) -> Result<Tensor> {
        let look_up = || table.index_select(&Tensor::new(ids, &self.device)?, 0)?.to_dtype(DType::F32);
        look_up().map_err(candle_error("look up an embedding"))
    }

    fn add(&self, a: Tensor, b: Tensor) -> Result<Tensor> {
        (a + b).map_err(candle_error("add"))
    }

    fn scale(&self, x: Tensor, factor: f32) -> Result<Tensor> {
        (x * f64::from(factor)).map_err(candle_error("scale"))
    }

    fn norm(&self, norm: &Norm, x: &Tensor) -> Result<Tensor> {
        norm.apply(x).map_err(candle_error("normalize"))
    }

    fn norm_columns(&self, norm: &Norm, x: Tensor, columns: Range<usize>) -> Result<Tensor> {
        let compute = || {
            let (rows, width) = (x.dim(0)?, norm.weight.dim(0)?);
            let stretches = x.narrow(1, columns.start, columns.len())?;
            let stretches = norm.apply(&stretches.reshape((rows, columns.len() / width, width))?)?;
            replaced(&x, columns.clone(), &stretches.reshape((rows, columns.len()))?)
        };
        compute().map_err(candle_error("normalize"))
    }

    fn linear(&self, layer: &Linear, x: &Tensor, then: Then<Tensor>) -> Result<Tensor> {
        let compute = || {
            let product = x.to_dtype(self.dtype)?.matmul(&layer.weight)?.to_dtype(DType::F32)?;
            let sum = match &layer.bias {
                Some(bias) => product.broadcast_add(bias)?,
                None => product,
            };
            match then {
                Then::Nothing => Ok(sum),
                Then::Activate(activation) => activate(activation, &sum),
                Then::Add(other) => other + sum,
            }
        };
        compute().map_err(candle_error("apply a linear layer"))
    }

    fn gate(&self, activation: Activation, x: Tensor) -> Result<Tensor> {
        let halves = || {
            let width = x.dim(1)? / 2;
            Ok((x.narrow(1, 0, width)?.contiguous()?, x.narrow(1, width, width)?))
        };
        let (gate, up) = halves().map_err(candle_error("split a gate"))?;
        activate(activation, &gate).and_then(|gate| gate * up).map_err(candle_error("apply a gate"))
    }

    fn softcap(&self, x: Tensor, cap: f32) -> Result<Tensor> {
        capped(&x, cap).map_err(candle_error("cap"))
    }

    fn write(&self, values: Vec<f32>, width: usize) -> Result<Tensor> {
        let rows = values.len() / width.max(1);
        Tensor::from_vec(values, (rows, width), &self.device).map_err(candle_error("copy rows to the device"))
    }

    fn rotate(&self, x: Tensor, heads: usize, width: usize, angles: &Tensor) -> Result<Tensor> {
        let compute = || {
            let (rows, rotated) = angles.dims2()?;
            if rotated == 0 {
                return Ok(x.clone());
            }
            let pairs = rotated / 2;
            let all = x.narrow(1, 0, heads * width)?.reshape((rows, heads, width))?;
            let (a, b) = (all.narrow(2, 0, pairs)?, all.narrow(2, pairs, pairs)?);
            let cos = angles.narrow(1, 0, pairs)?.unsqueeze(1)?;
            let sin = angles.narrow(1, pairs, pairs)?.unsqueeze(1)?;
            let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
            let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
            let rest = all.narrow(2, rotated, width - rotated)?;
            let parts = if rotated < width { vec![first, second, rest] } else { vec![first, second] };
            let turned = Tensor::cat(&parts, 2)?.reshape((rows, heads * width))?;
            replaced(&x, 0..heads * width, &turned)
        };
        compute().map_err(candle_error("rotate"))
    }

    fn attend(
        &self,
        attention: Attention,
        qkv: Tensor,
        spans: &[Span],
        caches: &mut [Chain<Block>],
        only: Option<&[u32]>,
    ) -> Result<Tensor> {
        if attention.layer == 0 {
            self.masks.borrow_mut().clear();
        }
        let mut outputs = Vec::with_capacity(spans.len());
        for (span, cache) in spans.iter().zip(caches) {
            let rows = qkv.narrow(0, span.rows.start, span.rows.len());
            let output =
                rows.map_err(candle_error("attend")).and_then(|rows| self.attend_one(attention, &rows, span, cache))?;
            outputs.push(output);
        }
        let all = Tensor::cat(&outputs, 0).map_err(candle_error("attend"))?;
        match only {
            Some(rows) if !rows.is_empty() => self.select(&all, rows),
            _ => Ok(all),
        }
    }

    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let select = || x.index_select(&Tensor::new(rows, &self.device)?, 0);
        select().map_err(candle_error("select rows"))
    }

    fn read<'a>(&self, x: &'a Tensor) -> Result<Cow<'a, [f32]>> {
        let read = || x.to_dtype(DType::F32)?.flatten_all()?.to_vec1();
        read().map(Cow::Owned).map_err(candle_error("read logits"))
    }
}

fn activate(activation: Activation, x: &Tensor) -> candle_core::Result<Tensor> {
    match activation {
        Activation::GeluTanh => x.gelu(),
        Activation::Gelu => x.gelu_erf(),
        Activation::Relu => x.relu(),
        Activation::Silu => x.silu(),
    }
}

/// `x` with other values in some columns.
fn replaced(x: &Tensor, columns: Range<usize>, by: &Tensor) -> candle_core::Result<Tensor> {
    let width = x.dim(1)?;
    let mut parts = Vec::with_capacity(3);
    if columns.start > 0 {
        parts.push(x.narrow(1, 0, columns.start)?);
    }
    parts.push(by.clone());
    if columns.end < width {
        parts.push(x.narrow(1, columns.end, width - columns.end)?);
    }
    Tensor::cat(&parts, 1)
}

fn capped(x: &Tensor, cap: f32) -> candle_core::Result<Tensor> {
    let cap = f64::from(cap);
    (x / cap)?.tanh()? * cap
}

impl Ops {
    /// Attention of one sequence: `rows` are `[tokens, (heads + 2 · kv_heads) · width]`.
    fn attend_one(&self, attention: Attention, rows: &Tensor, span: &Span, cache: &mut Chain<Block>) -> Result<Tensor> {
        let Attention { layer, heads, shape, scale, window, softcap } = attention;
        let tokens = span.rows.len();
        let part = |first: usize, heads: usize| -> candle_core::Result<Tensor> {
            let part = rows.narrow(1, first * shape.width, heads * shape.width)?;
            part.reshape((tokens, heads, shape.width))?.transpose(0, 1)?.to_dtype(self.dtype)?.contiguous()
        };
        let parts = || Ok((part(0, heads)?, part(heads, shape.heads)?, part(heads + shape.heads, shape.heads)?));
        let (queries, keys, values) = parts().map_err(candle_error("split queries, keys and values"))?;
        cache.write(span.past, |block, at, new| {
            let write = || {
                block.keys[layer].slice_set(&keys.narrow(1, new.start, new.len())?.contiguous()?, 1, at)?;
                block.values[layer].slice_set(&values.narrow(1, new.start, new.len())?.contiguous()?, 1, at)
            };
            write().map_err(candle_error("write to a key/value cache"))
        })?;
        let compute = || {
            let joined = |tensors: fn(&Block) -> &Vec<Tensor>| {
                let parts = cache.blocks().map(|(block, used)| tensors(block)[layer].narrow(1, 0, used));
                Tensor::cat(&parts.collect::<candle_core::Result<Vec<_>>>()?, 1)?.contiguous()
            };
            let keys = joined(|block| &block.keys)?;
            let values = joined(|block| &block.values)?;
            let seen = span.past + tokens;
            // The heads of a group one below the other, as rows of the matrix that meets their common keys.
            let grouped = (shape.heads, heads / shape.heads * tokens, shape.width);
            let scores = queries.reshape(grouped)?.matmul(&keys.t()?)?.to_dtype(DType::F32)?;
            let mut scores = (scores.reshape((heads, tokens, seen))? * f64::from(scale))?;
            if let Some(cap) = softcap {
                scores = capped(&scores, cap)?;
            }
            let window = window.unwrap_or(usize::MAX);
            if tokens > 1 || seen > window {
                scores = scores.broadcast_add(&self.mask(tokens, span.past, window)?)?;
            }
            let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
            let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?.to_dtype(self.dtype)?;
            let weights = weights.reshape((shape.heads, heads / shape.heads * tokens, seen))?;
            let output = weights.matmul(&values)?.to_dtype(DType::F32)?.reshape((heads, tokens, shape.width))?;
            output.transpose(0, 1)?.reshape((tokens, heads * shape.width))
        };
        compute().map_err(candle_error("attend"))
    }

    /// `[tokens, past + tokens]`: 0 where a token sees a position, minus infinity where it does not.
    fn mask(&self, tokens: usize, past: usize, window: usize) -> candle_core::Result<Tensor> {
        if let Some(mask) = self.masks.borrow().get(&(tokens, past, window)) {
            return Ok(mask.clone());
        }
        let sees = |token: usize, at: usize| at <= past + token && past + token - at < window;
        let value = |token: usize, at: usize| if sees(token, at) { 0.0 } else { f32::NEG_INFINITY };
        let values = (0..tokens).flat_map(|token| (0..past + tokens).map(move |at| value(token, at)));
        let mask = Tensor::from_vec(values.collect::<Vec<f32>>(), (tokens, past + tokens), &self.device)?;
        self.masks.borrow_mut().insert((tokens, past, window), mask.clone());
        Ok(mask)
    }
}
