//! GPT-2's tensors by the names that Hugging Face's library gives them.

use crate::backend::Backend;
use crate::kernels::Order;
use crate::tensors::Tensors;
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::Gpt2Config;

pub(crate) struct Weights<B: Backend> {
    pub(crate) tokens: B::Table,
    pub(crate) positions: B::Table,
    pub(crate) layers: Vec<Layer<B>>,
    pub(crate) norm: B::Norm,
    pub(crate) head: B::Linear,
}

pub(crate) struct Layer<B: Backend> {
    pub(crate) norm_1: B::Norm,
    pub(crate) attention_in: B::Linear,
    pub(crate) attention_out: B::Linear,
    pub(crate) norm_2: B::Norm,
    pub(crate) mlp_in: B::Linear,
    pub(crate) mlp_out: B::Linear,
}

impl<B: Backend> Weights<B> {
    pub(crate) fn load(backend: &B, config: &Gpt2Config, mut tensors: Tensors) -> Result<Self> {
        let Gpt2Config { vocab_size, n_positions, n_embd, n_layer, n_inner, .. } = *config;
        // With the output head, names begin so; without it, they do not.
        let prefix = if tensors.has_prefix("transformer.") { "transformer." } else { "" };
        let name = |name: &str| format!("{prefix}{name}");
        let tied = config.tie_word_embeddings;
        let embedding = name("wte.weight");
        if tied && tensors.has("lm_head.weight") && !tensors.same("lm_head.weight", &embedding) {
            return Err(PluginError::bad_input(format!(
                "`config.json` says `tie_word_embeddings`, but `lm_head.weight` differs from `{embedding}`"
            ))
            .with_help("write `\"tie_word_embeddings\": false` if the output head has weights of its own"));
        }

        let tokens = tensors.take(&embedding, &[vocab_size, n_embd])?;
        let (tokens, head) = if tied {
            let head = backend.load_linear(&tokens, Order::OutputsFirst, None)?;
            (backend.tied_table(&head)?, head)
        } else {
            let head = tensors.take("lm_head.weight", &[vocab_size, n_embd])?;
            (backend.load_table(&tokens)?, backend.load_linear(&head, Order::OutputsFirst, None)?)
        };
        let positions = backend.load_table(&tensors.take(&name("wpe.weight"), &[n_positions, n_embd])?)?;
        let mut layers = Vec::with_capacity(n_layer);
        for index in 0..n_layer {
            let mut load = |part: &str, inputs, outputs| {
                load_linear(backend, &mut tensors, &name(&format!("h.{index}.{part}")), inputs, outputs)
            };
            let attention_in = load("attn.c_attn", n_embd, 3 * n_embd)?;
            let attention_out = load("attn.c_proj", n_embd, n_embd)?;
            let mlp_in = load("mlp.c_fc", n_embd, n_inner)?;
            let mlp_out = load("mlp.c_proj", n_inner, n_embd)?;
            let mut load = |part: &str| load_norm(backend, &mut tensors, &name(&format!("h.{index}.{part}")), config);
            let (norm_1, norm_2) = (load("ln_1")?, load("ln_2")?);
            layers.push(Layer { norm_1, attention_in, attention_out, norm_2, mlp_in, mlp_out });
        }
        let norm = load_norm(backend, &mut tensors, &name("ln_f"), config)?;
        tensors.finish(|name| {
            let mask = name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
            mask || (tied && name == "lm_head.weight")
        })?;
        Ok(Weights { tokens, positions, layers, norm, head })
    }
}

fn load_linear<B: Backend>(
    backend: &B,
    tensors: &mut Tensors,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Result<B::Linear> {
    let weight = tensors.take(&format!("{name}.weight"), &[inputs, outputs])?;
    let bias = tensors.take(&format!("{name}.bias"), &[outputs])?;
    backend.load_linear(&weight, Order::InputsFirst, Some(&bias))
}

fn load_norm<B: Backend>(backend: &B, tensors: &mut Tensors, name: &str, config: &Gpt2Config) -> Result<B::Norm> {
    let weight = tensors.take(&format!("{name}.weight"), &[config.n_embd])?;
    let bias = tensors.take(&format!("{name}.bias"), &[config.n_embd])?;
    backend.load_norm(&weight, &bias, config.layer_norm_epsilon)
}
