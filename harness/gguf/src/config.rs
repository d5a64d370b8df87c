//! The configuration of a GGUF file in the form of a `config.json`.
//!
//! What the format has no key for is what llama.cpp takes for given, or where llama.cpp departs from the published models
//! (the activation of GPT-NeoX), what these have.

use crate::{Gguf, Item};
use examiner_api::{PluginError, Result};
use examiner_families::SIZE_LIMIT;
use serde_json::{Map, Value, json};

/// Architectures as GGUF names them, and the families that they are. `llama` is Mistral's name there, too.
const ARCHITECTURES: [(&str, &str); 10] = [
    ("gpt2", "gpt2"),
    ("llama", "llama"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("phi3", "phi3"),
    ("olmo2", "olmo2"),
    ("granite", "granite"),
    ("gptneox", "gpt_neox"),
];

/// Families of which converters put the two values of a pair that is rotated side by side.
pub(crate) const INTERLEAVED: [&str; 3] = ["llama", "mistral", "granite"];

/// The configuration of a file.
///
/// # Errors
/// `BadInput` if a number is missing, `Unsupported` for an architecture, or something in it, that is not run.
pub fn config(gguf: &Gguf) -> Result<Value> {
    let key = "general.architecture";
    let architecture = gguf.text(key)?.ok_or_else(|| gguf.unexpected(key, "a text"))?.to_owned();
    let Some((_, family)) = ARCHITECTURES.iter().find(|(name, _)| *name == architecture) else {
        let names = ARCHITECTURES.map(|(name, _)| name).join("`, `");
        return Err(PluginError::unsupported(format!(
            "`{}` has `{key}: {architecture}`; from GGUF files `{names}` are read",
            gguf.path().display()
        ))
        .with_help("use the checkpoint's safetensors files"));
    };
    let mut config = File { gguf, architecture: &architecture }.config(family)?;
    if let Some(factors) = longrope(gguf, &architecture)? {
        config.extend(factors);
    }
    Ok(Value::Object(config))
}

/// A file, and the word that its keys begin with.
struct File<'a> {
    gguf: &'a Gguf,
    architecture: &'a str,
}

impl File<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        self.gguf.number(&self.key(name))
    }

    fn needed_number(&self, name: &str) -> Result<f64> {
        self.number(name)?.ok_or_else(|| self.gguf.unexpected(&self.key(name), "a number"))
    }

    /// A size, or none where there is no such key or it is 0.
    fn size(&self, name: &str) -> Result<Option<usize>> {
        Ok(self.gguf.whole(&self.key(name))?.filter(|size| *size > 0))
    }

    fn needed(&self, name: &str) -> Result<usize> {
        let size = self.size(name)?.filter(|size| *size < SIZE_LIMIT);
        size.ok_or_else(|| self.gguf.unexpected(&self.key(name), "a positive whole number below 2^31"))
    }

    fn unsupported(&self, what: &str) -> PluginError {
        PluginError::unsupported(format!("`{}`: {what}", self.gguf.path().display()))
            .with_help("use the checkpoint's safetensors files, or another model")
    }

    fn config(&self, family: &str) -> Result<Map<String, Value>> {
        let (width, heads) = (self.needed("embedding_length")?, self.needed("attention.head_count")?);
        let head_width = self.size("attention.key_length")?.unwrap_or(width / heads);
        self.check(head_width)?;
        let Some([vocabulary, _]) = self.gguf.shape("token_embd.weight") else {
            return Err(self.gguf.wrong("there is no matrix `token_embd.weight`".to_owned()));
        };
        let mut config = Map::new();
        let mut put = |name: &str, value: Value| drop(config.insert(name.to_owned(), value));
        put("model_type", json!(family));
        put("vocab_size", json!(vocabulary));
        put("tie_word_embeddings", json!(!self.gguf.has("output.weight")));
        if family == "gpt2" {
            put("n_embd", json!(width));
            put("n_head", json!(heads));
            put("n_layer", json!(self.needed("block_count")?));
            put("n_inner", json!(self.needed("feed_forward_length")?));
            put("n_positions", json!(self.needed("context_length")?));
            put("layer_norm_epsilon", json!(self.needed_number("attention.layer_norm_epsilon")?));
            return Ok(config);
        }
        put("hidden_size", json!(width));
        put("intermediate_size", json!(self.needed("feed_forward_length")?));
        put("num_hidden_layers", json!(self.needed("block_count")?));
        put("num_attention_heads", json!(heads));
        put("num_key_value_heads", json!(self.size("attention.head_count_kv")?.unwrap_or(heads)));
        put("head_dim", json!(head_width));
        put("max_position_embeddings", json!(self.needed("context_length")?));
        config.extend(self.rope(family, head_width)?);
        config.extend(match family {
            "gpt_neox" => fields([
                ("layer_norm_eps", json!(self.needed_number("attention.layer_norm_epsilon")?)),
                ("use_parallel_residual", json!(self.gguf.flag(&self.key("use_parallel_residual"))?.unwrap_or(true))),
                ("hidden_act", json!("gelu")),
            ]),
            _ => fields([("rms_norm_eps", json!(self.needed_number("attention.layer_norm_rms_epsilon")?))]),
        });
        config.extend(self.window(family)?);
        match family {
            "gemma2" | "gemma3_text" => config.extend(self.gemma(width, heads, head_width)?),
            "granite" => config.extend(self.granite(head_width)?),
            _ => {}
        }
        Ok(config)
    }

    /// Refuses what files of these architectures may have, and is not computed.
    fn check(&self, head_width: usize) -> Result<()> {
        if self.size("expert_count")?.is_some() {
            return Err(self.unsupported("a mixture of experts is not run from GGUF files"));
        }
        if self.gguf.flag(&self.key("attention.causal"))? == Some(false) {
            return Err(self.unsupported("attention that sees later tokens is not supported"));
        }
        if let Some(values) = self.size("attention.value_length")?.filter(|values| *values != head_width) {
            return Err(self.unsupported(&format!("a head has {head_width} keys and {values} values")));
        }
        let scale = "attention.scale";
        if self.architecture != "granite" && self.number(scale)?.is_some_and(|scale| scale != 0.0) {
            return Err(self.unsupported(&format!("`{}` is not supported", self.key(scale))));
        }
        Ok(())
    }

    /// The rotation.
    fn rope(&self, family: &str, head_width: usize) -> Result<Map<String, Value>> {
        let theta = match (family, self.number("rope.freq_base")?) {
            ("gemma3_text", None) => return Err(self.gguf.unexpected(&self.key("rope.freq_base"), "a number")),
            (_, theta) => theta.unwrap_or(10_000.0),
        };
        let rotated = self.size("rope.dimension_count")?.unwrap_or(head_width);
        if INTERLEAVED.contains(&family) && rotated != head_width {
            return Err(self.unsupported(&format!("{rotated} of {head_width} values of a head are rotated")));
        }
        let share = rotated as f64 / head_width as f64;
        let mut rope = match family {
            "gpt_neox" => fields([("rotary_emb_base", json!(theta)), ("rotary_pct", json!(share))]),
            _ if rotated == head_width => fields([("rope_theta", json!(theta))]),
            _ => fields([("rope_theta", json!(theta)), ("partial_rotary_factor", json!(share))]),
        };
        if let Some(scaling) = self.rope_scaling()? {
            rope.insert("rope_scaling".to_owned(), scaling);
        }
        Ok(rope)
    }

    fn rope_scaling(&self) -> Result<Option<Value>> {
        let kind = self.gguf.text(&self.key("rope.scaling.type"))?;
        if let (None, Some(factor)) = (kind, self.number("rope.scale_linear")?) {
            // As files were written before there were types.
            return Ok(Some(json!({ "rope_type": "linear", "factor": factor })));
        }
        // LongRoPE's factors are tensors: see `longrope`.
        let has_tensors = self.gguf.has("rope_factors_long.weight");
        let is_plain = |kind: &str| kind == "none" || (kind == "longrope" && has_tensors);
        let Some(kind) = kind.filter(|kind| !is_plain(kind)) else { return Ok(None) };
        let multiplier = "rope.scaling.yarn_log_multiplier";
        if self.number(multiplier)?.is_some_and(|multiplier| multiplier != 0.0) {
            return Err(self.unsupported(&format!("`{}` is not supported", self.key(multiplier))));
        }
        let attention = match self.number("rope.scaling.yarn_attn_factor")? {
            Some(factor) => Some(factor),
            None => self.number("rope.scaling.attn_factor")?,
        };
        Ok(Some(json!({
            "rope_type": kind,
            "factor": self.number("rope.scaling.factor")?,
            "attention_factor": attention,
            "beta_fast": self.number("rope.scaling.yarn_beta_fast")?,
            "beta_slow": self.number("rope.scaling.yarn_beta_slow")?,
            "original_max_position_embeddings": self.size("rope.scaling.original_context_length")?,
        })))
    }

    /// Which positions a token sees. Converters do not write down the window of a Mistral; a file that has one is one.
    fn window(&self, family: &str) -> Result<Map<String, Value>> {
        let name = "attention.sliding_window";
        let window = ("sliding_window", json!(self.size(name)?));
        Ok(match (family, self.size(name)?) {
            ("gemma2" | "gemma3_text", _) => fields([("sliding_window", json!(self.needed(name)?))]),
            (_, None) => Map::new(),
            ("phi3", _) => fields([window]),
            ("llama", _) => fields([window, ("model_type", json!("mistral"))]),
            _ => return Err(self.unsupported(&format!("`{}` is not supported", self.key(name)))),
        })
    }

    /// What Gemma 2 and 3 have beside the others. The factor of queries is in no key: llama.cpp knows the one size of each
    /// generation that has another, by its number of layers.
    fn gemma(&self, width: usize, heads: usize, head_width: usize) -> Result<Map<String, Value>> {
        let is_27b = matches!((self.architecture, self.needed("block_count")?), ("gemma2", 46) | ("gemma3", 62));
        let scalar = if is_27b { width / heads } else { head_width };
        let mut gemma = fields([("query_pre_attn_scalar", json!(scalar))]);
        for name in ["attn_logit_softcapping", "final_logit_softcapping"] {
            if let Some(cap) = self.number(name)? {
                gemma.insert(name.to_owned(), json!(cap));
            }
        }
        if let Some(theta) = self.number("rope.freq_base_swa")? {
            gemma.insert("rope_local_base_freq".to_owned(), json!(theta));
        }
        let pattern = self.key("attention.sliding_window_pattern");
        match self.gguf.item(&pattern) {
            None => {}
            Some(Item::Whole(_)) if self.architecture == "gemma3" => {
                gemma.insert("sliding_window_pattern".to_owned(), json!(self.gguf.whole(&pattern)?));
            }
            Some(_) => return Err(self.unsupported(&format!("`{pattern}` is not supported"))),
        }
        Ok(gemma)
    }

    /// Granite's four factors; one that is 0 or missing is none.
    fn granite(&self, head_width: usize) -> Result<Map<String, Value>> {
        let factor = |name: &str| Ok::<_, PluginError>(self.number(name)?.filter(|factor| *factor != 0.0));
        Ok(fields([
            ("attention_multiplier", json!(factor("attention.scale")?.unwrap_or((head_width as f64).powf(-0.5)))),
            ("embedding_multiplier", json!(factor("embedding_scale")?)),
            ("residual_multiplier", json!(factor("residual_scale")?)),
            ("logits_scaling", json!(factor("logit_scale")?)),
        ]))
    }
}

/// LongRoPE, whose factors are tensors.
fn longrope(gguf: &Gguf, architecture: &str) -> Result<Option<Map<String, Value>>> {
    let short = gguf.vector("rope_factors_short.weight")?;
    let long = gguf.vector("rope_factors_long.weight")?;
    let (short, long) = match (short, long) {
        (None, None) => return Ok(None),
        (Some(short), Some(long)) => (short, long),
        _ => {
            return Err(
                gguf.wrong("has only one of `rope_factors_short.weight` and `rope_factors_long.weight`".to_owned())
            );
        }
    };
    let original = format!("{architecture}.rope.scaling.original_context_length");
    let original = gguf.whole(&original)?.ok_or_else(|| gguf.unexpected(&original, "a whole number"))?;
    Ok(Some(fields([
        ("original_max_position_embeddings", json!(original)),
        (
            "rope_scaling",
            json!({
                "rope_type": "longrope", "short_factor": short, "long_factor": long,
                "attention_factor": gguf.number(&format!("{architecture}.rope.scaling.attn_factor"))?,
            }),
        ),
    ])))
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
