//! What there is to know of a model before its weights are read: a description that one machine can run.

use super::config::Config;
use super::rope::Rope;
use examiner_api::Result;
use examiner_kernels::Order;
use examiner_lm::checkpoint::Activation;

/// A decoder, described.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) vocabulary: usize,
    /// Longest sequence, in tokens.
    pub(crate) context: usize,
    /// Width of the residual stream.
    pub(crate) width: usize,
    /// Width of the feed-forward block.
    pub(crate) inner: usize,
    /// Heads of queries.
    pub(crate) heads: usize,
    /// Heads of keys and values.
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) layers: Vec<LayerPlan>,
    /// What layers rotate queries and keys by; they refer to them by index.
    pub(crate) ropes: Vec<Rope>,
    pub(crate) norm: NormKind,
    /// Added to the variance or the mean square.
    pub(crate) epsilon: f64,
    pub(crate) head_norms: HeadNorms,
    pub(crate) biases: Biases,
    pub(crate) activation: Activation,
    /// Attention and feed-forward block read the same residual stream, and both are added to it.
    pub(crate) parallel: bool,
    /// Attention's scores `s` become `cap · tanh(s / cap)`.
    pub(crate) softcap: Option<f32>,
    /// So do logits.
    pub(crate) logits_softcap: Option<f32>,
    /// What embeddings are multiplied by.
    pub(crate) embedding_scale: f32,
    /// What is multiplied with before it is added to the residual stream.
    pub(crate) residual_scale: f32,
    /// What logits are multiplied by.
    pub(crate) logits_scale: f32,
    /// Whether the output head is the embedding of tokens.
    pub(crate) tied: bool,
    /// The order of the matrices of linear layers in the file.
    pub(crate) order: Order,
    pub(crate) names: Names,
}

/// One layer, as far as layers differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerPlan {
    /// What attention's scores are multiplied by.
    pub(crate) scale: f32,
    /// A token sees so many positions at most, its own included.
    pub(crate) window: Option<usize>,
    /// The index of its rotation in the plan; none for a model with learned positions.
    pub(crate) rope: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormKind {
    /// `(x - mean) / √(variance + epsilon) · weight + bias`.
    Layer,
    /// `x / √(mean square + epsilon) · weight`.
    Rms,
    /// The same with `1 + weight`.
    RmsPlusOne,
}

/// What queries and keys are normalized by before they are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadNorms {
    None,
    /// Each head by itself.
    Each,
    /// All heads of a row together.
    All,
}

/// Which linear layers have a bias.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Biases {
    /// Queries, keys and values.
    pub(crate) qkv: bool,
    /// What attention ends with.
    pub(crate) output: bool,
    /// The feed-forward block.
    pub(crate) mlp: bool,
}

impl Biases {
    pub(crate) fn all(there: bool) -> Self {
        Biases { qkv: there, output: there, mlp: there }
    }
}

/// What tensors are called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    /// Before all names but that of the head, unless the file does without.
    pub(crate) prefix: &'static str,
    pub(crate) tokens: &'static str,
    /// Learned positions.
    pub(crate) positions: Option<&'static str>,
    pub(crate) layers: &'static str,
    pub(crate) norm: &'static str,
    pub(crate) head: &'static str,
    pub(crate) qkv: Qkv,
    /// The norms of queries and of keys, where a plan has them.
    pub(crate) head_norms: [&'static str; 2],
    pub(crate) output: &'static str,
    pub(crate) norms: Norms,
    pub(crate) mlp_in: MlpIn,
    pub(crate) mlp_out: &'static str,
}

/// The matrices of queries, keys and values in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Qkv {
    /// Three matrices.
    Apart([&'static str; 3]),
    /// Three matrices; the two values of a pair that is rotated are side by side, not half a head apart.
    Interleaved([&'static str; 3]),
    /// One matrix: all queries, all keys, all values.
    Joined(&'static str),
    /// One matrix: the queries, the key and the value of the first head of keys, of the second, and so on.
    HeadByHead(&'static str),
}

/// The matrices of the first half of the feed-forward block in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MlpIn {
    /// One matrix, then the activation.
    Plain(&'static str),
    /// The matrix of the gate, whose activation multiplies what the other one gives.
    Gated([&'static str; 2]),
    /// Both in one matrix, the gate first.
    GatedJoined(&'static str),
}

impl MlpIn {
    pub(crate) fn is_gated(self) -> bool {
        !matches!(self, MlpIn::Plain(_))
    }
}

/// The norms of a layer: before and after attention, before and after the feed-forward block. Those before the two may be
/// one, under one name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norms {
    pub(crate) before_attention: Option<&'static str>,
    pub(crate) after_attention: Option<&'static str>,
    pub(crate) before_mlp: Option<&'static str>,
    pub(crate) after_mlp: Option<&'static str>,
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
