//! Qwen 2 (and 2.5): Llama with biases on queries, keys and values. Qwen 3: without them, and with norms of each head.

use super::llama;
use super::plan::{Biases, HeadNorms, Plan};
use crate::config::Config;
use examiner_api::Result;

pub(super) fn qwen2(config: &Config<'_>) -> Result<Plan> {
    let mut plan = llama::like(config, None)?;
    plan.biases = Biases { qkv: true, output: false, mlp: false };
    slide(config, &mut plan)?;
    Ok(plan)
}

pub(super) fn qwen3(config: &Config<'_>) -> Result<Plan> {
    let mut plan = llama::like(config, Some(128))?;
    let attention = config.flag("attention_bias", false)?;
    plan.biases = Biases { qkv: attention, output: attention, mlp: false };
    plan.head_norms = HeadNorms::Each;
    slide(config, &mut plan)?;
    Ok(plan)
}

/// The layers from `max_window_layers` on may have a window; nearly no checkpoint uses it.
fn slide(config: &Config<'_>, plan: &mut Plan) -> Result<()> {
    if config.flag("use_sliding_window", false)? {
        let slides = config.sliding_layers(plan.layers.len())?;
        let full = config.count("max_window_layers")?.unwrap_or(28);
        // Left out is not `null`: a configuration that says nothing has this window.
        let window = if config.has("sliding_window") { config.size("sliding_window")? } else { Some(4096) };
        plan.slide(window, |layer| slides.as_ref().map_or(layer >= full, |slides| slides[layer]));
    }
    Ok(())
}
