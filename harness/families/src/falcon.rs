//! Falcon: attention and feed-forward block side by side, behind one norm or one each, and few heads of keys.

use super::plan::{Biases, HeadNorms, LayerPlan, MlpIn, Names, NormKind, Norms, Order, Plan, Qkv};
use super::rope::{Rope, Source};
use crate::config::Config;
use examiner_api::Result;
use examiner_lm::checkpoint::Activation;

pub(super) fn plan(config: &Config<'_>) -> Result<Plan> {
    let width = config.needed_size("hidden_size")?;
    let heads = config.needed_size("num_attention_heads")?;
    let head_width = config.head_width(width, heads)?;
    if config.flag("alibi", false)? {
        return Err(config.unsupported("`alibi` is not supported; rotated positions are".to_owned()));
    }
    let rope = Rope::read(config, head_width, Source::USUAL)?;
    let context = config.size("max_position_embeddings")?.unwrap_or(2048);
    let grouped = config.flag("new_decoder_architecture", false)?;
    let parallel = config.flag("parallel_attn", true)?;
    let few_keys = config.flag("multi_query", true)?;
    let kv_heads = match (grouped, few_keys) {
        (true, _) => config.size("num_kv_heads")?.unwrap_or(heads),
        (false, true) => 1,
        (false, false) => heads,
    };
    let mut names = NAMES;
    names.norms = norms(config, grouped, parallel)?;
    if !grouped && few_keys {
        names.qkv = Qkv::Joined(QKV);
    }
    let layer = LayerPlan { scale: (head_width as f64).powf(-0.5) as f32, window: None, rope: Some(0) };
    Ok(Plan {
        vocabulary: config.needed_size("vocab_size")?,
        context: rope.context.map_or(context, |longest| longest.min(context)),
        width,
        inner: config.size("ffn_hidden_size")?.unwrap_or(4 * width),
        heads,
        kv_heads,
        head_width,
        layers: vec![layer; config.layers("num_hidden_layers")?],
        ropes: vec![rope],
        norm: NormKind::Layer,
        epsilon: config.number("layer_norm_epsilon")?.unwrap_or(1e-5),
        head_norms: HeadNorms::None,
        biases: Biases::all(config.flag("bias", false)?),
        activation: config.activation("activation", Activation::Gelu)?,
        parallel,
        softcap: None,
        logits_softcap: None,
        embedding_scale: 1.0,
        residual_scale: 1.0,
        logits_scale: 1.0,
        tied: config.flag("tie_word_embeddings", true)?,
        order: Order::OutputsFirst,
        names,
    })
}

/// The norms before the two blocks.
fn norms(config: &Config<'_>, grouped: bool, parallel: bool) -> Result<Norms> {
    let count = config.size("num_ln_in_parallel_attn")?;
    let [attention, mlp] = match (grouped, parallel, count) {
        (true, true, None | Some(2)) => ["ln_attn", "ln_mlp"],
        (true, true, Some(1)) | (false, true, None | Some(1)) => ["input_layernorm"; 2],
        (false, false, None) => ["input_layernorm", "post_attention_layernorm"],
        _ => {
            let count = count.map_or("null".to_owned(), |count| count.to_string());
            return Err(config.unsupported(format!(
                "`num_ln_in_parallel_attn: {count}` with `new_decoder_architecture: {grouped}` and `parallel_attn: {parallel}` \
                 is not supported"
            )));
        }
    };
    Ok(Norms { before_attention: Some(attention), before_mlp: Some(mlp), ..NAMES.norms })
}

const QKV: &str = "self_attention.query_key_value";

/// Names of tensors.
const NAMES: Names = Names {
    prefix: "transformer.",
    tokens: "word_embeddings",
    positions: None,
    layers: "h",
    norm: "ln_f",
    head: "lm_head",
    qkv: Qkv::HeadByHead(QKV),
    head_norms: ["", ""],
    output: "self_attention.dense",
    norms: Norms { before_attention: None, after_attention: None, before_mlp: None, after_mlp: None },
    mlp_in: MlpIn::Plain("mlp.dense_h_to_4h"),
    mlp_out: "mlp.dense_4h_to_h",
};
