//! What a training starts from: a checkpoint, or a new model and a new tokenizer.

use super::options::{Scratch, TokenizerOptions, TrainOptions};
use super::parameters::Layout;
use super::rows::Line;
use super::tokenizer;
use crate::tensors::Tensors;
use candle_core::DType;
use examiner_api::{ErrorCode, Host, PluginError, Result};
use examiner_lm::chat::Chat;
use examiner_lm::checkpoint::{Checkpoint, Gpt2Config};
use examiner_lm::{AutoBool, LocalOptions, Tokenizer, fingerprint};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// A model before its first step, and the files of its directory that training does not change.
pub(super) struct Start {
    pub(super) config: Gpt2Config,
    pub(super) layout: Layout,
    pub(super) weights: Vec<f32>,
    pub(super) tokenizer: Option<Tokenizer>,
    /// The chat template, where rows are conversations.
    pub(super) chat: Option<Chat>,
    /// The token that ends a text.
    pub(super) end: Option<u32>,
    /// Names and contents, `config.json` among them.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// Changes with any byte that training depends on.
    pub(super) fingerprint: String,
}

/// Files that are carried over as they are, where the start has them.
const CARRIED: [&str; 7] = [
    "chat_template.jinja",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
];

/// Whether a training can start there, by the checkpoint's `config.json` alone.
pub(super) fn check(from: Option<&str>, options: &TrainOptions, host: &Host) -> Result<()> {
    match where_from(from, options)? {
        Whence::Checkpoint(from) => check_family(&Checkpoint::open(from, host)?),
        Whence::Scratch(_) => Ok(()),
    }
}

/// Where a training starts.
enum Whence<'a> {
    Checkpoint(&'a str),
    Scratch(&'a Scratch),
}

fn where_from<'a>(from: Option<&'a str>, options: &'a TrainOptions) -> Result<Whence<'a>> {
    match (from, &options.scratch) {
        (Some(from), None) => Ok(Whence::Checkpoint(from)),
        (None, Some(scratch)) => Ok(Whence::Scratch(scratch)),
        (Some(_), Some(_)) => Err(PluginError::bad_options("`from` and `scratch` exclude each other")
            .with_help("leave `from` away to train a new model, or `scratch` to go on with a trained one")),
        (None, None) => Err(PluginError::bad_options("nothing to start from")
            .with_help("name a model or a checkpoint in `from`, or give the shape of a new model in `scratch`")),
    }
}

fn check_family(checkpoint: &Checkpoint) -> Result<()> {
    let family = checkpoint.model_type();
    if family == "gpt2" {
        return Ok(());
    }
    Err(PluginError::unsupported(format!(
        "`{}` has `model_type: {family}`; the trainer `candle` supports `gpt2`",
        checkpoint.config_path.display()
    ))
    .with_help("start from a GPT-2, or from scratch"))
}

impl Start {
    /// # Errors
    /// `NotFound`, `BadInput` or `Unsupported` for the checkpoint; `BadOptions` where neither or both starts are given.
    pub(super) fn find(
        from: Option<&str>,
        options: &TrainOptions,
        lines: &[Line],
        seed: u64,
        host: &Host,
    ) -> Result<Start> {
        match where_from(from, options)? {
            Whence::Checkpoint(from) => Self::checkpoint(from, options, host),
            Whence::Scratch(_) if options.messages_field.is_some() => {
                Err(PluginError::bad_options("`messages_field` needs a chat template, which a new model has not")
                    .with_help("start from a checkpoint that has one"))
            }
            Whence::Scratch(scratch) => Self::scratch(scratch, &options.tokenizer, lines, seed, host),
        }
    }

    fn checkpoint(source: &str, options: &TrainOptions, host: &Host) -> Result<Start> {
        let mut checkpoint = Checkpoint::open(source, host)?;
        // Rows in tokens can be learned without a tokenizer.
        if checkpoint.tokenizer().is_ok() {
            checkpoint.decide_beginning(options.add_bos)?;
        }
        check_family(&checkpoint)?;
        let config_path = &checkpoint.config_path;
        let config = Gpt2Config::read(&checkpoint.config, config_path)?;
        let layout = Layout::new(&config);
        let tensors = Tensors::open(&checkpoint.weights()?, DType::F32)?;
        let mut file = checkpoint.config.clone();
        // Weights are written as they are trained, whatever number type the start has.
        for name in ["dtype", "torch_dtype"] {
            if let Some(value) = file.get_mut(name) {
                *value = json!("float32");
            }
        }
        let chat = match options.messages_field {
            Some(_) => checkpoint.chat(&LocalOptions { chat: AutoBool::Fixed(true), ..LocalOptions::default() })?,
            None => None,
        };
        let mut files = vec![("config.json".to_owned(), pretty(&file))];
        let read = |path: &Path| std::fs::read(path).map_err(|error| PluginError::io("read", path, &error));
        for name in CARRIED {
            if let Some(path) = checkpoint.fetch_optional(name)? {
                files.push((name.to_owned(), read(&path)?));
            }
        }
        let tokenizer = match checkpoint.tokenizer() {
            Ok(tokenizer) => {
                checkpoint.check_vocabulary(config.vocab_size)?;
                files.push(("tokenizer.json".to_owned(), tokenizer.bytes().to_vec()));
                Some(tokenizer.clone())
            }
            Err(_) => None,
        };
        let named = checkpoint.special_tokens().ends().first().copied();
        let end = named.or(tokenizer.as_ref().and_then(|tokenizer| tokenizer.special_token(tokenizer::END)));
        let weights = load(&layout, &config, tensors)?;
        let hash = blake3::hash(bytemuck::cast_slice(&weights)).to_hex().to_string();
        let start = Self::finish(config, layout, weights, tokenizer, end, files, Some(hash))?;
        Ok(Start { chat, ..start })
    }

    fn scratch(shape: &Scratch, options: &TokenizerOptions, lines: &[Line], seed: u64, host: &Host) -> Result<Start> {
        let bytes = match &options.path {
            Some(path) => {
                let path = host.fetch(path)?;
                std::fs::read(&path).map_err(|error| PluginError::io("read the tokenizer", &path, &error))?
            }
            None => tokenizer::train(options, lines)?,
        };
        let found = Tokenizer::from_bytes(bytes.clone(), None, Vec::new())?;
        let end = found.special_token(tokenizer::END);
        let tokenizer = Tokenizer::from_bytes(bytes.clone(), end, end.into_iter().collect())?;
        let Scratch { n_layer, n_head, n_embd, n_positions } = *shape;
        let file = json!({
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
            "vocab_size": tokenizer.vocabulary(), "n_positions": n_positions, "n_ctx": n_positions, "n_embd": n_embd,
            "n_layer": n_layer, "n_head": n_head, "n_inner": null, "layer_norm_epsilon": 1e-5,
            "initializer_range": 0.02, "tie_word_embeddings": true, "attn_pdrop": 0.0, "embd_pdrop": 0.0,
            "resid_pdrop": 0.0, "bos_token_id": end, "eos_token_id": end, "dtype": "float32"
        });
        let config = Gpt2Config::read(&file, "scratch".as_ref())
            .map_err(|error| PluginError { code: ErrorCode::BadOptions, ..error })?;
        let tokenizer_config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": n_positions,
            "bos_token": end.map(|_| tokenizer::END), "eos_token": end.map(|_| tokenizer::END)
        });
        let files = vec![
            ("config.json".to_owned(), pretty(&file)),
            ("generation_config.json".to_owned(), pretty(&json!({ "bos_token_id": end, "eos_token_id": end }))),
            ("tokenizer_config.json".to_owned(), pretty(&tokenizer_config)),
            ("tokenizer.json".to_owned(), bytes),
        ];
        let layout = Layout::new(&config);
        let weights = layout.initial(seed);
        Self::finish(config, layout, weights, Some(tokenizer), end, files, None)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a start")]
    fn finish(
        config: Gpt2Config,
        layout: Layout,
        weights: Vec<f32>,
        tokenizer: Option<Tokenizer>,
        end: Option<u32>,
        files: Vec<(String, Vec<u8>)>,
        weights_hash: Option<String>,
    ) -> Result<Start> {
        let hashes = files.iter().map(|(name, bytes)| (name.as_str(), blake3::hash(bytes).to_hex().to_string()));
        let identity = Identity { version: VERSION, weights: weights_hash, files: hashes.collect() };
        let fingerprint = fingerprint(&identity)?;
        Ok(Start { config, layout, weights, tokenizer, chat: None, end, files, fingerprint })
    }
}

/// All of a start that training depends on. New weights follow from the configuration and the seed.
#[derive(Serialize)]
struct Identity<'a> {
    version: u32,
    weights: Option<String>,
    files: Vec<(&'a str, String)>,
}

/// Changes when the same files would be another start.
const VERSION: u32 = 1;

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Puts a checkpoint's tensors where the layout wants them.
fn load(layout: &Layout, config: &Gpt2Config, mut tensors: Tensors) -> Result<Vec<f32>> {
    let prefix = if tensors.has_prefix("transformer.") { "transformer." } else { "" };
    let embedding = format!("{prefix}wte.weight");
    let tied = config.tie_word_embeddings;
    if tied {
        tensors.check_tied("lm_head.weight", &embedding)?;
    }
    let mut weights = vec![0.0f32; layout.size()];
    for parameter in &layout.parameters {
        let name = full_name(prefix, &parameter.name);
        let tensor = tensors.take(&name, &parameter.shape)?;
        let values = tensor.flatten_all().and_then(|tensor| tensor.to_vec1::<f32>());
        let values = values.map_err(crate::backend::candle_error("read a tensor"))?;
        weights[parameter.range.clone()].copy_from_slice(&values);
    }
    tensors.finish(|name| {
        let mask = name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
        mask || (tied && name == "lm_head.weight")
    })?;
    Ok(weights)
}

/// A parameter's name in a file of weights.
pub(super) fn full_name(prefix: &str, name: &str) -> String {
    if name == "lm_head.weight" { name.to_owned() } else { format!("{prefix}{name}") }
}
