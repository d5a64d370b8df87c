//! Whether Python could run a task that does not run without it, told from its settings alone: no Python is started.

use super::compile::{output_type, refuse_unknown, refuse_unsafe};
use super::generation;
use super::setting::{Refused, text};
use crate::TaskConfig;
use crate::spec::OutputType;

/// Finds no reason why lm-evaluation-harness's own Python code could not run a task, and a language model not be asked what it
/// asks. Whether the packages are there that the task needs is seen when it is opened.
///
/// # Errors
/// The reason, as a phrase that goes on from "it has".
pub fn runnable_with_python(config: &TaskConfig) -> Result<(), Refused> {
    refuse_unknown(config)?;
    for name in ["doc_to_image", "doc_to_audio"] {
        if let Some(setting) = config.get(name) {
            return Err(format!("`{name}` ({}): pictures and sound are not shown to models", setting.kind()));
        }
    }
    refuse_unsafe(config)?;
    // A class says itself what it asks, and where its data is.
    if config.get("class").is_some() {
        return Ok(());
    }
    let output_type = output_type(config)?;
    if config.get("dataset_path").is_none() && config.get("custom_dataset").is_none() {
        return Err("neither `dataset_path` nor `custom_dataset`".to_owned());
    }
    if output_type == OutputType::GenerateUntil {
        let separator = text("fewshot_delimiter", config.get("fewshot_delimiter"))?;
        let separator = separator.unwrap_or_else(|| "\n\n".to_owned());
        generation::sampling(config.get("generation_kwargs"), Some(&separator))?;
    }
    Ok(())
}
