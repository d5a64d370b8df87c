//! The forward pass with our own kernels: exact in the sense of [`examiner_kernels`].

use super::buffers::{Buffer, Buffers};
use super::{Attention, Backend, Span, Then, candle_error, dequantized};
use crate::cache::{CacheShape, Chain};
use crate::gguf::{BlockMatrix, Matrix};
use candle_core::{CpuStorage, DType, Storage, Tensor};
use examiner_api::{PluginError, Result};
use examiner_families::Order;
use examiner_kernels::{
    AttentionShape, BlockInputs, Blocks, Finish, Isa, KvBlock, KvLayout, KvMemory, KvType, Linear, Products,
    WeightType, attend, gate, layer_norm, rms_norm, rotate, softcap,
};
use examiner_lm::checkpoint::Activation;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Rows of one task of attention.
const TASK: usize = 24;

/// The CPU.
pub(crate) struct Cpu {
    isa: Isa,
    /// Of the weights of linear layers.
    numbers: WeightType,
    products: Products,
    buffers: Buffers,
}

impl Cpu {
    pub(crate) fn new(isa: Isa, numbers: WeightType, products: Products) -> Self {
        Cpu { isa, numbers, products, buffers: Buffers::default() }
    }

    /// Of cached keys and values.
    fn kv_type(&self) -> KvType {
        match self.products {
            Products::F32 | Products::SplitBf16(_) => KvType::F32,
            Products::Bf16(_) | Products::Int8 => KvType::F16,
        }
    }
}

/// Rows of `width` values.
pub(crate) struct Rows {
    width: usize,
    values: Buffer,
}

pub(crate) struct Norm {
    weight: Vec<f32>,
    /// Of a layer norm. Without it, the norm is one by the root of the mean square.
    bias: Option<Vec<f32>>,
    epsilon: f32,
}

pub(crate) enum Table {
    Plain {
        width: usize,
        values: Vec<f32>,
    },
    /// Packed weights: those of the output head, which then are in memory only once, or quantized ones.
    Packed(Arc<Linear>),
}

fn values_of(tensor: &Tensor) -> Result<Vec<f32>> {
    let read = || tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
    read().map_err(candle_error("read a tensor"))
}

fn pack_blocks(pieces: &[&BlockMatrix], rounded: BlockInputs, bias: Option<&Tensor>) -> Result<Arc<Linear>> {
    let bias = bias.map(values_of).transpose()?;
    let inputs = pieces.first().map_or(0, |piece| piece.shape()[1]);
    let pieces: Vec<Blocks<'_>> = pieces.iter().map(|piece| piece.blocks()).collect();
    Ok(Arc::new(Linear::pack_blocks(&pieces, inputs, rounded, bias.as_deref())))
}

impl Backend for Cpu {
    type Array = Rows;
    type Linear = Arc<Linear>;
    type Norm = Norm;
    type Table = Table;
    type Block = KvMemory;

    fn load_linear(&self, weight: &Tensor, order: Order, bias: Option<&Tensor>) -> Result<Self::Linear> {
        let (first, second) = weight.dims2().map_err(candle_error("read a matrix"))?;
        let (inputs, outputs, order) = match order {
            Order::InputsFirst => (first, second, examiner_kernels::Order::InputsFirst),
            Order::OutputsFirst => (second, first, examiner_kernels::Order::OutputsFirst),
        };
        let (numbers, products) = (self.numbers, self.products);
        let bias = bias.map(values_of).transpose()?;
        let bias = bias.as_deref();
        // The largest tensors of a model: they are packed from their own memory, without another copy.
        let (storage, layout) = weight.storage_and_layout();
        let layer = match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(all)), Some((from, to))) => {
                Linear::pack(numbers, products, &all[from..to], order, inputs, outputs, bias)
            }
            (Storage::Cpu(CpuStorage::F16(all)), Some((from, to))) => {
                Linear::pack(numbers, products, &all[from..to], order, inputs, outputs, bias)
            }
            (Storage::Cpu(CpuStorage::BF16(all)), Some((from, to))) => {
                Linear::pack(numbers, products, &all[from..to], order, inputs, outputs, bias)
            }
            _ => Linear::pack(numbers, products, &values_of(weight)?, order, inputs, outputs, bias),
        };
        Ok(Arc::new(layer))
    }

    fn load_blocks(&self, pieces: &[&BlockMatrix], bias: Option<&Tensor>) -> Result<Self::Linear> {
        // Where all but the last fill the groups of outputs that are packed together.
        let fit = |(_, others): (_, &[&BlockMatrix])| {
            others.iter().all(|piece| piece.shape()[0].is_multiple_of(Linear::BLOCK_OUTPUTS))
        };
        let rounded = match self.products {
            Products::F32 => BlockInputs::F32,
            Products::Bf16(_) | Products::Int8 => BlockInputs::Int8,
            Products::SplitBf16(_) => return self.load_linear(&dequantized(pieces)?, Order::OutputsFirst, bias),
        };
        if self.numbers != WeightType::F32 || !pieces.split_last().is_some_and(fit) {
            return self.load_linear(&dequantized(pieces)?, Order::OutputsFirst, bias);
        }
        pack_blocks(pieces, rounded, bias)
    }

    fn load_norm(&self, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Norm> {
        Ok(Norm { weight: values_of(weight)?, bias: Some(values_of(bias)?), epsilon: epsilon as f32 })
    }

    fn load_rms_norm(&self, weight: &Tensor, epsilon: f64) -> Result<Norm> {
        Ok(Norm { weight: values_of(weight)?, bias: None, epsilon: epsilon as f32 })
    }

    fn load_table(&self, weight: &Tensor) -> Result<Table> {
        let (_, width) = weight.dims2().map_err(candle_error("read an embedding"))?;
        Ok(Table::Plain { width, values: values_of(weight)? })
    }

    fn load_table_of_blocks(&self, matrix: &BlockMatrix) -> Result<Table> {
        match self.numbers {
            WeightType::F32 => pack_blocks(&[matrix], BlockInputs::F32, None).map(Table::Packed),
            _ => self.load_table(&dequantized(&[matrix])?),
        }
    }

    fn tied_table(&self, head: &Arc<Linear>, weight: &Matrix) -> Result<Table> {
        // An embedding is no product: it is not rounded to the numbers of products.
        match (self.products, self.numbers, weight) {
            (Products::Bf16(_), WeightType::F32 | WeightType::F16, Matrix::Plain(weight)) => self.load_table(weight),
            (Products::Bf16(_), WeightType::F32 | WeightType::F16, Matrix::Blocks(weight)) => {
                self.load_table_of_blocks(weight)
            }
            _ => Ok(Table::Packed(Arc::clone(head))),
        }
    }

    fn new_block(&self, shape: CacheShape, capacity: usize) -> Result<KvMemory> {
        let layout = KvLayout { kv_heads: shape.heads, width: shape.width, capacity };
        Ok(KvMemory::new(layout, shape.layers, self.kv_type()))
    }

    fn cache_value_bytes(&self) -> usize {
        self.kv_type().bytes()
    }

    fn look_up(&self, table: &Table, ids: &[u32]) -> Result<Rows> {
        let width = match table {
            Table::Plain { width, .. } => *width,
            Table::Packed(weights) => weights.inputs(),
        };
        let mut values = self.buffers.take(ids.len() * width);
        for (row, &id) in values.chunks_exact_mut(width).zip(ids) {
            match table {
                Table::Plain { values, .. } => row.copy_from_slice(&values[id as usize * width..][..width]),
                Table::Packed(weights) => weights.weights_of(id as usize, row),
            }
        }
        Ok(Rows { width, values })
    }

    fn add(&self, mut a: Rows, b: Rows) -> Result<Rows> {
        a.values.par_chunks_mut(1 << 14).zip(b.values.par_chunks(1 << 14)).for_each(|(a, b)| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        });
        Ok(a)
    }

    fn scale(&self, mut x: Rows, factor: f32) -> Result<Rows> {
        x.values.par_chunks_mut(1 << 14).for_each(|chunk| chunk.iter_mut().for_each(|x| *x *= factor));
        Ok(x)
    }

    fn norm(&self, norm: &Norm, x: &Rows) -> Result<Rows> {
        let Some(bias) = &norm.bias else {
            let mut values = self.buffers.take(x.values.len());
            values.copy_from_slice(&x.values);
            return self.norm_columns(norm, Rows { width: x.width, values }, 0..x.width);
        };
        let mut values = self.buffers.take(x.values.len());
        layer_norm(self.isa, &x.values, &norm.weight, bias, norm.epsilon, &mut values);
        Ok(Rows { width: x.width, values })
    }

    fn norm_columns(&self, norm: &Norm, mut x: Rows, columns: Range<usize>) -> Result<Rows> {
        rms_norm(self.isa, &mut x.values, x.width, columns, &norm.weight, norm.epsilon);
        Ok(x)
    }

    fn linear(&self, layer: &Arc<Linear>, x: &Rows, then: Then<Rows>) -> Result<Rows> {
        if x.width != layer.inputs() {
            return Err(PluginError::bad_input(format!("{} values for a layer of {}", x.width, layer.inputs())));
        }
        let width = layer.outputs();
        let mut values = self.buffers.take(x.values.len() / x.width * width);
        let finish = match &then {
            Then::Nothing => Finish::Nothing,
            Then::Activate(activation) => Finish::Activate(*activation),
            Then::Add(other) => Finish::Add(&other.values),
        };
        layer.forward(self.isa, &x.values, finish, &mut values);
        Ok(Rows { width, values })
    }

    fn gate(&self, activation: Activation, x: Rows) -> Result<Rows> {
        let width = x.width / 2;
        let mut values = self.buffers.take(x.values.len() / 2);
        gate(activation, self.isa, &x.values, width, &mut values);
        Ok(Rows { width, values })
    }

    fn softcap(&self, mut x: Rows, cap: f32) -> Result<Rows> {
        softcap(self.isa, cap, &mut x.values);
        Ok(x)
    }

    fn write(&self, values: Vec<f32>, width: usize) -> Result<Rows> {
        let mut buffer = self.buffers.take(values.len());
        buffer.copy_from_slice(&values);
        Ok(Rows { width, values: buffer })
    }

    fn rotate(&self, mut x: Rows, heads: usize, width: usize, angles: &Rows) -> Result<Rows> {
        rotate(&mut x.values, x.width, heads, width, &angles.values);
        Ok(x)
    }

    fn attend(
        &self,
        attention: Attention,
        qkv: Rows,
        spans: &[Span],
        caches: &mut [Chain<KvMemory>],
        only: Option<&[u32]>,
    ) -> Result<Rows> {
        let shape = AttentionShape {
            heads: attention.heads,
            kv_heads: attention.shape.heads,
            width: attention.shape.width,
            scale: attention.scale,
            window: attention.window.unwrap_or(usize::MAX),
            softcap: attention.softcap,
        };
        let row = attention.row();
        let rows_of = |rows: &Range<usize>| &qkv.values[rows.start * row..rows.end * row];
        let width = attention.heads * attention.shape.width;
        let count = only.map_or(qkv.values.len() / row, <[u32]>::len);
        let mut values = self.buffers.take(count * width);
        let mut rest = &mut *values;
        let mut sequences = Vec::with_capacity(spans.len());
        for (span, cache) in spans.iter().zip(caches) {
            let stretches = stretches(&span.rows, only);
            let own = stretches.iter().map(ExactSizeIterator::len).sum::<usize>();
            let (output, others) = rest.split_at_mut(own * width);
            rest = others;
            sequences.push(Sequence { span, cache, stretches, output });
        }
        sequences.par_iter_mut().with_max_len(1).try_for_each(|Sequence { span, cache, stretches, output }| {
            let rows = rows_of(&span.rows);
            cache.write(span.past, |block, at, new| {
                let rows = &rows[new.start * row..new.end * row];
                block.store(attention.layer, at, rows, row, attention.heads * attention.shape.width);
                Ok(())
            })?;
            // Who has written the key of a single row attends with it: it is in this processor's cache.
            if span.rows.len() == 1 && !stretches.is_empty() {
                attend(self.isa, shape, &blocks(cache, attention.layer), span.past, rows, output);
            }
            Ok::<(), PluginError>(())
        })?;

        let mut tasks = Vec::new();
        for Sequence { span, cache, stretches, output } in sequences.iter_mut().filter(|one| one.span.rows.len() > 1) {
            let past = Arc::new(blocks(cache, attention.layer));
            let mut rest = &mut **output;
            for rows in stretches {
                let (own, others) = rest.split_at_mut(rows.len() * width);
                rest = others;
                let first = span.past + rows.start - span.rows.start;
                let tiles = own.chunks_mut(TASK * width).zip(rows_of(rows).chunks(TASK * row)).enumerate();
                tasks
                    .extend(tiles.map(|(tile, (output, rows))| (Arc::clone(&past), first + tile * TASK, rows, output)));
            }
        }
        tasks.into_par_iter().with_max_len(1).for_each(|(past, first, rows, output)| {
            attend(self.isa, shape, &past, first, rows, output);
        });
        Ok(Rows { width, values })
    }

    fn select(&self, x: &Rows, rows: &[u32]) -> Result<Rows> {
        let mut values = self.buffers.take(rows.len() * x.width);
        for (into, &row) in values.chunks_exact_mut(x.width).zip(rows) {
            into.copy_from_slice(&x.values[row as usize * x.width..][..x.width]);
        }
        Ok(Rows { width: x.width, values })
    }

    fn read<'a>(&self, x: &'a Rows) -> Result<Cow<'a, [f32]>> {
        Ok(Cow::Borrowed(&x.values))
    }
}

/// A sequence of a pass, as its attention sees it.
struct Sequence<'a> {
    span: &'a Span,
    cache: &'a mut Chain<KvMemory>,
    /// Those of its rows that are wanted, which may be none.
    stretches: Vec<Range<usize>>,
    /// The rows of output of these.
    output: &'a mut [f32],
}

/// The keys and values of one layer.
fn blocks(cache: &Chain<KvMemory>, layer: usize) -> Vec<KvBlock<'_>> {
    cache.blocks().map(|(block, used)| block.layer(layer, used)).collect()
}

/// All of the rows, or those in `only`, as stretches of consecutive ones.
fn stretches(rows: &Range<usize>, only: Option<&[u32]>) -> Vec<Range<usize>> {
    let Some(only) = only else { return vec![rows.clone()] };
    let mut stretches: Vec<Range<usize>> = Vec::new();
    let first = only.partition_point(|&row| (row as usize) < rows.start);
    for row in only[first..].iter().map(|&row| row as usize).take_while(|&row| row < rows.end) {
        match stretches.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => stretches.push(row..row + 1),
        }
    }
    stretches
}
