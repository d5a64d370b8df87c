//! The `genai_config.json` that ONNX Runtime GenAI's builder writes beside a graph, in place of a `config.json`.

use super::{Description, LayerName, Names};
use crate::model::shape::Shape;
use examiner_api::{Host, PluginError, Result};
use examiner_lm::checkpoint::Checkpoint;
use serde::Deserialize;
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// The file's name.
pub(crate) const FILE: &str = "genai_config.json";

#[derive(Deserialize)]
struct GenaiConfig {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    r#type: String,
    #[serde(default)]
    bos_token_id: Value,
    #[serde(default)]
    eos_token_id: Value,
    context_length: NonZeroUsize,
    vocab_size: NonZeroUsize,
    decoder: Decoder,
}

#[derive(Deserialize)]
struct Decoder {
    filename: Option<String>,
    head_size: NonZeroUsize,
    num_attention_heads: NonZeroUsize,
    num_hidden_layers: NonZeroUsize,
    num_key_value_heads: Option<NonZeroUsize>,
    #[serde(default)]
    sliding_window: Option<SlidingWindow>,
    #[serde(default)]
    inputs: Inputs,
    #[serde(default)]
    outputs: Outputs,
}

#[derive(Deserialize)]
struct SlidingWindow {
    window_size: usize,
}

/// What a graph takes; what is not named is called as everywhere.
#[derive(Default, Deserialize)]
struct Inputs {
    input_ids: Option<String>,
    attention_mask: Option<String>,
    position_ids: Option<String>,
    past_key_names: Option<String>,
    past_value_names: Option<String>,
}

#[derive(Default, Deserialize)]
struct Outputs {
    logits: Option<String>,
    present_key_names: Option<String>,
    present_value_names: Option<String>,
}

/// The description of `source` by the file at `path`.
///
/// # Errors
/// `Unsupported` for a model of several graphs, `BadInput` for a file that is not what it should be.
pub(crate) fn describe(source: &str, host: &Host, path: PathBuf) -> Result<Description> {
    let Model { r#type, bos_token_id, eos_token_id, context_length, vocab_size, decoder } = read(&path)?;
    let Some(file) = decoder.filename else {
        return Err(PluginError::unsupported(format!(
            "`{}` names no file of its decoder (`model.decoder.filename`): a model that is cut into several graphs",
            path.display()
        ))
        .with_help("build the model as one graph"));
    };
    let shape = Shape {
        layers: decoder.num_hidden_layers.get(),
        heads: decoder.num_key_value_heads.unwrap_or(decoder.num_attention_heads).get(),
        head_width: decoder.head_size.get(),
        vocabulary: vocab_size.get(),
        context_length: context_length.get(),
    };
    let window = decoder.sliding_window.map(|window| window.window_size).filter(|&size| size > 0);
    let config = json!({ "model_type": r#type, "bos_token_id": bos_token_id, "eos_token_id": eos_token_id });
    let checkpoint = Checkpoint::with_config(source, host, config, path)?;
    Ok(Description { checkpoint, shape, names: names(decoder.inputs, decoder.outputs), file: Some(file), window })
}

fn read(path: &Path) -> Result<Model> {
    let bytes = std::fs::read(path).map_err(|error| PluginError::io("read", path, &error))?;
    let read: GenaiConfig = serde_json::from_slice(&bytes).map_err(|error| {
        PluginError::bad_input(format!("`{}` does not describe a decoder", path.display()))
            .with_cause(&error)
            .with_help("`python -m onnxruntime_genai.models.builder` writes it beside the graph: build the model again")
    })?;
    Ok(read.model)
}

fn names(inputs: Inputs, outputs: Outputs) -> Names {
    let Names { input_ids, mask, positions, past: [past_key, past_value], present, logits } = Names::default();
    let layers = |name: Option<String>, default: &LayerName| name.map_or(default.clone(), LayerName);
    let [present_key, present_value] = &present[0];
    Names {
        input_ids: inputs.input_ids.unwrap_or(input_ids),
        mask: inputs.attention_mask.unwrap_or(mask),
        positions: inputs.position_ids.unwrap_or(positions),
        past: [layers(inputs.past_key_names, &past_key), layers(inputs.past_value_names, &past_value)],
        present: vec![[
            layers(outputs.present_key_names, present_key),
            layers(outputs.present_value_names, present_value),
        ]],
        logits: outputs.logits.unwrap_or(logits),
    }
}
