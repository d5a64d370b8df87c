//! GPT-NeoX and Pythia: layer norms and biases throughout, a quarter of each head rotated, attention and feed-forward
//! block side by side.

use super::plan::{Biases, HeadNorms, LayerPlan, MlpIn, Names, NormKind, Norms, Order, Plan, Qkv};
use super::rope::{Rope, Source};
use crate::config::Config;
use examiner_api::Result;
use examiner_lm::checkpoint::Activation;

pub(super) fn plan(config: &Config<'_>) -> Result<Plan> {
    let width = config.needed_size("hidden_size")?;
    let heads = config.needed_size("num_attention_heads")?;
    let head_width = config.head_width(width, heads)?;
    let source = Source { theta: "rotary_emb_base", partial: Some(("rotary_pct", 0.25)), ..Source::USUAL };
    let rope = Rope::read(config, head_width, source)?;
    let attention = config.flag("attention_bias", true)?;
    let layer = LayerPlan { scale: (head_width as f64).powf(-0.5) as f32, window: None, rope: Some(0) };
    Ok(Plan {
        vocabulary: config.needed_size("vocab_size")?,
        context: config.needed_size("max_position_embeddings")?,
        width,
        inner: config.needed_size("intermediate_size")?,
        heads,
        kv_heads: heads,
        head_width,
        layers: vec![layer; config.layers("num_hidden_layers")?],
        ropes: vec![rope],
        norm: NormKind::Layer,
        epsilon: config.number("layer_norm_eps")?.unwrap_or(1e-5),
        head_norms: HeadNorms::None,
        biases: Biases { qkv: attention, output: attention, mlp: true },
        activation: config.activation("hidden_act", Activation::Gelu)?,
        parallel: config.flag("use_parallel_residual", true)?,
        softcap: None,
        logits_softcap: None,
        embedding_scale: 1.0,
        residual_scale: 1.0,
        logits_scale: 1.0,
        tied: config.flag("tie_word_embeddings", false)?,
        order: Order::OutputsFirst,
        names: NAMES,
    })
}

/// Names of tensors.
const NAMES: Names = Names {
    prefix: "gpt_neox.",
    tokens: "embed_in",
    positions: None,
    layers: "layers",
    norm: "final_layer_norm",
    head: "embed_out",
    qkv: Qkv::HeadByHead("attention.query_key_value"),
    head_norms: ["", ""],
    output: "attention.dense",
    norms: Norms {
        before_attention: Some("input_layernorm"),
        after_attention: None,
        before_mlp: Some("post_attention_layernorm"),
        after_mlp: None,
    },
    mlp_in: MlpIn::Plain("mlp.dense_h_to_4h"),
    mlp_out: "mlp.dense_4h_to_h",
};
