//! `config.json`, value by value.

use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::Activation;
use half::{bf16, f16};
use serde_json::Value;
use std::path::Path;

/// No size of a model is as large as this. Products of two sizes are numbers, then, and a configuration with a larger one is
/// refused before it is given memory.
pub const SIZE_LIMIT: usize = 1 << 31;

/// The number type that weights are rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits, of which 10 are the digits.
    F16,
    /// 16 bits, of which 7 are the digits.
    Bf16,
}

impl Precision {
    /// A number, rounded to it.
    pub(crate) fn round(self, number: f32) -> f32 {
        match self {
            Precision::F32 => number,
            Precision::F16 => f16::from_f32(number).to_f32(),
            Precision::Bf16 => bf16::from_f32(number).to_f32(),
        }
    }
}

/// A configuration, or an object within it. A value that is `null` counts as none.
#[derive(Debug, Clone, Copy)]
pub struct Config<'a> {
    json: &'a Value,
    path: &'a Path,
    precision: Precision,
}

impl<'a> Config<'a> {
    /// `path` is for messages; `precision` is what weights will be rounded to.
    pub fn new(json: &'a Value, path: &'a Path, precision: Precision) -> Self {
        Config { json, path, precision }
    }

    /// The object itself.
    pub fn json(&self) -> &'a Value {
        self.json
    }

    /// The file that it is from.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// The number type that weights are rounded to.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// The value of `model_type`; empty where there is none.
    pub fn model_type(&self) -> &'a str {
        self.json.get("model_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// An error that names the file.
    pub fn wrong(&self, what: String) -> PluginError {
        PluginError::bad_input(format!("`{}`: {what}", self.path.display()))
    }

    /// The same for what makes sense but cannot be done.
    pub fn unsupported(&self, what: String) -> PluginError {
        PluginError::unsupported(format!("`{}`: {what}", self.path.display()))
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.json.get(name).filter(|value| !value.is_null())
    }

    /// Whether a value is given, be it `null`.
    pub fn has(&self, name: &str) -> bool {
        self.json.get(name).is_some()
    }

    fn typed<T>(&self, name: &str, kind: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong(format!("`{name}` must be {kind}, found `{value}`")))
    }

    /// An object within this one.
    ///
    /// # Errors
    /// `BadInput` if it is something else.
    pub fn inside(&self, name: &str) -> Result<Option<Config<'a>>> {
        self.typed(name, "an object", |value| value.is_object().then_some(Config { json: value, ..*self }))
    }

    /// A positive whole number.
    ///
    /// # Errors
    /// `BadInput` if it is something else.
    pub fn size(&self, name: &str) -> Result<Option<usize>> {
        let size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        let read = |value: &Value| size(value).filter(|size| *size > 0 && *size < SIZE_LIMIT);
        self.typed(name, "a positive whole number below 2^31", read)
    }

    /// As [`Config::size`], but it may be zero.
    ///
    /// # Errors
    /// `BadInput` if it is something else.
    pub fn count(&self, name: &str) -> Result<Option<usize>> {
        let read = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
        self.typed(name, "a whole number", |value| read(value).filter(|count| *count < SIZE_LIMIT))
    }

    /// The same, which must be there.
    ///
    /// # Errors
    /// `BadInput` if it is missing or something else.
    pub fn needed_size(&self, name: &str) -> Result<usize> {
        self.size(name)?.ok_or_else(|| self.wrong(format!("has no `{name}`; expected a positive whole number")))
    }

    /// The width of a head, where all heads together are as wide as the residual stream.
    ///
    /// # Errors
    /// `BadInput` if the width is no multiple of the heads.
    pub fn head_width(&self, width: usize, heads: usize) -> Result<usize> {
        match width.is_multiple_of(heads) {
            true => Ok(width / heads),
            false => {
                let message = format!("`hidden_size` ({width}) must be a multiple of `num_attention_heads` ({heads})");
                Err(self.wrong(message))
            }
        }
    }

    /// How many layers there are. Each is described before weights are read, so an absurd number would fill the memory.
    ///
    /// # Errors
    /// `BadInput` if it is missing, something else, or absurd.
    pub fn layers(&self, name: &str) -> Result<usize> {
        let layers = self.needed_size(name)?;
        self.at_most(name, layers, 10_000)?;
        Ok(layers)
    }

    /// Refuses a size that is larger than anybody could mean.
    ///
    /// # Errors
    /// `BadInput` says what the most is.
    pub fn at_most(&self, name: &str, size: usize, most: usize) -> Result<()> {
        match size <= most {
            true => Ok(()),
            false => Err(self.wrong(format!("`{name}` must be at most {most}, found `{size}`"))),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// `BadInput` if it is something else.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.typed(name, "a number", Value::as_f64)
    }

    /// A number, which must be there.
    ///
    /// # Errors
    /// `BadInput` if it is missing or something else.
    pub fn needed_number(&self, name: &str) -> Result<f64> {
        self.number(name)?.ok_or_else(|| self.wrong(format!("has no `{name}`; expected a number")))
    }

    /// A list of numbers.
    ///
    /// # Errors
    /// `BadInput` if it is something else.
    pub fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let read = |value: &Value| value.as_array()?.iter().map(Value::as_f64).collect();
        self.typed(name, "a list of numbers", read)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// `BadInput` if it is something else.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.typed(name, "`true` or `false`", Value::as_bool)?.unwrap_or(default))
    }

    /// A text.
    ///
    /// # Errors
    /// `BadInput` if it is something else.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.typed(name, "a text", Value::as_str)
    }

    /// The activation that `name` names.
    ///
    /// # Errors
    /// `Unsupported` for one that is not known, `BadInput` for what is no text.
    pub fn activation(&self, name: &str, default: Activation) -> Result<Activation> {
        let Some(found) = self.text(name)? else { return Ok(default) };
        Activation::named(found).ok_or_else(|| {
            self.unsupported(format!("`{name}: {found}` is not supported; these are: {}", Activation::NAMES))
        })
    }

    /// Which layers slide, by `layer_types`.
    ///
    /// # Errors
    /// `BadInput` if it does not say so for each of the layers.
    pub fn sliding_layers(&self, layers: usize) -> Result<Option<Vec<bool>>> {
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
