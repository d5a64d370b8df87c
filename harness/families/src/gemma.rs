//! Gemma 2 and Gemma 3's text models: norms by `1 + weight` on both sides of each block, scaled embeddings, windows on
//! most layers. Gemma 2 caps scores and logits; Gemma 3 normalizes heads and rotates layers with a window otherwise.

use super::llama;
use super::plan::{Biases, HeadNorms, NormKind, Norms, Plan};
use super::rope::{Rope, Source};
use crate::config::Config;
use examiner_api::Result;
use examiner_lm::checkpoint::Activation;

pub(super) fn gemma2(config: &Config<'_>) -> Result<Plan> {
    let mut plan = like(config)?;
    plan.softcap = cap(config, "attn_logit_softcapping", 50.0)?;
    plan.logits_softcap = cap(config, "final_logit_softcapping", 30.0)?;
    let slides = config.sliding_layers(plan.layers.len())?;
    let window = config.size("sliding_window")?;
    plan.slide(window, |layer| slides.as_ref().map_or(layer.is_multiple_of(2), |slides| slides[layer]));
    Ok(plan)
}

pub(super) fn gemma3(config: &Config<'_>) -> Result<Plan> {
    let mut plan = like(config)?;
    if config.flag("use_bidirectional_attention", false)? {
        return Err(config.unsupported("`use_bidirectional_attention` is not supported".to_owned()));
    }
    plan.head_norms = HeadNorms::Each;
    plan.logits_softcap = config.number("final_logit_softcapping")?.map(|cap| cap as f32);
    let pattern = match config.size("sliding_window_pattern")? {
        Some(pattern) => pattern,
        None => config.size("_sliding_window_pattern")?.unwrap_or(6),
    };
    let slides = match config.sliding_layers(plan.layers.len())? {
        Some(slides) => slides,
        None => (1..=plan.layers.len()).map(|layer| !layer.is_multiple_of(pattern)).collect(),
    };
    plan.slide(config.size("sliding_window")?, |layer| slides[layer]);
    let far = Source { default_theta: 1_000_000.0, ..Source::USUAL };
    let near =
        Source { layer_type: "sliding_attention", theta: "rope_local_base_freq", scaled: false, ..Source::USUAL };
    plan.ropes = vec![Rope::read(config, plan.head_width, far)?, Rope::read(config, plan.head_width, near)?];
    for (layer, slides) in plan.layers.iter_mut().zip(slides) {
        layer.rope = Some(usize::from(slides));
    }
    Ok(plan)
}

/// What both have in common.
fn like(config: &Config<'_>) -> Result<Plan> {
    let mut plan = llama::like(config, Some(256))?;
    plan.norm = NormKind::RmsPlusOne;
    plan.activation = config.activation("hidden_activation", Activation::GeluTanh)?;
    plan.biases = Biases { mlp: false, ..Biases::all(config.flag("attention_bias", false)?) };
    plan.tied = config.flag("tie_word_embeddings", true)?;
    plan.names.norms = Norms {
        before_attention: Some("input_layernorm"),
        after_attention: Some("post_attention_layernorm"),
        before_mlp: Some("pre_feedforward_layernorm"),
        after_mlp: Some("post_feedforward_layernorm"),
    };
    plan.scale_attention(config.number("query_pre_attn_scalar")?.unwrap_or(256.0).powf(-0.5));
    // The model's own code keeps the factor in the number type of its weights.
    plan.embedding_scale = config.precision().round((plan.width as f64).sqrt() as f32);
    Ok(plan)
}

/// A cap that `null` switches off and silence does not.
fn cap(config: &Config<'_>, name: &str, default: f32) -> Result<Option<f32>> {
    match config.json().get(name) {
        None => Ok(Some(default)),
        Some(_) => Ok(config.number(name)?.map(|cap| cap as f32)),
    }
}
