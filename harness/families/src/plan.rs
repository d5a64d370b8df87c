//! What there is to know of a model before its weights are read: a description that one machine can run.

use crate::config::Config;
use crate::rope::Rope;
use examiner_api::Result;
use examiner_lm::checkpoint::Activation;

/// A decoder, described.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of tokens.
    pub vocabulary: usize,
    /// Longest sequence, in tokens.
    pub context: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Width of the feed-forward block.
    pub inner: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_width: usize,
    /// The layers, in their order.
    pub layers: Vec<LayerPlan>,
    /// What layers rotate queries and keys by; they refer to them by index.
    pub ropes: Vec<Rope>,
    /// What all norms compute.
    pub norm: NormKind,
    /// Added to the variance or the mean square.
    pub epsilon: f64,
    /// What queries and keys are normalized by.
    pub head_norms: HeadNorms,
    /// Which linear layers have a bias.
    pub biases: Biases,
    /// The function within the feed-forward block.
    pub activation: Activation,
    /// Attention and feed-forward block read the same residual stream, and both are added to it.
    pub parallel: bool,
    /// Attention's scores `s` become `cap · tanh(s / cap)`.
    pub softcap: Option<f32>,
    /// So do logits.
    pub logits_softcap: Option<f32>,
    /// What embeddings are multiplied by.
    pub embedding_scale: f32,
    /// What is multiplied with before it is added to the residual stream.
    pub residual_scale: f32,
    /// What logits are multiplied by.
    pub logits_scale: f32,
    /// Whether the output head is the embedding of tokens.
    pub tied: bool,
    /// The order of the matrices of linear layers in the file. Embeddings and output heads have the outputs first.
    pub order: Order,
    /// What the tensors are called.
    pub names: Names,
}

/// One layer, as far as layers differ.
#[derive(Debug, Clone, Copy)]
pub struct LayerPlan {
    /// What attention's scores are multiplied by.
    pub scale: f32,
    /// A token sees so many positions at most, its own included.
    pub window: Option<usize>,
    /// The index of its rotation in the plan; none for a model with learned positions.
    pub rope: Option<usize>,
}

/// What a norm computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// `(x - mean) / √(variance + epsilon) · weight + bias`.
    Layer,
    /// `x / √(mean square + epsilon) · weight`.
    Rms,
    /// The same with `1 + weight`.
    RmsPlusOne,
}

/// What queries and keys are normalized by before they are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadNorms {
    /// Nothing.
    None,
    /// Each head by itself.
    Each,
    /// All heads of a row together.
    All,
}

/// Which linear layers have a bias.
#[derive(Debug, Clone, Copy)]
pub struct Biases {
    /// Queries, keys and values.
    pub qkv: bool,
    /// What attention ends with.
    pub output: bool,
    /// The feed-forward block.
    pub mlp: bool,
}

impl Biases {
    pub(crate) fn all(there: bool) -> Self {
        Biases { qkv: there, output: there, mlp: there }
    }
}

/// The order of the matrices of linear layers in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `[inputs, outputs]`: GPT-2's `Conv1D`.
    InputsFirst,
    /// `[outputs, inputs]`: linear layers of nearly everything else.
    OutputsFirst,
}

/// What tensors are called.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Before all names but that of the head, unless the file does without.
    pub prefix: &'static str,
    /// The embedding of tokens.
    pub tokens: &'static str,
    /// Learned positions.
    pub positions: Option<&'static str>,
    /// The layers, before their number.
    pub layers: &'static str,
    /// The norm before the output head.
    pub norm: &'static str,
    /// The output head; a name without prefix.
    pub head: &'static str,
    /// What makes queries, keys and values.
    pub qkv: Qkv,
    /// The norms of queries and of keys, where a plan has them.
    pub head_norms: [&'static str; 2],
    /// What attention ends with.
    pub output: &'static str,
    /// The norms of a layer.
    pub norms: Norms,
    /// The first half of the feed-forward block.
    pub mlp_in: MlpIn,
    /// Its second half.
    pub mlp_out: &'static str,
}

/// The matrices of queries, keys and values in the file.
#[derive(Debug, Clone, Copy)]
pub enum Qkv {
    /// Three matrices.
    Apart([&'static str; 3]),
    /// Three matrices; the two values of a pair that is rotated are side by side, not half a head apart.
    Interleaved([&'static str; 3]),
    /// One matrix: all queries, all keys, all values.
    Joined(&'static str),
    /// One matrix: the queries, the key and the value of the first head of keys, of the second, and so on.
    HeadByHead(&'static str),
}

/// Which row of a matrix with the two rows of each pair side by side ([`Qkv::Interleaved`]) comes to a place, if they are put half a head
/// apart. `head` is the rows of a head.
pub fn row_of_pair(place: usize, head: usize) -> usize {
    let (first, place) = (place / head * head, place % head);
    first + place % (head / 2) * 2 + place / (head / 2)
}

/// The matrices of the first half of the feed-forward block in the file.
#[derive(Debug, Clone, Copy)]
pub enum MlpIn {
    /// One matrix, then the activation.
    Plain(&'static str),
    /// The matrix of the gate, whose activation multiplies what the other one gives.
    Gated([&'static str; 2]),
    /// Both in one matrix, the gate first.
    GatedJoined(&'static str),
}

impl MlpIn {
    /// Whether there is a gate.
    pub fn is_gated(self) -> bool {
        !matches!(self, MlpIn::Plain(_))
    }
}

/// The norms of a layer: before and after attention, before and after the feed-forward block. Those before the two may be
/// one, under one name.
#[derive(Debug, Clone, Copy)]
pub struct Norms {
    /// Before attention.
    pub before_attention: Option<&'static str>,
    /// After attention, before it is added to the residual stream.
    pub after_attention: Option<&'static str>,
    /// Before the feed-forward block.
    pub before_mlp: Option<&'static str>,
    /// After the feed-forward block, before it is added to the residual stream.
    pub after_mlp: Option<&'static str>,
}

impl Plan {
    /// Gives a window to the layers that slide. One that is no narrower than the context changes nothing.
    pub(crate) fn slide(&mut self, window: Option<usize>, slides: impl Fn(usize) -> bool) {
        let context = self.context;
        let window = window.filter(|window| *window < context);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.window = window.filter(|_| slides(index));
        }
    }

    /// Sets what all layers multiply attention's scores by.
    pub(crate) fn scale_attention(&mut self, scale: f64) {
        self.layers.iter_mut().for_each(|layer| layer.scale = scale as f32);
    }

    /// Refuses sizes that do not fit each other.
    pub(crate) fn check(&self, config: &Config<'_>) -> Result<()> {
        if self.head_width == 0 {
            return Err(
                config.wrong(format!("{} heads share {} values; expected at least one each", self.heads, self.width))
            );
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(config.wrong(format!(
                "`num_attention_heads` ({}) must be a multiple of `num_key_value_heads` ({})",
                self.heads, self.kv_heads
            )));
        }
        Ok(())
    }
}
