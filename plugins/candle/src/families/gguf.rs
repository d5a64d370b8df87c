//! Plans for GGUF files: the families' own, with the names that such files give to tensors, and with what converters have
//! done to them.

mod config;

pub(crate) use config::config;

use crate::gguf::Gguf;
use examiner_api::Result;
use examiner_families::{Biases, Config, MlpIn, Names, NormKind, Norms, Order, Plan, Qkv};

/// Architectures as GGUF names them, and the families that they are. `llama` is Mistral's name there, too.
const ARCHITECTURES: [(&str, &str); 10] = [
    ("gpt2", "gpt2"),
    ("llama", "llama"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("phi3", "phi3"),
    ("olmo2", "olmo2"),
    ("granite", "granite"),
    ("gptneox", "gpt_neox"),
];

/// Families of which converters put the two values of a pair that is rotated side by side.
const INTERLEAVED: [&str; 3] = ["llama", "mistral", "granite"];

/// What the frequencies of a rotation are divided by.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// The plan of a GGUF file; `config` is what [`config()`] made of it.
///
/// # Errors
/// As for other checkpoints, and `BadInput` for factors that do not fit the rotation.
pub(crate) fn plan(config: &Config<'_>, gguf: &mut Gguf) -> Result<Plan> {
    let mut plan = super::plan(config)?;
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
