//! Plans for GGUF files: the families' own, with the names that such files give to tensors, and with what converters have
//! done to them.

use crate::Gguf;
use crate::config::INTERLEAVED;
use examiner_api::Result;
use examiner_families::{Biases, Config, MlpIn, Names, NormKind, Norms, Order, Plan, Qkv};

/// What the frequencies of a rotation are divided by.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// The plan of a GGUF file; `config` is what [`config`](crate::config) made of it.
///
/// # Errors
/// As for other checkpoints, and `BadInput` for factors that do not fit the rotation.
pub fn plan(config: &Config<'_>, gguf: &Gguf) -> Result<Plan> {
    let Some(mut plan) = examiner_families::plan(config)? else {
        return Err(config.unsupported(format!("`model_type: {}` is no family that is read", config.model_type())));
    };
    let interleaved = INTERLEAVED.contains(&config.model_type());
    plan.names = names(plan.names, interleaved);
    // Converters transpose the matrices of GPT-2, and add the one to Gemma's norms.
    plan.order = Order::OutputsFirst;
    if plan.norm == NormKind::RmsPlusOne {
        plan.norm = NormKind::Rms;
    }
    let biased = |parts: &[&str]| parts.iter().any(|part| gguf.has(&format!("blk.0.{part}.bias")));
    plan.biases =
        Biases { qkv: biased(&["attn_q", "attn_qkv"]), output: biased(&["attn_output"]), mlp: biased(&["ffn_up"]) };
    if let Some(factors) = gguf.vector(ROPE_FACTORS)? {
        divide(config, &mut plan, &factors)?;
    }
    Ok(plan)
}

fn divide(config: &Config<'_>, plan: &mut Plan, factors: &[f32]) -> Result<()> {
    let Some(rope) = plan.ropes.first_mut() else {
        return Err(config.wrong(format!("has `{ROPE_FACTORS}`, but the model rotates nothing")));
    };
    let pairs = rope.rotated() / 2;
    if factors.len() != pairs {
        let found = factors.len();
        return Err(config.wrong(format!(
            "tensor `{ROPE_FACTORS}` has {found} values; expected {pairs}, one for each pair of a head"
        )));
    }
    rope.divide(factors);
    Ok(())
}

/// What files call the tensors of a plan.
fn names(names: Names, interleaved: bool) -> Names {
    let apart = ["attn_q", "attn_k", "attn_v"];
    Names {
        prefix: "",
        tokens: "token_embd",
        positions: names.positions.map(|_| "position_embd"),
        layers: "blk",
        norm: "output_norm",
        head: "output",
        qkv: match names.qkv {
            Qkv::Apart(_) | Qkv::Interleaved(_) if interleaved => Qkv::Interleaved(apart),
            Qkv::Apart(_) | Qkv::Interleaved(_) => Qkv::Apart(apart),
            // Converters also put heads in order.
            Qkv::Joined(_) | Qkv::HeadByHead(_) => Qkv::Joined("attn_qkv"),
        },
        head_norms: ["attn_q_norm", "attn_k_norm"],
        output: "attn_output",
        norms: Norms {
            before_attention: names.norms.before_attention.map(|_| "attn_norm"),
            after_attention: names.norms.after_attention.map(|_| "post_attention_norm"),
            before_mlp: names.norms.before_mlp.map(|_| "ffn_norm"),
            after_mlp: names.norms.after_mlp.map(|_| "post_ffw_norm"),
        },
        mlp_in: match names.mlp_in {
            MlpIn::Plain(_) => MlpIn::Plain("ffn_up"),
            MlpIn::Gated(_) => MlpIn::Gated(["ffn_gate", "ffn_up"]),
            MlpIn::GatedJoined(_) => MlpIn::GatedJoined("ffn_up"),
        },
        mlp_out: "ffn_down",
    }
}
