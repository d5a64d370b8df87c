//! OLMo 2: Llama with norms after the blocks instead of before them, and norms of all queries and all keys.

use super::llama;
use super::plan::{Biases, HeadNorms, Norms, Plan};
use crate::config::Config;
use examiner_api::Result;

pub(super) fn plan(config: &Config<'_>) -> Result<Plan> {
    let mut plan = llama::like(config, None)?;
    plan.epsilon = config.number("rms_norm_eps")?.unwrap_or(1e-5);
    plan.biases = Biases { mlp: false, ..Biases::all(config.flag("attention_bias", false)?) };
    plan.head_norms = HeadNorms::All;
    plan.names.norms = Norms {
        before_attention: None,
        after_attention: Some("post_attention_layernorm"),
        before_mlp: None,
        after_mlp: Some("post_feedforward_layernorm"),
    };
    Ok(plan)
}
