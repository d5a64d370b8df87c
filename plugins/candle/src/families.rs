//! The families of models: the values of `model_type` in `config.json`, and what of each family differs from the others.
//!
//! A family is a description, no code of its own: its file turns `config.json` into a [`Plan`], and one machine (see
//! [`decoder`]) loads and runs every plan. To add a family, write its file and name it in [`FAMILIES`].
//!
//! `candle-transformers` has all of these models, and they are not used: each of them owns its cache, one tensor for each
//! layer and model, which can neither be forked where two prompts part ways nor hold sequences of different lengths.
//! A few-shot preamble would be computed again for each question, and an answer that ends would keep its row of the batch
//! until the last one has ended. Neither are their results the same in every bit whatever is beside a row.

mod config;
mod decoder;
mod gemma;
pub(crate) mod gguf;
mod gpt2;
mod gpt_neox;
mod granite;
mod llama;
mod olmo2;
mod phi3;
mod plan;
mod qwen;
mod rope;
mod weights;

pub(crate) use config::Config;
pub(crate) use decoder::Transformer;
pub(crate) use plan::Plan;

use examiner_api::{PluginError, Result};

type Read = fn(&Config<'_>) -> Result<Plan>;

/// All families, by `model_type`.
const FAMILIES: [(&str, Read); 11] = [
    ("gpt2", gpt2::plan),
    ("llama", llama::plan),
    ("mistral", llama::mistral),
    ("qwen2", qwen::qwen2),
    ("qwen3", qwen::qwen3),
    ("gemma2", gemma::gemma2),
    ("gemma3_text", gemma::gemma3),
    ("phi3", phi3::plan),
    ("olmo2", olmo2::plan),
    ("granite", granite::plan),
    ("gpt_neox", gpt_neox::plan),
];

/// The supported values of `model_type`.
pub(crate) fn names() -> Vec<&'static str> {
    FAMILIES.iter().map(|(name, _)| *name).collect()
}

/// What the family that `config.json` names makes of it.
///
/// # Errors
/// `Unsupported` for another family, or for something within a family that is not there yet; `BadInput` for a
/// configuration that makes no sense.
pub(crate) fn plan(config: &Config<'_>) -> Result<Plan> {
    let family = config.model_type();
    let found = match family {
        "" => "has no `model_type`".to_owned(),
        family => format!("has `model_type: {family}`"),
    };
    let Some((_, read)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
        let names: Vec<String> = FAMILIES.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(PluginError::unsupported(format!(
            "`{}` {found}; the plugin `candle` supports {}",
            config.path().display(),
            names.join(", ")
        ))
        .with_help("use a checkpoint of a supported family, or export the model to ONNX and use the plugin `onnx`"));
    };
    let plan = read(config)?;
    plan.check(config)?;
    Ok(plan)
}
