//! GPT-2: learned positions, layer norms and biases throughout, one matrix for queries, keys and values.

use super::plan::{Biases, HeadNorms, LayerPlan, MlpIn, Names, NormKind, Norms, Order, Plan, Qkv};
use crate::config::Config;
use examiner_api::Result;
use examiner_lm::checkpoint::Gpt2Config;

pub(super) fn plan(config: &Config<'_>) -> Result<Plan> {
    let config = Gpt2Config::read(config.json(), config.path())?;
    let layer = |index| LayerPlan { scale: config.attention_scale(index), window: None, rope: None };
    Ok(Plan {
        vocabulary: config.vocab_size,
        context: config.n_positions,
        width: config.n_embd,
        inner: config.n_inner,
        heads: config.n_head,
        kv_heads: config.n_head,
        head_width: config.n_embd / config.n_head,
        layers: (0..config.n_layer).map(layer).collect(),
        ropes: Vec::new(),
        norm: NormKind::Layer,
        epsilon: config.layer_norm_epsilon,
        head_norms: HeadNorms::None,
        biases: Biases::all(true),
        activation: config.activation,
        parallel: false,
        softcap: None,
        logits_softcap: None,
        embedding_scale: 1.0,
        residual_scale: 1.0,
        logits_scale: 1.0,
        tied: config.tie_word_embeddings,
        order: Order::InputsFirst,
        names: NAMES,
    })
}

/// Names of tensors. With the output head, they have the prefix; without it, they do not.
const NAMES: Names = Names {
    prefix: "transformer.",
    tokens: "wte",
    positions: Some("wpe"),
    layers: "h",
    norm: "ln_f",
    head: "lm_head",
    qkv: Qkv::Joined("attn.c_attn"),
    head_norms: ["", ""],
    output: "attn.c_proj",
    norms: Norms { before_attention: Some("ln_1"), after_attention: None, before_mlp: Some("ln_2"), after_mlp: None },
    mlp_in: MlpIn::Plain("mlp.c_fc"),
    mlp_out: "mlp.c_proj",
};
