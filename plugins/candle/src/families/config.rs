//! `config.json`, value by value.

use crate::tensors::SIZE_LIMIT;
use candle_core::DType;
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::Activation;
use serde_json::Value;
use std::path::Path;

/// A configuration, or an object within it. A value that is `null` counts as none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config<'a> {
    json: &'a Value,
    path: &'a Path,
    dtype: DType,
}

impl<'a> Config<'a> {
    /// `path` is for messages; `dtype` is what weights will be rounded to.
    pub(crate) fn new(json: &'a Value, path: &'a Path, dtype: DType) -> Self {
        Config { json, path, dtype }
    }

    pub(crate) fn json(&self) -> &'a Value {
        self.json
    }

    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    /// The number type that weights are rounded to.
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn model_type(&self) -> &'a str {
        self.json.get("model_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// An error that names the file.
    pub(crate) fn wrong(&self, what: String) -> PluginError {
        PluginError::bad_input(format!("`{}`: {what}", self.path.display()))
    }

    /// The same for what makes sense but cannot be done.
    pub(crate) fn unsupported(&self, what: String) -> PluginError {
        PluginError::unsupported(format!("`{}`: {what}", self.path.display()))
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.json.get(name).filter(|value| !value.is_null())
    }

    /// Whether a value is given, be it `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.json.get(name).is_some()
    }

    fn typed<T>(&self, name: &str, kind: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong(format!("`{name}` must be {kind}, found `{value}`")))
    }

    /// An object within this one.
    pub(crate) fn inside(&self, name: &str) -> Result<Option<Config<'a>>> {
        self.typed(name, "an object", |value| value.is_object().then_some(Config { json: value, ..*self }))
    }

    pub(crate) fn size(&self, name: &str) -> Result<Option<usize>> {
        let size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        let read = |value: &Value| size(value).filter(|size| *size > 0 && *size < SIZE_LIMIT);
        self.typed(name, "a positive whole number below 2^31", read)
    }

    /// As [`Config::size`], but it may be zero.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>> {
        let read = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
        self.typed(name, "a whole number", |value| read(value).filter(|count| *count < SIZE_LIMIT))
    }

    pub(crate) fn needed_size(&self, name: &str) -> Result<usize> {
        self.size(name)?.ok_or_else(|| self.wrong(format!("has no `{name}`; expected a positive whole number")))
    }

    /// The width of a head, where all heads together are as wide as the residual stream.
    pub(crate) fn head_width(&self, width: usize, heads: usize) -> Result<usize> {
        match width.is_multiple_of(heads) {
            true => Ok(width / heads),
            false => {
                let message = format!("`hidden_size` ({width}) must be a multiple of `num_attention_heads` ({heads})");
                Err(self.wrong(message))
            }
        }
    }

    /// How many layers there are. Each is described before weights are read, so an absurd number would fill the memory.
    pub(crate) fn layers(&self, name: &str) -> Result<usize> {
        let layers = self.needed_size(name)?;
        self.at_most(name, layers, 10_000)?;
        Ok(layers)
    }

    /// Refuses a size that is larger than anybody could mean.
    pub(crate) fn at_most(&self, name: &str, size: usize, most: usize) -> Result<()> {
        match size <= most {
            true => Ok(()),
            false => Err(self.wrong(format!("`{name}` must be at most {most}, found `{size}`"))),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>> {
        self.typed(name, "a number", Value::as_f64)
    }

    pub(crate) fn needed_number(&self, name: &str) -> Result<f64> {
        self.number(name)?.ok_or_else(|| self.wrong(format!("has no `{name}`; expected a number")))
    }

    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let read = |value: &Value| value.as_array()?.iter().map(Value::as_f64).collect();
        self.typed(name, "a list of numbers", read)
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.typed(name, "`true` or `false`", Value::as_bool)?.unwrap_or(default))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.typed(name, "a text", Value::as_str)
    }

    /// The activation that `name` names.
    pub(crate) fn activation(&self, name: &str, default: Activation) -> Result<Activation> {
        let Some(found) = self.text(name)? else { return Ok(default) };
        Activation::named(found).ok_or_else(|| {
            self.unsupported(format!("`{name}: {found}` is not supported; these are: {}", Activation::NAMES))
        })
    }

    /// Which layers slide, by `layer_types`.
    pub(crate) fn sliding_layers(&self, layers: usize) -> Result<Option<Vec<bool>>> {
        let Some(types) = self.value("layer_types") else { return Ok(None) };
        let slides = |kind: &Value| match kind.as_str() {
            Some("sliding_attention") => Some(true),
            Some("full_attention") => Some(false),
            _ => None,
        };
        let read = types.as_array().and_then(|types| types.iter().map(slides).collect::<Option<Vec<bool>>>());
        match read {
            Some(read) if read.len() == layers => Ok(Some(read)),
            _ => Err(self.wrong(format!(
                "`layer_types` must say `full_attention` or `sliding_attention` for each of {layers} layers, found `{types}`"
            ))),
        }
    }
}
