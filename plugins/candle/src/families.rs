//! The families of models: the values of `model_type` in `config.json`, and what of each family differs from the others.
//!
//! A family is a description, no code of its own: `examiner_families` turns a `config.json` into a [`Plan`], and one machine
//! (see [`decoder`]) loads and runs every plan.
//!
//! `candle-transformers` has these models too. Each of them owns its cache, one tensor for each layer and model, that holds
//! one sequence: nothing is batched, a fork is a copy where it can be had at all, and results are not the same in every
//! bit whatever stands beside a row. So it computes only the families that have no description here: see [`adapter`].

pub(crate) mod adapter;
mod decoder;
mod weights;

pub(crate) use adapter::Adapted;
pub(crate) use decoder::Transformer;

use examiner_api::{PluginError, Result};
use examiner_families::{Config, Plan};

/// A family that `config.json` names.
pub(crate) enum Family {
    /// One of those described here.
    Described(Box<Plan>),
    /// One of those that `candle-transformers` computes.
    Adapted(Adapted),
}

impl Family {
    /// Finds it.
    ///
    /// # Errors
    /// As [`plan`].
    pub(crate) fn find(config: &Config<'_>) -> Result<Self> {
        match Adapted::find(config)? {
            Some(adapted) => Ok(Family::Adapted(adapted)),
            None => Ok(Family::Described(Box::new(plan(config)?))),
        }
    }

    /// Number of tokens.
    pub(crate) fn vocabulary(&self) -> usize {
        match self {
            Family::Described(plan) => plan.vocabulary,
            Family::Adapted(adapted) => adapted.vocabulary(),
        }
    }
}

/// The supported values of `model_type`: those described here, and those that `candle-transformers` computes.
pub(crate) fn names() -> [Vec<&'static str>; 2] {
    [examiner_families::names().collect(), adapter::names().collect()]
}

/// What the family that `config.json` names makes of it.
///
/// # Errors
/// `Unsupported` for another family, or for something within a family that is not there yet; `BadInput` for a
/// configuration that makes no sense.
pub(crate) fn plan(config: &Config<'_>) -> Result<Plan> {
    if let Some(plan) = examiner_families::plan(config)? {
        return Ok(plan);
    }
    let found = match config.model_type() {
        "" => "has no `model_type`".to_owned(),
        family => format!("has `model_type: {family}`"),
    };
    let [described, adapted] = names().map(|names| format!("`{}`", names.join("`, `")));
    Err(PluginError::unsupported(format!(
        "`{}` {found}; the plugin `candle` supports {described}, and by {} {adapted}",
        config.path().display(),
        adapter::CRATE
    ))
    .with_help("use a checkpoint of a supported family, or export the model to ONNX and use the plugin `onnx`"))
}
