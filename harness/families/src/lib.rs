//! What the `config.json` of a decoder means, family by family.
//!
//! The key decision is that a family is a description, no code of its own: its file turns `config.json` into a [`Plan`], which
//! says sizes, norms, rotations, biases and what tensors are called. A plugin that runs every plan, or writes every plan in
//! another format, has all families; a new one is a new file here, and a line in `FAMILIES`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod config;
mod falcon;
mod gemma;
mod gpt2;
mod gpt_neox;
mod granite;
mod llama;
mod olmo2;
mod phi3;
mod plan;
mod qwen;
mod rope;

pub use config::{Config, Precision, SIZE_LIMIT};
pub use plan::{Biases, HeadNorms, LayerPlan, MlpIn, Names, NormKind, Norms, Order, Plan, Qkv, row_of_pair};
pub use rope::Rope;

use examiner_api::Result;

type Read = fn(&Config<'_>) -> Result<Plan>;

/// All families, by `model_type`.
const FAMILIES: [(&str, Read); 12] = [
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
    ("falcon", falcon::plan),
];

/// What files may hold beside the weights: masks and frequencies that follow from the configuration.
const CONSTANTS: [&str; 5] =
    [".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"];

/// The values of `model_type` that are described here.
pub fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|(name, _)| *name)
}

/// What the family that `config.json` names makes of it; none for a family that is not described here.
///
/// # Errors
/// `Unsupported` for something within a family that is not there yet; `BadInput` for a configuration that makes no sense.
pub fn plan(config: &Config<'_>) -> Result<Option<Plan>> {
    let Some((_, read)) = FAMILIES.iter().find(|(name, _)| *name == config.model_type()) else { return Ok(None) };
    let plan = read(config)?;
    plan.check(config)?;
    Ok(Some(plan))
}

/// Whether a tensor of a file is a constant that follows from the configuration, and no weight.
pub fn is_constant(name: &str) -> bool {
    CONSTANTS.iter().any(|constant| name.ends_with(constant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::ErrorCode;
    use examiner_test_support::ground_truth::{ADAPTED, FAMILIES, family, options};
    use serde_json::{Value, json};

    fn read(config: &Value, precision: Precision) -> Result<Option<Plan>> {
        plan(&Config::new(config, "config.json".as_ref(), precision))
    }

    #[test]
    fn what_is_described_has_the_sizes_of_its_weights() {
        assert_eq!(names().collect::<Vec<_>>(), FAMILIES);
        for name in FAMILIES {
            let weights = family(name).weights;
            let plan = read(&weights.config, Precision::F32).unwrap().unwrap();
            let prefixed = format!("{}{}.weight", plan.names.prefix, plan.names.tokens);
            let plain = format!("{}.weight", plan.names.tokens);
            let embedding = weights.tensors.get(&prefixed).or(weights.tensors.get(&plain)).unwrap();
            assert_eq!(*embedding, [plan.vocabulary, plan.width], "{name}");
        }
        for name in ADAPTED {
            assert!(read(&family(name).weights.config, Precision::F32).unwrap().is_none(), "{name}");
        }
    }

    /// √48 with 24, 11 and 8 binary digits.
    #[test]
    fn gemmas_embeddings_are_scaled_by_a_number_of_the_weights_type() {
        let mut config = options().named("gemma2").config;
        config["hidden_size"] = json!(48);
        let cases = [(Precision::F32, 48_f32.sqrt()), (Precision::F16, 6.929_687_5), (Precision::Bf16, 6.9375)];
        for (precision, expected) in cases {
            assert_eq!(read(&config, precision).unwrap().unwrap().embedding_scale, expected, "{precision:?}");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_each_other_are_refused() {
        let mut config = options().named("llama, llama3").config;
        config["num_key_value_heads"] = json!(3);
        let error = read(&config, Precision::F32).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadInput);
        assert!(error.message.contains("multiple of `num_key_value_heads` (3)"), "{error}");
    }
}
