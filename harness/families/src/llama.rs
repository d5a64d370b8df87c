//! Llama (2, 3, TinyLlama, SmolLM) and Mistral, which is Llama with a window.
//!
//! Most families of today are Llama but for a thing or two; their files begin with the plan of this one.

use super::plan::{Biases, HeadNorms, LayerPlan, MlpIn, Names, NormKind, Norms, Order, Plan, Qkv};
use super::rope::{Rope, Source};
use crate::config::Config;
use examiner_api::Result;
use examiner_lm::checkpoint::Activation;

pub(super) fn plan(config: &Config<'_>) -> Result<Plan> {
    let mut plan = like(config, None)?;
    let attention = config.flag("attention_bias", false)?;
    plan.biases = Biases { qkv: attention, output: attention, mlp: config.flag("mlp_bias", false)? };
    Ok(plan)
}

pub(super) fn mistral(config: &Config<'_>) -> Result<Plan> {
    let mut plan = like(config, None)?;
    let slides = config.sliding_layers(plan.layers.len())?;
    plan.slide(config.size("sliding_window")?, |layer| slides.as_ref().is_none_or(|slides| slides[layer]));
    Ok(plan)
}

/// What Llama and those like it have in common, under the names that they all use. `head_width` holds where `head_dim` is
/// missing; without it, heads share the width of the residual stream.
pub(super) fn like(config: &Config<'_>, head_width: Option<usize>) -> Result<Plan> {
    rotated(config, head_width, Source::USUAL)
}

/// The same with another rotation.
pub(super) fn rotated(config: &Config<'_>, head_width: Option<usize>, source: Source<'_>) -> Result<Plan> {
    let width = config.needed_size("hidden_size")?;
    let heads = config.needed_size("num_attention_heads")?;
    let head_width = match config.size("head_dim")?.or(head_width) {
        Some(head_width) => head_width,
        None if width.is_multiple_of(heads) => width / heads,
        None => {
            return Err(config.wrong(format!(
                "`hidden_size` ({width}) must be a multiple of `num_attention_heads` ({heads}) where there is no `head_dim`"
            )));
        }
    };
    // What is computed for each value of a head comes before weights are read, too.
    config.at_most("head_dim", head_width, 1 << 16)?;
    let rope = Rope::read(config, head_width, source)?;
    let context = config.needed_size("max_position_embeddings")?;
    let layer = LayerPlan { scale: (head_width as f64).powf(-0.5) as f32, window: None, rope: Some(0) };
    Ok(Plan {
        vocabulary: config.needed_size("vocab_size")?,
        context: rope.context.map_or(context, |longest| longest.min(context)),
        width,
        inner: config.needed_size("intermediate_size")?,
        heads,
        kv_heads: config.size("num_key_value_heads")?.unwrap_or(heads),
        head_width,
        layers: vec![layer; config.layers("num_hidden_layers")?],
        ropes: vec![rope],
        norm: NormKind::Rms,
        epsilon: config.number("rms_norm_eps")?.unwrap_or(1e-6),
        head_norms: HeadNorms::None,
        biases: Biases::all(false),
        activation: config.activation("hidden_act", Activation::Silu)?,
        parallel: false,
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
    prefix: "model.",
    tokens: "embed_tokens",
    positions: None,
    layers: "layers",
    norm: "norm",
    head: "lm_head",
    qkv: Qkv::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    head_norms: ["self_attn.q_norm", "self_attn.k_norm"],
    output: "self_attn.o_proj",
    norms: Norms {
        before_attention: Some("input_layernorm"),
        after_attention: None,
        before_mlp: Some("post_attention_layernorm"),
        after_mlp: None,
    },
    mlp_in: MlpIn::Gated(["mlp.gate_proj", "mlp.up_proj"]),
    mlp_out: "mlp.down_proj",
};
