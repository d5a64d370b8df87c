//! The options of the model in a suite.

use crate::device::NumberType;
use crate::precision::Precision;
use examiner_api::schemars::{self, JsonSchema};
use examiner_lm::{DivergenceFrom, OwnOptions, WithLocalOptions};
use serde::Deserialize;

/// All options of the model: those of every local model, and [`CandleOptions`].
pub type Options = WithLocalOptions<CandleOptions>;

/// A local language model on candle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct CandleOptions {
    /// A directory with `config.json`, `tokenizer.json` and `model.safetensors` (or shards and their index), or
    /// `hf://org/name`; or a `.gguf` file, of which nothing else is needed: `./model-q4_k_m.gguf`,
    /// `hf://org/name/model-q4_k_m.gguf`, or the first part of one, `./model-00001-of-00003.gguf`.
    #[schemars(extend("x-model-types" = crate::families::names().concat(), "format" = "path"))]
    pub checkpoint: String,
    /// For a `.gguf` file: a `tokenizer.json` to use in place of the tokenizer that the file describes, as a path or
    /// `hf://org/name/tokenizer.json`. If not given, only the file's own counts, whatever lies beside it.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub tokenizer: Option<String>,
    /// `auto` (a GPU if this build can use one and there is one, else the CPU), `cpu`, `cuda`, `cuda:N` with the number
    /// of a GPU, or `cpu-candle` (candle's own operations on the CPU: slower, and results depend on the batch in their
    /// last digits; to compare with, and for families that `candle-transformers` computes the same as `cpu`).
    #[serde(default = "auto")]
    pub device: String,
    /// The number type that weights are rounded to and kept in: `f32`, `f16`, `bf16`, or on the CPU `int8`, where the
    /// weights of linear layers are whole numbers with a scale for each output. On the CPU arithmetic is in 32 bits
    /// whatever it is. With `f32` on the CPU, quantized matrices of a `.gguf` file stay in their blocks in memory. Fewer bits take less
    /// memory, and less time where few sequences are computed at the same time; all but `f32` change scores, unless the file has no
    /// more bits: see by how much with both in one suite and `examiner compare`. Families that `candle-transformers` computes have `f32` alone.
    #[serde(default)]
    pub dtype: NumberType,
    /// How exact products of matrices are on the CPU. `highest`: in 32 bits, the same results to the bit on every machine. `medium`: inputs
    /// and weights rounded to `bf16`, summed in 32 bits, by AMX or AVX512-BF16: some two times as fast with the latter; where weights are
    /// whole numbers (in the blocks of a GGUF file, or with `dtype: int8`) inputs are rounded to whole numbers of 8 bits, by AVX-512 or AVX2;
    /// cached keys and values take 16 bits. `high`: results as good as those of 32 bits, from three numbers of `bf16` for each factor, where
    /// AMX makes that faster. What gains nothing on a machine is refused there. In each, a score is the same to the bit whatever else is in
    /// the batch; where `bf16` is multiplied, last digits depend on the processor's unit. See what it costs with two of them in one suite
    /// and `examiner compare`.
    #[serde(default)]
    pub precision: Precision,
    /// A checkpoint that the model is compared with wherever it scores, in any form of `checkpoint`: one that it was made from, say. What the
    /// scorer `perplexity` then reports with `divergence: true` is the Kullback-Leibler divergence of the model from it, and how often both
    /// have the same most probable token. It is loaded beside the model, on the same device, in `f32` and `precision: highest`; `{ checkpoint: PATH, dtype: bf16 }`
    /// says otherwise. Both must have the same vocabulary and tokenizer, and the shorter of their contexts counts. Answers are the model's alone.
    #[serde(default)]
    pub divergence_from: Option<DivergenceFrom<BaseOptions>>,
}

/// What a model is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct BaseOptions {
    /// The checkpoint.
    #[schemars(extend("format" = "path"))]
    pub checkpoint: String,
    /// As the model's own `tokenizer`.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub tokenizer: Option<String>,
    /// As the model's own `dtype`.
    #[serde(default)]
    pub dtype: NumberType,
}

impl CandleOptions {
    /// How the model is loaded that this one is compared with.
    pub(crate) fn base(&self) -> Option<CandleOptions> {
        let device = self.device.clone();
        let loaded = |checkpoint, tokenizer, dtype| CandleOptions {
            checkpoint,
            tokenizer,
            device,
            dtype,
            precision: Precision::Highest,
            divergence_from: None,
        };
        Some(match self.divergence_from.clone()? {
            DivergenceFrom::Checkpoint(checkpoint) => loaded(checkpoint, None, NumberType::F32),
            DivergenceFrom::Model(BaseOptions { checkpoint, tokenizer, dtype }) => loaded(checkpoint, tokenizer, dtype),
        })
    }
}

impl OwnOptions for CandleOptions {}

fn auto() -> String {
    "auto".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_lm::LocalOptions;
    use serde_json::json;

    #[test]
    fn only_the_checkpoint_is_needed_and_unknown_keys_are_refused() {
        let options: Options = serde_json::from_value(json!({ "checkpoint": "gpt2" })).unwrap();
        assert_eq!(options.local, LocalOptions::default());
        assert_eq!((options.own.device.as_str(), options.own.dtype), ("auto", NumberType::F32));
        let wrong = serde_json::from_value::<Options>(json!({ "checkpoint": "gpt2", "dtpye": "f16" })).unwrap_err();
        assert!(wrong.to_string().contains("dtpye"), "{wrong}");
        assert!(serde_json::from_value::<Options>(json!({ "checkpoint": "gpt2", "dtype": "f64" })).is_err());
    }

    #[test]
    fn a_base_is_a_checkpoint_or_has_options_of_its_own() {
        let of = |base: serde_json::Value| {
            let options = json!({ "checkpoint": "a", "device": "cpu", "dtype": "int8", "divergence_from": base });
            serde_json::from_value::<Options>(options).map(|options| options.own.base())
        };
        assert_eq!(of(json!(null)).unwrap(), None);
        let base = of(json!("b.gguf")).unwrap().unwrap();
        assert_eq!((base.checkpoint.as_str(), base.device.as_str(), base.dtype), ("b.gguf", "cpu", NumberType::F32));
        let base = of(json!({ "checkpoint": "b", "tokenizer": "t.json", "dtype": "bf16" })).unwrap().unwrap();
        assert_eq!((base.checkpoint.as_str(), base.dtype), ("b", NumberType::Bf16));
        assert_eq!((base.tokenizer.as_deref(), base.divergence_from), (Some("t.json"), None));
        for wrong in [json!({ "dtype": "f32" }), json!({ "checkpoint": "b", "dtpye": "f32" }), json!(7)] {
            let error = of(wrong).unwrap_err().to_string();
            assert!(error.contains("expected a checkpoint, or a mapping with `checkpoint`"), "{error}");
        }
    }
}
