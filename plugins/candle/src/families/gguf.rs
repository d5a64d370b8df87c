//! Plans for GGUF files: the families' own, with the names that such files give to tensors.

use super::config::Config;
use super::plan::{MlpIn, Names, Norms, Plan, Qkv};
use examiner_api::{PluginError, Result};

/// The families that are read from GGUF files; `llama` is Mistral's name there, too.
const FAMILIES: [&str; 3] = ["llama", "qwen2", "qwen3"];

/// The plan of a GGUF file's configuration. `factors` divide the frequencies of the rotation.
///
/// # Errors
/// `Unsupported` for another family.
pub(crate) fn plan(config: &Config<'_>, factors: Option<Vec<f32>>) -> Result<Plan> {
    let family = config.model_type();
    if !FAMILIES.contains(&family) {
        return Err(PluginError::unsupported(format!(
            "`{}` has `general.architecture: {family}`; from GGUF files the plugin `candle` reads `{}`",
            config.path().display(),
            FAMILIES.join("`, `")
        ))
        .with_help("use the checkpoint's safetensors files"));
    }
    let mut plan = super::plan(config)?;
    let queries_keys_values = ["attn_q", "attn_k", "attn_v"];
    plan.names = NAMES;
    if family == "llama" {
        plan.names.qkv = Qkv::Interleaved(queries_keys_values);
    }
    if let Some(factors) = factors {
        let pairs = plan.ropes[0].rotated() / 2;
        if factors.len() != pairs {
            return Err(config.wrong(format!(
                "tensor `rope_freqs.weight` has {} values; expected {pairs}, one for each pair of a head",
                factors.len()
            )));
        }
        plan.ropes[0].divide(&factors);
    }
    Ok(plan)
}

/// Names of tensors.
const NAMES: Names = Names {
    prefix: "",
    tokens: "token_embd",
    positions: None,
    layers: "blk",
    norm: "output_norm",
    head: "output",
    qkv: Qkv::Apart(["attn_q", "attn_k", "attn_v"]),
    head_norms: ["attn_q_norm", "attn_k_norm"],
    output: "attn_output",
    norms: Norms {
        before_attention: Some("attn_norm"),
        after_attention: None,
        before_mlp: Some("ffn_norm"),
        after_mlp: None,
    },
    mlp_in: MlpIn::Gated(["ffn_gate", "ffn_up"]),
    mlp_out: "ffn_down",
};
