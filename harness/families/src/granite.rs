//! Granite: Llama with four factors, on embeddings, attention's scores, what is added to the residual stream, and logits.

use super::llama;
use super::plan::Plan;
use crate::config::Config;
use examiner_api::Result;

pub(super) fn plan(config: &Config<'_>) -> Result<Plan> {
    let mut plan = llama::plan(config)?;
    let factor = |name: &str| Ok::<_, examiner_api::PluginError>(config.number(name)?.unwrap_or(1.0));
    plan.scale_attention(factor("attention_multiplier")?);
    plan.embedding_scale = factor("embedding_multiplier")? as f32;
    plan.residual_scale = factor("residual_multiplier")? as f32;
    plan.logits_scale = (1.0 / factor("logits_scaling")?) as f32;
    Ok(plan)
}
