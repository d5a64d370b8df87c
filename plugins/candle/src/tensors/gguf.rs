//! A GGUF file: configuration and quantized weights in one.
//!
//! Weights are dequantized when they are loaded, and computed with as those of any other file; so a model takes the memory
//! of the option `dtype`, not that of the file. What the file saves is the disk.

use super::{SIZE_LIMIT, Source};
use candle_core::quantized::gguf_file::{Content, Value as Item};
use candle_core::{DType, Device, Tensor};
use examiner_api::{PluginError, Result};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The tensor that Llama 3.1's rotation leaves its factors in.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// An open GGUF file.
pub(crate) struct Gguf {
    path: PathBuf,
    file: File,
    content: Content,
}

impl Gguf {
    /// Reads all but the weights.
    ///
    /// # Errors
    /// `BadInput` for a file that is cut off, or no GGUF file, or has a quantization that is not known.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| PluginError::io("open", path, &error))?;
        let content = Content::read(&mut file).map_err(|error| {
            PluginError::bad_input(format!("`{}` is not a GGUF file that can be read", path.display()))
                .with_cause(&error)
                .with_help("it may have been cut off, or be quantized in a way that candle does not know")
        })?;
        Ok(Gguf { path: path.to_owned(), file, content })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration, in the form of a `config.json`.
    ///
    /// # Errors
    /// `BadInput` if a number is missing, `Unsupported` for a rotation that is not known.
    pub(crate) fn config(&self) -> Result<Value> {
        let architecture = self.item("general.architecture").and_then(|item| item.to_string().ok().cloned());
        let architecture = architecture.ok_or_else(|| self.wrong("general.architecture", "a text"))?;
        let name = |name: &str| format!("{architecture}.{name}");
        let size = |key: &str| self.size(&name(key));
        let needed = |key: &str| {
            let found = size(key).filter(|size| *size > 0 && *size < SIZE_LIMIT);
            found.ok_or_else(|| self.wrong(&name(key), "a positive whole number below 2^31"))
        };
        let number = |key: &str| self.item(&name(key)).and_then(|item| item.to_f32().ok());
        let (width, heads) = (needed("embedding_length")?, needed("attention.head_count")?);
        let embeddings = self.content.tensor_infos.get("token_embd.weight");
        let vocabulary =
            embeddings.and_then(|info| info.shape.dims().first()).ok_or_else(|| self.lacks("token_embd.weight"))?;
        let mut config = json!({
            "model_type": architecture,
            "vocab_size": vocabulary,
            "hidden_size": width,
            "intermediate_size": needed("feed_forward_length")?,
            "num_hidden_layers": needed("block_count")?,
            "num_attention_heads": heads,
            "num_key_value_heads": size("attention.head_count_kv").unwrap_or(heads),
            "head_dim": size("attention.key_length").unwrap_or(width / heads),
            "max_position_embeddings": needed("context_length")?,
            "rms_norm_eps": number("attention.layer_norm_rms_epsilon").unwrap_or(1e-6),
            "rope_theta": number("rope.freq_base").unwrap_or(10_000.0),
            "tie_word_embeddings": !self.content.tensor_infos.contains_key("output.weight"),
            "attention_bias": self.content.tensor_infos.contains_key("blk.0.attn_q.bias"),
            "bos_token_id": self.size("tokenizer.ggml.bos_token_id"),
            "eos_token_id": self.size("tokenizer.ggml.eos_token_id"),
            "tokenizer.ggml.add_bos_token": self.flag("tokenizer.ggml.add_bos_token"),
        });
        let scaling = self.item(&name("rope.scaling.type")).and_then(|item| item.to_string().ok().cloned());
        if let Some(kind) = scaling.filter(|kind| kind != "none") {
            config["rope_scaling"] = json!({
                "rope_type": kind, "factor": number("rope.scaling.factor"),
                "attention_factor": number("rope.scaling.attn_factor"),
                "original_max_position_embeddings": size("rope.scaling.original_context_length")
            });
        }
        Ok(config)
    }

    /// What the frequencies of the rotation are divided by, if the file says so.
    ///
    /// # Errors
    /// `BadInput` if they cannot be read.
    pub(crate) fn rope_factors(&mut self) -> Result<Option<Vec<f32>>> {
        if !self.content.tensor_infos.contains_key(ROPE_FACTORS) {
            return Ok(None);
        }
        let values = self.load(ROPE_FACTORS, DType::F32).and_then(|factors| factors.flatten_all()?.to_vec1());
        values.map(Some).map_err(|error| {
            PluginError::bad_input(format!("cannot read tensor `{ROPE_FACTORS}` of `{}`", self.path.display()))
                .with_cause(&error)
        })
    }

    fn item(&self, key: &str) -> Option<&Item> {
        self.content.metadata.get(key)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.item(key)?.to_bool().ok()
    }

    fn size(&self, key: &str) -> Option<usize> {
        let item = self.item(key)?;
        let size = item.to_u64().or_else(|_| item.to_u32().map(u64::from)).or_else(|_| {
            // Some writers give whole numbers a sign.
            item.to_i32().map(|size| u64::try_from(size).unwrap_or(0))
        });
        usize::try_from(size.ok()?).ok()
    }

    fn wrong(&self, key: &str, expected: &str) -> PluginError {
        let found = match self.item(key) {
            None => "nothing".to_owned(),
            Some(Item::Array(_)) => "a list".to_owned(),
            Some(item) => format!("{item:?}"),
        };
        PluginError::bad_input(format!("`{}`: expected `{key}` to be {expected}, found {found}", self.path.display()))
    }

    fn lacks(&self, name: &str) -> PluginError {
        PluginError::bad_input(format!("`{}` has no tensor `{name}`", self.path.display()))
    }
}

impl Source for Gguf {
    fn names(&self) -> BTreeSet<String> {
        self.content.tensor_infos.keys().filter(|name| *name != ROPE_FACTORS).cloned().collect()
    }

    fn file(&self, _: &str) -> &Path {
        &self.path
    }

    fn look(&self, name: &str) -> candle_core::Result<(Vec<usize>, Option<String>)> {
        match self.content.tensor_infos.get(name) {
            Some(info) => {
                let dims = info.shape.dims();
                // What does not fit into a number is not looked for in the file.
                let bytes = dims.iter().try_fold(size_of::<f32>(), |bytes, size| bytes.checked_mul(*size));
                match bytes.filter(|bytes| isize::try_from(*bytes).is_ok()) {
                    Some(_) => Ok((dims.to_vec(), None)),
                    None => Err(candle_core::Error::Msg(format!("no memory holds the shape {dims:?}"))),
                }
            }
            None => Err(candle_core::Error::CannotFindTensor { path: name.to_owned() }),
        }
    }

    fn load(&mut self, name: &str, dtype: DType) -> candle_core::Result<Tensor> {
        if let Some(info) = self.content.tensor_infos.get(name) {
            // What candle multiplies is then a number.
            let elements = info.shape.dims().iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
            if elements.is_none_or(|elements| elements > isize::MAX as usize / 16) {
                candle_core::bail!("the shape {:?} is not one of a tensor in memory", info.shape.dims());
            }
        }
        let tensor = self.content.tensor(&mut self.file, name, &Device::Cpu)?;
        tensor.dequantize(&Device::Cpu)?.to_dtype(dtype)
    }

    fn same(&self, _: &str, _: &str) -> bool {
        false
    }
}
