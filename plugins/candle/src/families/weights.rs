//! The tensors of a plan, put together as one pass wants them: one matrix for queries, keys and values, one for the two
//! inputs of a gate.

use crate::backend::{Backend, candle_error};
use crate::gguf::Matrix;
use crate::tensors::Tensors;
use candle_core::Tensor;
use examiner_api::Result;
use examiner_families::{HeadNorms, MlpIn, NormKind, Order, Plan, Qkv, is_constant, row_of_pair};

pub(crate) struct Weights<B: Backend> {
    pub(crate) tokens: B::Table,
    /// Learned positions.
    pub(crate) positions: Option<B::Table>,
    pub(crate) layers: Vec<Layer<B>>,
    pub(crate) norm: B::Norm,
    pub(crate) head: B::Linear,
}

pub(crate) struct Layer<B: Backend> {
    pub(crate) before_attention: Option<B::Norm>,
    /// To rows of `[queries, keys, values]`.
    pub(crate) qkv: B::Linear,
    pub(crate) query_norm: Option<B::Norm>,
    pub(crate) key_norm: Option<B::Norm>,
    pub(crate) output: B::Linear,
    pub(crate) after_attention: Option<B::Norm>,
    pub(crate) before_mlp: Option<B::Norm>,
    /// To rows of `[gate, input]`, or of the input alone.
    pub(crate) mlp_in: B::Linear,
    pub(crate) mlp_out: B::Linear,
    pub(crate) after_mlp: Option<B::Norm>,
}

impl<B: Backend> Weights<B> {
    /// # Errors
    /// `BadInput` if a tensor is missing, of another shape, or too many.
    pub(crate) fn load(backend: &B, plan: &Plan, tensors: Tensors) -> Result<Self> {
        let prefix = if tensors.has_prefix(plan.names.prefix) { plan.names.prefix } else { "" };
        let mut loader = Loader { backend, plan, tensors };
        let embedding = format!("{prefix}{}.weight", plan.names.tokens);
        let head_name = format!("{}.weight", plan.names.head);
        if plan.tied {
            loader.tensors.check_tied(&head_name, &embedding)?;
        }
        let mut matrix = |name: &str| loader.tensors.take_matrix(name, [plan.vocabulary, plan.width]);
        // The largest matrices of a small model: none is kept in a second form for longer than it takes to put it into its own.
        let (tokens, head) = if plan.tied {
            let weight = [matrix(&embedding)?];
            let head = linear(backend, &weight, Order::OutputsFirst, &[])?;
            (backend.tied_table(&head, &weight[0])?, head)
        } else {
            let tokens = match matrix(&embedding)? {
                Matrix::Plain(weight) => backend.load_table(&weight)?,
                Matrix::Blocks(blocks) => backend.load_table_of_blocks(&blocks)?,
            };
            (tokens, linear(backend, &[matrix(&head_name)?], Order::OutputsFirst, &[])?)
        };
        let positions = match plan.names.positions {
            Some(name) => {
                let positions = loader.tensors.take(&format!("{prefix}{name}.weight"), &[plan.context, plan.width])?;
                Some(backend.load_table(&positions)?)
            }
            None => None,
        };
        let layers = (0..plan.layers.len())
            .map(|index| loader.layer(&format!("{prefix}{}.{index}", plan.names.layers)))
            .collect::<Result<_>>()?;
        let norm = loader.norm(&format!("{prefix}{}", plan.names.norm), plan.width)?;
        loader.tensors.finish(|name| is_constant(name) || (plan.tied && name == head_name))?;
        Ok(Weights { tokens, positions, layers, norm, head })
    }
}

/// The tensors of a norm.
#[derive(Clone)]
struct NormWeights {
    weight: Tensor,
    bias: Option<Tensor>,
}

struct Loader<'a, B> {
    backend: &'a B,
    plan: &'a Plan,
    tensors: Tensors,
}

impl<B: Backend> Loader<'_, B> {
    fn layer(&mut self, name: &str) -> Result<Layer<B>> {
        let plan = self.plan;
        let named = |part: &str| format!("{name}.{part}");
        let (queries, keys) = (plan.heads * plan.head_width, plan.kv_heads * plan.head_width);
        let all = [queries, keys, keys];
        let qkv = match plan.names.qkv {
            Qkv::Apart(names) => self.joined(&names.map(named), plan.width, &all, plan.biases.qkv)?,
            Qkv::Interleaved(names) => self.interleaved(&names.map(named), all)?,
            Qkv::Joined(part) => self.joined(&[named(part)], plan.width, &[all.iter().sum()], plan.biases.qkv)?,
            Qkv::HeadByHead(part) => self.head_by_head(&named(part))?,
        };
        let (query_norm, key_norm) = match plan.head_norms {
            HeadNorms::None => (None, None),
            HeadNorms::Each => (Some(plan.head_width), Some(plan.head_width)),
            HeadNorms::All => (Some(queries), Some(keys)),
        };
        let names = plan.names.head_norms;
        let query_norm = query_norm.map(|width| self.norm(&named(names[0]), width)).transpose()?;
        let key_norm = key_norm.map(|width| self.norm(&named(names[1]), width)).transpose()?;
        let output = self.joined(&[named(plan.names.output)], queries, &[plan.width], plan.biases.output)?;
        let (inner, bias) = (plan.inner, plan.biases.mlp);
        let mlp_in = match plan.names.mlp_in {
            MlpIn::Plain(part) => self.joined(&[named(part)], plan.width, &[inner], bias)?,
            MlpIn::Gated(names) => self.joined(&names.map(named), plan.width, &[inner, inner], bias)?,
            MlpIn::GatedJoined(part) => self.joined(&[named(part)], plan.width, &[2 * inner], bias)?,
        };
        let mlp_out = self.joined(&[named(plan.names.mlp_out)], inner, &[plan.width], bias)?;
        let norms = plan.names.norms;
        let mut norm = |part: Option<&str>| part.map(|part| self.norm_weights(&named(part), plan.width)).transpose();
        let (before_attention, after_attention) = (norm(norms.before_attention)?, norm(norms.after_attention)?);
        let before_mlp = match norms.before_mlp == norms.before_attention {
            true => before_attention.clone(),
            false => norm(norms.before_mlp)?,
        };
        let after_mlp = norm(norms.after_mlp)?;
        let norm = |weights: Option<NormWeights>| weights.map(|weights| self.norm_of(&weights)).transpose();
        Ok(Layer {
            before_attention: norm(before_attention)?,
            qkv,
            query_norm,
            key_norm,
            output,
            after_attention: norm(after_attention)?,
            before_mlp: norm(before_mlp)?,
            mlp_in,
            mlp_out,
            after_mlp: norm(after_mlp)?,
        })
    }

    /// One linear layer of several of the file, whose outputs are side by side.
    fn joined(&mut self, names: &[String], inputs: usize, outputs: &[usize], biased: bool) -> Result<B::Linear> {
        let order = self.plan.order;
        let mut weights = Vec::with_capacity(names.len());
        let mut biases = Vec::with_capacity(names.len());
        for (name, &outputs) in names.iter().zip(outputs) {
            let shape = match order {
                Order::InputsFirst => [inputs, outputs],
                Order::OutputsFirst => [outputs, inputs],
            };
            weights.push(self.tensors.take_matrix(&format!("{name}.weight"), shape)?);
            if biased {
                biases.push(self.tensors.take(&format!("{name}.bias"), &[outputs])?);
            }
        }
        linear(self.backend, &weights, order, &biases)
    }

    /// The queries of each head of keys, the key and the value, put in the order of all queries, all keys, all values.
    fn head_by_head(&mut self, name: &str) -> Result<B::Linear> {
        let Plan { heads, kv_heads, head_width, width, .. } = *self.plan;
        let outputs = (heads + 2 * kv_heads) * head_width;
        let sorted = |tensor: Tensor| sorted(&tensor, kv_heads, heads / kv_heads, head_width);
        let weight = sorted(self.tensors.take(&format!("{name}.weight"), &[outputs, width])?)?;
        let bias = match self.plan.biases.qkv {
            true => Some(sorted(self.tensors.take(&format!("{name}.bias"), &[outputs])?)?),
            false => None,
        };
        self.backend.load_linear(&weight, Order::OutputsFirst, bias.as_ref())
    }

    /// Queries, keys and values, the pairs of the first two put half a head apart.
    fn interleaved(&mut self, names: &[String; 3], outputs: [usize; 3]) -> Result<B::Linear> {
        let Plan { head_width, width, .. } = *self.plan;
        let pairs_apart = |tensor: Tensor, index: usize| {
            let apart = || {
                let heads = tensor.reshape((outputs[index] / head_width, head_width / 2, 2, ()))?;
                heads.transpose(1, 2)?.contiguous()?.reshape(tensor.dims())
            };
            // Values are not rotated.
            if index == 2 { Ok(tensor.clone()) } else { apart().map_err(candle_error("put pairs apart")) }
        };
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (index, name) in names.iter().enumerate() {
            weights.push(match self.tensors.take_matrix(&format!("{name}.weight"), [outputs[index], width])? {
                Matrix::Plain(weight) => Matrix::Plain(pairs_apart(weight, index)?),
                // Values are not rotated.
                Matrix::Blocks(blocks) if index == 2 => Matrix::Blocks(blocks),
                Matrix::Blocks(blocks) => Matrix::Blocks(blocks.with_rows(|row| row_of_pair(row, head_width))),
            });
            if self.plan.biases.qkv {
                let bias = self.tensors.take(&format!("{name}.bias"), &[outputs[index]])?;
                biases.push(pairs_apart(bias, index)?);
            }
        }
        linear(self.backend, &weights, Order::OutputsFirst, &biases)
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<B::Norm> {
        let weights = self.norm_weights(name, width)?;
        self.norm_of(&weights)
    }

    fn norm_weights(&mut self, name: &str, width: usize) -> Result<NormWeights> {
        let weight = self.tensors.take(&format!("{name}.weight"), &[width])?;
        let bias = match self.plan.norm {
            NormKind::Layer => Some(self.tensors.take(&format!("{name}.bias"), &[width])?),
            NormKind::Rms | NormKind::RmsPlusOne => None,
        };
        Ok(NormWeights { weight, bias })
    }

    fn norm_of(&self, NormWeights { weight, bias }: &NormWeights) -> Result<B::Norm> {
        let epsilon = self.plan.epsilon;
        if let Some(bias) = bias {
            return self.backend.load_norm(weight, bias, epsilon);
        }
        match self.plan.norm {
            NormKind::Layer | NormKind::Rms => self.backend.load_rms_norm(weight, epsilon),
            NormKind::RmsPlusOne => {
                // In 32 bits: half the digits of a small weight would be lost in another type.
                let plus_one = || weight.to_dtype(candle_core::DType::F32)? + 1.0;
                self.backend.load_rms_norm(&plus_one().map_err(candle_error("add one to a norm"))?, epsilon)
            }
        }
    }
}

/// One linear layer of matrices whose outputs are side by side, and of their biases, if they have any.
fn linear<B: Backend>(backend: &B, weights: &[Matrix], order: Order, biases: &[Tensor]) -> Result<B::Linear> {
    let bias = (!biases.is_empty()).then(|| Tensor::cat(biases, 0)).transpose();
    let bias = bias.map_err(candle_error("join biases"))?;
    let blocks = weights.iter().map(|weight| match weight {
        Matrix::Blocks(blocks) => Some(blocks),
        Matrix::Plain(_) => None,
    });
    if let Some(blocks) = blocks.collect::<Option<Vec<_>>>() {
        return backend.load_blocks(&blocks, bias.as_ref());
    }
    let joined = || {
        let weights = weights.iter().map(Matrix::numbers).collect::<candle_core::Result<Vec<_>>>()?;
        Tensor::cat(&weights, usize::from(order == Order::InputsFirst))
    };
    let weight = joined().map_err(candle_error("join matrices"))?;
    backend.load_linear(&weight, order, bias.as_ref())
}

/// `groups` of `queries` heads of queries, a key and a value, as all queries, all keys, all values, in the first dimension.
fn sorted(tensor: &Tensor, groups: usize, queries: usize, width: usize) -> Result<Tensor> {
    let sort = || {
        let heads = tensor.reshape((groups, queries + 2, width, ()))?;
        let part = |from, count| heads.narrow(1, from, count)?.reshape((groups * count * width, ()));
        Tensor::cat(&[part(0, queries)?, part(queries, 1)?, part(queries + 1, 1)?], 0)?.reshape(tensor.dims())
    };
    sort().map_err(candle_error("sort heads"))
}
