//! `config.json` as a model of `candle-transformers` reads it.
//!
//! The crate takes some fields for granted that files leave out, and computes with one value of others whatever the file
//! says. Both would be wrong numbers without a word. So each family names the fields that transformers honours: what it
//! assumes where one is missing, and which values the crate computes.

use examiner_api::{PluginError, Result};
use examiner_families::Config;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What computes these families, as it stands in fingerprints and messages: the version in `Cargo.toml`.
pub(crate) const CRATE: &str = "candle-transformers 0.11.1";

/// Rotations are tables of one row for each position.
const MOST_POSITIONS: usize = 1 << 20;

/// How wide a head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadWidth {
    /// The share that a head has in the residual stream; the crate reads no `head_dim`.
    Share,
    /// `head_dim`, and without it the share.
    Free,
    /// `head_dim`, and without it this.
    Or(usize),
}

/// The sizes of attention.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    /// Values of a head.
    pub(super) width: usize,
    /// Values of all keys and values of one position.
    pub(super) cached: usize,
}

/// The fields of a configuration, as they are handed to the crate.
pub(super) struct Fields<'a> {
    config: &'a Config<'a>,
    object: Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// `BadInput` unless all of `sizes` are positive numbers below 2^31.
    pub(super) fn new(config: &'a Config<'a>, sizes: &[&str]) -> Result<Self> {
        for name in sizes {
            config.needed_size(name)?;
        }
        let mut object = config.json().as_object().cloned().unwrap_or_default();
        object.retain(|_, value| !value.is_null());
        Ok(Fields { config, object })
    }

    /// The configuration as it is in the file.
    pub(super) fn config(&self) -> &'a Config<'a> {
        self.config
    }

    /// What transformers takes where the file has nothing.
    pub(super) fn or(&mut self, name: &str, value: impl Into<Value>) {
        self.object.entry(name).or_insert_with(|| value.into());
    }

    /// What the crate is told, whatever the file has.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.object.insert(name.to_owned(), value.into());
    }

    /// Refuses values other than those that the crate computes with. The first is what transformers takes where the file has
    /// nothing.
    ///
    /// # Errors
    /// `Unsupported` names the field, its value, and those that can be.
    pub(super) fn only(&mut self, name: &str, values: &[Value]) -> Result<()> {
        let known = |value: &Value| values.iter().any(|known| known == value || same_number(known, value));
        match self.object.get(name) {
            Some(value) if !known(value) => {
                let found = value.clone();
                return Err(self.refusal(name, &found, values));
            }
            Some(_) => (),
            None => self.object.extend(values.first().map(|value| (name.to_owned(), value.clone()))),
        }
        Ok(())
    }

    fn refusal(&self, name: &str, found: &Value, values: &[Value]) -> PluginError {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        let what = format!(
            "`{name}: {found}` is not supported: {CRATE} computes `{}` with {} alone",
            self.config.model_type(),
            values.join(", ")
        );
        self.config.unsupported(what).with_help("export the model to ONNX and use the plugin `onnx`")
    }

    /// Sets the number of experts, which files may have under other names, and checks how many of them are chosen: the crate would go
    /// on with fewer than asked for.
    ///
    /// # Errors
    /// `BadInput` if a number is missing, or more are chosen than there are.
    pub(super) fn experts(&mut self, name: &str, others: &[&str]) -> Result<()> {
        let config = self.config;
        let has = |name: &&str| config.json().get(*name).is_some_and(|value| !value.is_null());
        let found = std::iter::once(&name).chain(others).copied().find(has).unwrap_or(name);
        let (chosen, all) = (config.needed_size("num_experts_per_tok")?, config.needed_size(found)?);
        config.at_most("num_experts_per_tok", chosen, all)?;
        self.set(name, all);
        Ok(())
    }

    /// Sets the heads and checks their sizes. Without `num_key_value_heads`, there are as many as heads of queries.
    ///
    /// # Errors
    /// `BadInput` if heads cannot be shared out, `Unsupported` for a `head_dim` that the crate does not read.
    pub(super) fn heads(&mut self, head_width: HeadWidth) -> Result<Heads> {
        let config = self.config;
        let (width, heads) = (config.needed_size("hidden_size")?, config.needed_size("num_attention_heads")?);
        let kv_heads = config.size("num_key_value_heads")?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            return Err(config.wrong(format!(
                "`num_attention_heads` ({heads}) must be a multiple of `num_key_value_heads` ({kv_heads})"
            )));
        }
        let share = width.is_multiple_of(heads).then_some(width / heads);
        let given = config.size("head_dim")?;
        let found = match head_width {
            HeadWidth::Share => {
                if let Some(share) = share {
                    self.only("head_dim", &[json!(share)])?;
                }
                share
            }
            HeadWidth::Free => given.or(share),
            HeadWidth::Or(usual) => given.or(Some(usual)),
        };
        let Some(found) = found else {
            return Err(
                config.wrong(format!("`hidden_size` ({width}) must be a multiple of `num_attention_heads` ({heads})"))
            );
        };
        config.at_most("head_dim", found, 1 << 16)?;
        self.set("head_dim", found);
        self.set("num_key_value_heads", kv_heads);
        Ok(Heads { width: found, cached: 2 * config.layers("num_hidden_layers")? * kv_heads * found })
    }

    /// Sets `rope_theta`, and `partial_rotary_factor` where the family has one: `partial` is what it takes without. The
    /// `rope_type`.
    ///
    /// # Errors
    /// `BadInput` for a rotation that does not fit a head of `width` values.
    pub(super) fn rotation(&mut self, width: usize, theta: f64, partial: Option<f64>) -> Result<Rotation<'a>> {
        let config = self.config;
        let filled = |found: Option<Config<'a>>| found.filter(|found| found.json() != &json!({}));
        // As transformers has it, the older name comes first.
        let parameters = match filled(config.inside("rope_scaling")?) {
            Some(scaling) => Some(scaling),
            None => filled(config.inside("rope_parameters")?),
        };
        let number = |name: &str| match parameters.map(|inside| inside.number(name)).transpose()?.flatten() {
            Some(found) => Ok(Some(found)),
            None => config.number(name),
        };
        self.set("rope_theta", number("rope_theta")?.unwrap_or(theta));
        let factor = number("partial_rotary_factor")?;
        if partial.is_none() && factor.is_some_and(|factor| factor != 1.0) {
            return Err(self.refusal("partial_rotary_factor", &json!(factor), &[json!(1.0)]));
        }
        let factor = factor.or(partial).unwrap_or(1.0);
        let rotated = (width as f64 * factor) as usize;
        if rotated == 0 || rotated > width || !rotated.is_multiple_of(2) {
            return Err(config.unsupported(format!(
                "{rotated} of {width} values of a head would be rotated; expected an even number, and no more than there are"
            )));
        }
        self.set("partial_rotary_factor", factor);
        let kind = match parameters {
            Some(inside) => inside.text("rope_type")?.or(inside.text("type")?).unwrap_or("default"),
            None => "default",
        };
        Ok(Rotation { kind, parameters })
    }

    /// The same for a family of which the crate computes the plain rotation alone.
    ///
    /// # Errors
    /// `Unsupported` for another.
    pub(super) fn plain_rotation(&mut self, width: usize, theta: f64, partial: Option<f64>) -> Result<()> {
        let rotation = self.rotation(width, theta, partial)?;
        self.object.remove("rope_scaling");
        match rotation.kind {
            "default" => Ok(()),
            other => Err(self.refusal("rope_type", &json!(other), &[json!("default")])),
        }
    }

    /// The longest sequence: `max_position_embeddings`, or a window that is narrower. Within a window nothing is hidden, and
    /// beyond it the crate's masks are not those of transformers.
    ///
    /// # Errors
    /// `BadInput` if there is no such number, or one that nobody could mean.
    pub(super) fn context(&mut self, window: Option<&str>) -> Result<usize> {
        let longest = self.config.needed_size("max_position_embeddings")?;
        self.config.at_most("max_position_embeddings", longest, MOST_POSITIONS)?;
        let Some(name) = window else { return Ok(longest) };
        let window = self.config.size(name)?.unwrap_or(longest);
        // As a number: most of the crate's models need one.
        self.set(name, window.max(longest));
        Ok(longest.min(window))
    }

    /// Whether the output head is the embedding; `usual` is what transformers takes where the file has nothing.
    ///
    /// # Errors
    /// `BadInput` for what is neither `true` nor `false`.
    pub(super) fn tied(&mut self, usual: bool) -> Result<bool> {
        let tied = self.config.flag("tie_word_embeddings", usual)?;
        self.set("tie_word_embeddings", tied);
        Ok(tied)
    }

    /// The crate's own configuration.
    ///
    /// # Errors
    /// `BadInput` with what the crate misses.
    pub(super) fn read<C: DeserializeOwned>(self) -> Result<C> {
        let config = self.config;
        serde_json::from_value(Value::Object(self.object)).map_err(|error| {
            config.wrong(format!("is not what {CRATE} reads for `{}`", config.model_type())).with_cause(&error)
        })
    }
}

/// The kind of a rotation, and its parameters.
pub(super) struct Rotation<'a> {
    pub(super) kind: &'a str,
    pub(super) parameters: Option<Config<'a>>,
}

/// `1` and `1.0` are one number in such files.
fn same_number(a: &Value, b: &Value) -> bool {
    a.is_number() && a.as_f64() == b.as_f64()
}
