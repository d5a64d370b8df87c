//! The forward pass with candle's tensor operations: for a GPU, and on the CPU to compare the kernels with.
//!
//! Linear layers and attention are computed in the weights' number type, everything between them in `f32`.

use super::{Attention, Backend, Span, candle_error};
use crate::cache::{CacheShape, Chain};
use crate::kernels::Order;
use candle_core::{D, DType, Device, Tensor};
use examiner_api::Result;
use examiner_lm::checkpoint::Activation;
use std::cell::RefCell;
use std::collections::HashMap;

/// A device of candle's, and the number type of weights and caches there.
pub(crate) struct Ops {
    device: Device,
    dtype: DType,
    /// The masks of a pass, by tokens and past: all its layers use the same.
    masks: RefCell<HashMap<(usize, usize), Tensor>>,
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
    bias: Tensor,
    epsilon: f64,
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
        let load = || Ok(Norm { weight: self.put(weight, DType::F32)?, bias: self.put(bias, DType::F32)?, epsilon });
        load().map_err(candle_error("load a layer norm"))
    }

    fn load_table(&self, weight: &Tensor) -> Result<Tensor> {
        self.put(weight, self.dtype).map_err(candle_error("load an embedding"))
    }

    fn tied_table(&self, head: &Linear) -> Result<Tensor> {
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

    fn norm(&self, norm: &Norm, x: &Tensor) -> Result<Tensor> {
        let compute = || {
            let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
            let scaled = centred.broadcast_div(&(variance + norm.epsilon)?.sqrt()?)?;
            scaled.broadcast_mul(&norm.weight)?.broadcast_add(&norm.bias)
        };
        compute().map_err(candle_error("normalize"))
    }

    fn linear(&self, layer: &Linear, x: &Tensor) -> Result<Tensor> {
        let compute = || {
            let product = x.to_dtype(self.dtype)?.matmul(&layer.weight)?.to_dtype(DType::F32)?;
            match &layer.bias {
                Some(bias) => product.broadcast_add(bias),
                None => Ok(product),
            }
        };
        compute().map_err(candle_error("apply a linear layer"))
    }

    fn activate(&self, activation: Activation, x: Tensor) -> Result<Tensor> {
        match activation {
            Activation::GeluTanh => x.gelu(),
            Activation::Gelu => x.gelu_erf(),
            Activation::Relu => x.relu(),
            Activation::Silu => x.silu(),
        }
        .map_err(candle_error("apply an activation function"))
    }

    fn attend(&self, attention: Attention, qkv: Tensor, spans: &[Span], caches: &mut [Chain<Block>]) -> Result<Tensor> {
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
        Tensor::cat(&outputs, 0).map_err(candle_error("attend"))
    }

    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let select = || x.index_select(&Tensor::new(rows, &self.device)?, 0);
        select().map_err(candle_error("select rows"))
    }

    fn read(&self, x: Tensor) -> Result<Vec<f32>> {
        let read = || x.to_dtype(DType::F32)?.flatten_all()?.to_vec1();
        read().map_err(candle_error("read logits"))
    }
}

impl Ops {
    /// Attention of one sequence: `rows` are `[tokens, 3 · heads · width]`.
    fn attend_one(&self, attention: Attention, rows: &Tensor, span: &Span, cache: &mut Chain<Block>) -> Result<Tensor> {
        let Attention { layer, shape, scale } = attention;
        let tokens = span.rows.len();
        let part = |index: usize| -> candle_core::Result<Tensor> {
            let part = rows.narrow(1, index * shape.heads * shape.width, shape.heads * shape.width)?;
            part.reshape((tokens, shape.heads, shape.width))?.transpose(0, 1)?.to_dtype(self.dtype)?.contiguous()
        };
        let parts = || Ok((part(0)?, part(1)?, part(2)?));
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
            let scores = queries.matmul(&keys.t()?)?.to_dtype(DType::F32)?;
            let mut scores = (scores * f64::from(scale))?;
            if tokens > 1 {
                scores = scores.broadcast_add(&self.mask(tokens, span.past)?)?;
            }
            let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
            let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?.to_dtype(self.dtype)?;
            let output = weights.matmul(&values)?.to_dtype(DType::F32)?;
            output.transpose(0, 1)?.reshape((tokens, shape.heads * shape.width))
        };
        compute().map_err(candle_error("attend"))
    }
    /// `[tokens, past + tokens]`: 0 where a token sees a position, minus infinity where it does not.
    fn mask(&self, tokens: usize, past: usize) -> candle_core::Result<Tensor> {
        if let Some(mask) = self.masks.borrow().get(&(tokens, past)) {
            return Ok(mask.clone());
        }
        let seen = |token: usize, at: usize| if at > past + token { f32::NEG_INFINITY } else { 0.0 };
        let values = (0..tokens).flat_map(|token| (0..past + tokens).map(move |at| seen(token, at)));
        let mask = Tensor::from_vec(values.collect::<Vec<f32>>(), (tokens, past + tokens), &self.device)?;
        self.masks.borrow_mut().insert((tokens, past), mask.clone());
        Ok(mask)
    }
}
