//! Phi-3 and Phi-4-mini: Llama with one matrix for queries, keys and values and one for gate and input.

use super::llama;
use super::plan::{MlpIn, Plan, Qkv};
use super::rope::Source;
use crate::config::Config;
use examiner_api::Result;

pub(super) fn plan(config: &Config<'_>) -> Result<Plan> {
    let source = Source { partial: Some(("partial_rotary_factor", 1.0)), ..Source::USUAL };
    let mut plan = llama::rotated(config, None, source)?;
    plan.names.qkv = Qkv::Joined("self_attn.qkv_proj");
    plan.names.mlp_in = MlpIn::GatedJoined("mlp.gate_up_proj");
    plan.epsilon = config.number("rms_norm_eps")?.unwrap_or(1e-5);
    plan.slide(config.size("sliding_window")?, |_| true);
    Ok(plan)
}
