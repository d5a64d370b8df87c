//! The families that `candle-transformers` computes: for each, what transformers honours in `config.json`, and the crate's
//! model. To add one, write its function and name it in [`FAMILIES`].

use super::fields::{Fields, HeadWidth, Heads};
use super::sequence::{Gives, Model, Passes, Run, Sequence};
use super::weights::Tied;
use candle_core::{DType, Result as CandleResult, Tensor};
use candle_nn::{Module, RmsNorm, VarBuilder};
use candle_transformers::models::{
    deepseek2, gemma, glm4_new, mamba, mixtral, phi, qwen2_moe, qwen3_moe, stable_lm, starcoder2,
};
use candle_transformers::utils::build_additive_causal_mask;
use examiner_api::Result;
use examiner_families::Config;
use serde_json::{Value, json};

/// What a family makes of `config.json`.
pub(super) struct Description {
    /// Longest sequence, in tokens.
    pub(super) context: usize,
    /// Values that a position takes in a cache.
    pub(super) cached: usize,
    pub(super) gives: Gives,
    pub(super) passes: Passes,
    /// Whether a sequence can be copied at any position.
    pub(super) forks: bool,
    /// The output head, if it is the embedding.
    pub(super) tied: Option<Tied>,
    /// A name that the crate has, with that of files.
    pub(super) renamed: Option<(&'static str, &'static str)>,
    /// Builds the crate's model, with an empty cache.
    pub(super) make: Make,
}

type Make = Box<dyn Fn(VarBuilder<'static>) -> CandleResult<Box<dyn Sequence>> + Send>;
type Read = fn(&Config<'_>) -> Result<Description>;

/// All of them, by `model_type`.
pub(super) const FAMILIES: [(&str, Read); 10] = [
    ("mixtral", mixtral),
    ("qwen2_moe", qwen2_moe),
    ("qwen3_moe", qwen3_moe),
    ("deepseek_v2", deepseek_v2),
    ("gemma", gemma),
    ("glm4", glm4),
    ("phi", phi),
    ("stablelm", stablelm),
    ("starcoder2", starcoder2),
    ("mamba", mamba),
];

/// The tensors of a head and an embedding, as nearly all families call them.
const HEAD: Tied = Tied { head: "lm_head.weight", embedding: "model.embed_tokens.weight" };
/// Activations that the crate computes as transformers does.
const ACTIVATIONS: [&str; 5] = ["silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu"];

/// Sizes that all families but Mamba have.
const SIZES: [&str; 6] = [
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
];

/// A model that gives the logits of the last token alone, and whose copies are independent.
fn description(context: usize, cached: usize, tied: bool, make: Make) -> Description {
    Description {
        context,
        cached,
        gives: Gives::LastLogits,
        passes: Passes::Any,
        forks: true,
        tied: tied.then_some(HEAD),
        renamed: None,
        make,
    }
}

/// How the crate builds a model of type `M`.
type New<C, M> = fn(&C, VarBuilder<'static>) -> CandleResult<M>;

/// Sequences of a model whose clone is a copy.
fn cloned<C, M>(config: C, new: New<C, M>, run: Run<M>) -> Make
where
    C: Send + 'static,
    M: Clone + Send + 'static,
{
    Box::new(move |weights| {
        let model = new(&config, weights)?;
        Ok(Box::new(Model { model, run, copy: Some(M::clone), clear: None }))
    })
}

/// Sequences of a model that cannot be copied.
fn apart<C, M>(config: C, new: New<C, M>, run: Run<M>, clear: Option<fn(&mut M)>) -> Make
where
    C: Send + 'static,
    M: Send + 'static,
{
    Box::new(move |weights| Ok(Box::new(Model { model: new(&config, weights)?, run, copy: None, clear })))
}

/// The activation, in the order of preference of [`Fields::only`]: the first is what is taken without.
fn activation(fields: &mut Fields<'_>, usual: &str) -> Result<()> {
    let others = ACTIVATIONS.iter().filter(|name| **name != usual);
    let all: Vec<Value> = std::iter::once(&usual).chain(others).map(|name| json!(name)).collect();
    fields.only("hidden_act", &all)
}

fn mixtral(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &SIZES)?;
    let Heads { width, cached } = fields.heads(HeadWidth::Share)?;
    fields.plain_rotation(width, 1e6, None)?;
    activation(&mut fields, "silu")?;
    fields.experts("num_local_experts", &[])?;
    fields.or("rms_norm_eps", 1e-5);
    fields.set("use_flash_attn", false);
    let (context, tied) = (fields.context(Some("sliding_window"))?, fields.tied(false)?);
    let config: mixtral::Config = fields.read()?;
    let make = cloned(config, mixtral::Model::new, mixtral::Model::forward);
    Ok(description(context, cached, tied, make))
}

/// What Qwen's mixtures of experts have in common.
fn qwen_moe(fields: &mut Fields<'_>, head_width: HeadWidth) -> Result<Heads> {
    let heads = fields.heads(head_width)?;
    fields.plain_rotation(heads.width, 10_000.0, None)?;
    activation(fields, "silu")?;
    // transformers 5 writes Qwen 3's number under the name of Mixtral's.
    fields.experts("num_experts", &["num_local_experts"])?;
    fields.only("use_sliding_window", &[json!(false)])?;
    fields.only("mlp_only_layers", &[json!([])])?;
    fields.or("decoder_sparse_step", 1);
    fields.or("norm_topk_prob", false);
    fields.or("rms_norm_eps", 1e-6);
    // Neither is used without windows; the first would hide positions all the same.
    fields.set("sliding_window", fields.config().needed_size("max_position_embeddings")?);
    fields.set("max_window_layers", 0);
    Ok(heads)
}

fn qwen2_moe(config: &Config<'_>) -> Result<Description> {
    let sizes = ["moe_intermediate_size", "shared_expert_intermediate_size"];
    let mut fields = Fields::new(config, &[&SIZES[..], &sizes].concat())?;
    let Heads { cached, .. } = qwen_moe(&mut fields, HeadWidth::Share)?;
    fields.only("qkv_bias", &[json!(true)])?;
    let layers = config.layers("num_hidden_layers")?;
    fields.only("layer_types", &[json!(vec!["full_attention"; layers])])?;
    let (context, tied) = (fields.context(None)?, fields.tied(false)?);
    let config: qwen2_moe::Config = fields.read()?;
    let make = cloned(config, qwen2_moe::Model::new, qwen2_moe::Model::forward);
    Ok(description(context, cached, tied, make))
}

fn qwen3_moe(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &[&SIZES[..], &["moe_intermediate_size"]].concat())?;
    let Heads { cached, .. } = qwen_moe(&mut fields, HeadWidth::Free)?;
    fields.or("attention_bias", false);
    let (context, tied) = (fields.context(None)?, fields.tied(false)?);
    let config: qwen3_moe::Config = fields.read()?;
    let make = cloned(config, qwen3_moe::Model::new, qwen3_moe::Model::forward);
    Ok(Description { gives: Gives::States, ..description(context, cached, tied, make) })
}

fn deepseek_v2(config: &Config<'_>) -> Result<Description> {
    let ranks = ["kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"];
    let experts_sizes = ["moe_intermediate_size", "n_routed_experts", "n_shared_experts"];
    let mut fields = Fields::new(config, &[&SIZES[..], &ranks, &experts_sizes].concat())?;
    let size = |name| config.needed_size(name);
    let (heads, turned) = (size("num_attention_heads")?, size("qk_rope_head_dim")?);
    fields.only("num_key_value_heads", &[json!(heads)])?;
    deepseek_rotation(&mut fields, turned)?;
    activation(&mut fields, "silu")?;
    fields.experts("n_routed_experts", &[])?;
    // Its groups are chosen by the scores of experts, not of groups.
    fields.only("topk_method", &[json!("greedy")])?;
    fields.only("scoring_func", &[json!("softmax")])?;
    // Transformers divides by no sum, the model's own code by that of the chosen.
    fields.only("norm_topk_prob", &[json!(false)])?;
    fields.only("moe_layer_freq", &[json!(1)])?;
    fields.only("mlp_bias", &[json!(false)])?;
    // In transformers the norms of the low ranks have this whatever the others have.
    fields.only("rms_norm_eps", &[json!(1e-6)])?;
    fields.or("attention_bias", false);
    if config.json().get("q_lora_rank").is_none() {
        fields.set("q_lora_rank", 1536);
    }
    fields.or("n_group", 1);
    fields.or("topk_group", 1);
    let (context, tied) = (fields.context(None)?, fields.tied(false)?);
    let values = size("qk_nope_head_dim")? + turned + size("v_head_dim")?;
    let cached = config.layers("num_hidden_layers")? * heads * values;
    let config: deepseek2::DeepSeekV2Config = fields.read()?;
    let clear = Some(deepseek2::DeepSeekV2::clear_kv_cache as fn(&mut _));
    let make = apart(config, deepseek2::DeepSeekV2::new, deepseek2::DeepSeekV2::forward, clear);
    Ok(Description { forks: false, ..description(context, cached, tied, make) })
}

/// The crate reads the parameters of yarn if all of them are there, and takes anything else for another kind.
fn deepseek_rotation(fields: &mut Fields<'_>, width: usize) -> Result<()> {
    let rotation = fields.rotation(width, 10_000.0, None)?;
    let (Some(yarn), "yarn") = (rotation.parameters, rotation.kind) else {
        return fields.plain_rotation(width, 10_000.0, None);
    };
    let config = fields.config();
    for (name, known) in [("attention_factor", Value::Null), ("truncate", json!(true))] {
        if yarn.json().get(name).is_some_and(|value| !value.is_null() && *value != known) {
            return Err(config.unsupported(format!("`{name}` of `rope_scaling` is not supported")));
        }
    }
    let (scale, scale_all) = (yarn.needed_number("mscale")?, yarn.needed_number("mscale_all_dim")?);
    if scale == 0.0 || scale_all == 0.0 {
        return Err(config.unsupported("`mscale` and `mscale_all_dim` of `rope_scaling` must not be 0".to_owned()));
    }
    let parameters = json!({
        "type": "yarn",
        "factor": yarn.needed_number("factor")?,
        "original_max_position_embeddings": yarn.needed_size("original_max_position_embeddings")?,
        "beta_fast": yarn.number("beta_fast")?.unwrap_or(32.0),
        "beta_slow": yarn.number("beta_slow")?.unwrap_or(1.0),
        "mscale": scale,
        "mscale_all_dim": scale_all,
    });
    fields.set("rope_scaling", parameters);
    Ok(())
}

fn gemma(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &SIZES)?;
    let Heads { width, cached } = fields.heads(HeadWidth::Or(256))?;
    fields.plain_rotation(width, 10_000.0, None)?;
    // `gelu` stands in the first published files; what is meant, and what transformers computes, is the other one.
    fields.only("hidden_act", &["gelu_pytorch_tanh", "gelu"].map(Value::from))?;
    fields.only("hidden_activation", &["gelu_pytorch_tanh", "gelu"].map(Value::from))?;
    fields.set("hidden_act", Value::Null);
    fields.set("hidden_activation", "gelu_pytorch_tanh");
    fields.only("use_bidirectional_attention", &[json!(false)])?;
    fields.only("tie_word_embeddings", &[json!(true)])?;
    fields.or("attention_bias", false);
    fields.or("rms_norm_eps", 1e-6);
    let context = fields.context(None)?;
    let config: gemma::Config = fields.read()?;
    let make = cloned(config, Normed::new, Normed::states);
    Ok(Description { gives: Gives::States, ..description(context, cached, true, make) })
}

/// Gemma, which gives what comes before its last norm for all tokens, and its logits for one.
#[derive(Clone)]
struct Normed {
    model: gemma::Model,
    norm: RmsNorm,
}

impl Normed {
    fn new(config: &gemma::Config, weights: VarBuilder<'static>) -> CandleResult<Self> {
        let norm = (weights.get(config.hidden_size, "model.norm.weight")? + 1.0)?;
        let model = gemma::Model::new(false, config, weights)?;
        Ok(Normed { model, norm: RmsNorm::new(norm, config.rms_norm_eps) })
    }

    fn states(&mut self, tokens: &Tensor, past: usize) -> CandleResult<Tensor> {
        let (_, count) = tokens.dims2()?;
        let embedded = self.model.embed_tokens().forward(tokens)?;
        let mask = (count > 1)
            .then(|| build_additive_causal_mask(count, past, None, tokens.device(), DType::F32))
            .transpose()?;
        let states = self.model.forward_embeds_without_projection(&embedded, mask.as_ref(), past)?;
        self.norm.forward(&states)
    }
}

fn glm4(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &SIZES)?;
    let Heads { width, cached } = fields.heads(HeadWidth::Or(128))?;
    fields.plain_rotation(width, 10_000.0, Some(0.5))?;
    activation(&mut fields, "silu")?;
    fields.or("attention_bias", true);
    fields.or("rms_norm_eps", 0.000_000_156_25);
    fields.set("eos_token_id", Value::Null);
    let (context, tied) = (fields.context(None)?, fields.tied(false)?);
    let config: glm4_new::Config = fields.read()?;
    let make = cloned(config, glm4_new::Model::new, glm4_new::Model::forward);
    // Copies of a cache that is not empty would write into the same memory.
    let description = description(context, cached, tied, make);
    Ok(Description { gives: Gives::States, forks: false, ..description })
}

fn phi(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &SIZES)?;
    let Heads { width, cached } = fields.heads(HeadWidth::Share)?;
    fields.plain_rotation(width, 10_000.0, Some(0.5))?;
    activation(&mut fields, "gelu_new")?;
    fields.only("qk_layernorm", &[json!(false)])?;
    fields.or("layer_norm_eps", 1e-5);
    let (context, tied) = (fields.context(None)?, fields.tied(false)?);
    let config: phi::Config = fields.read()?;
    let make = cloned(config, phi::Model::new, |model, tokens, _| model.forward(tokens));
    // Its mask has no columns for positions that are cached.
    Ok(Description { passes: Passes::OneAfterFirst, ..description(context, cached, tied, make) })
}

fn stablelm(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &SIZES)?;
    let Heads { width, cached } = fields.heads(HeadWidth::Share)?;
    fields.plain_rotation(width, 10_000.0, Some(0.25))?;
    activation(&mut fields, "silu")?;
    fields.only("qk_layernorm", &[json!(false)])?;
    fields.only("use_parallel_residual", &[json!(false)])?;
    fields.or("layer_norm_eps", 1e-5);
    fields.set("use_cache", true);
    fields.set("use_flash_attn", false);
    let (context, tied) = (fields.context(None)?, fields.tied(false)?);
    let config: stable_lm::Config = fields.read()?;
    let make = apart(config, stable_lm::Model::new, stable_lm::Model::forward, None);
    Ok(Description { forks: false, ..description(context, cached, tied, make) })
}

fn starcoder2(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &SIZES)?;
    let Heads { width, cached } = fields.heads(HeadWidth::Share)?;
    fields.plain_rotation(width, 10_000.0, None)?;
    activation(&mut fields, "gelu_pytorch_tanh")?;
    fields.only("tie_word_embeddings", &[json!(true)])?;
    fields.or("norm_epsilon", 1e-5);
    fields.or("use_bias", true);
    let context = fields.context(Some("sliding_window"))?;
    let config: starcoder2::Config = fields.read()?;
    let make = cloned(config, starcoder2::Model::new, starcoder2::Model::forward);
    Ok(description(context, cached, true, make))
}

/// Longest sequence of Mamba, which has no positions and says nothing of it. It is what lm-evaluation-harness takes.
const MAMBA_CONTEXT: usize = 2048;
/// Values of a channel's state, and of the convolution before it: the crate has no others.
const MAMBA_STATE: [usize; 2] = [16, 4];

fn mamba(config: &Config<'_>) -> Result<Description> {
    let mut fields = Fields::new(config, &["vocab_size", "hidden_size", "num_hidden_layers"])?;
    let (width, layers) = (config.needed_size("hidden_size")?, config.layers("num_hidden_layers")?);
    let [state, kernel] = MAMBA_STATE;
    for (name, value) in [
        ("state_size", json!(state)),
        ("conv_kernel", json!(kernel)),
        ("expand", json!(2)),
        ("intermediate_size", json!(2 * width)),
        ("use_bias", json!(false)),
        ("use_conv_bias", json!(true)),
        ("hidden_act", json!("silu")),
        ("layer_norm_epsilon", json!(1e-5)),
        ("tie_word_embeddings", json!(true)),
    ] {
        fields.only(name, &[value])?;
    }
    fields.only("time_step_rank", &[json!(width.div_ceil(16)), json!("auto")])?;
    fields.set("d_model", width);
    fields.set("n_layer", layers);
    fields.set("pad_vocab_size_multiple", 1);
    let config: mamba::Config = fields.read()?;
    let make = cloned(config, Recurrent::new, Recurrent::logits);
    // A sequence takes the same memory however long it is.
    let cached = (layers * 2 * width * (state + kernel)).div_ceil(MAMBA_CONTEXT);
    Ok(Description {
        passes: Passes::One,
        tied: Some(Tied { head: "lm_head.weight", embedding: "backbone.embeddings.weight" }),
        renamed: Some(("backbone.embedding.weight", "backbone.embeddings.weight")),
        ..description(MAMBA_CONTEXT, cached, true, make)
    })
}

/// Mamba and the state of a sequence.
struct Recurrent(mamba::Model, mamba::State);

impl Recurrent {
    fn new(config: &mamba::Config, weights: VarBuilder<'static>) -> CandleResult<Self> {
        let state = mamba::State::new(1, config, weights.dtype(), weights.device())?;
        Ok(Recurrent(mamba::Model::new(config, weights.pp("backbone"))?, state))
    }

    fn logits(&mut self, token: &Tensor, _: usize) -> CandleResult<Tensor> {
        let Recurrent(model, state) = self;
        model.forward(&token.squeeze(0)?, state)
    }
}

impl Clone for Recurrent {
    fn clone(&self) -> Self {
        let Recurrent(model, mamba::State { hs, prev_xs, pos }) = self;
        Recurrent(model.clone(), mamba::State { hs: hs.clone(), prev_xs: prev_xs.clone(), pos: *pos })
    }
}
