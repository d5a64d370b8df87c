//! The options of the exporter in a suite.

use super::rounding::Rounding;
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{PluginError, Result};
use examiner_families::Precision;
use serde::{Deserialize, Serialize};

/// Writes a checkpoint as an ONNX model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct ExportOptions {
    /// The number type of the weights, of keys and values, and of the logits: `f32`, or `f16` for a GPU, which halves file
    /// and memory; or `int4` or `uint4`, by which the matrices alone are rounded to 4 bits, in blocks of 32 numbers, and all
    /// else is `f32`.
    pub dtype: Dtype,
    /// Which operators the graph is made of; `grouped` gives the fastest answers on a CPU.
    pub operators: Operators,
    /// Which logits the graph computes; `all` is what Optimum's exports do.
    pub logits: Logits,
    /// Whether the weights lie in a file of their own, `model.onnx_data`: `true`, `false`, or `auto` for where
    /// `model.onnx` would have more than the 2 GB that its format can hold.
    pub external_data: ExternalData,
    /// For a `.gguf` file: a `tokenizer.json` to put beside the model, as a path or `hf://org/name/tokenizer.json`. Needed where the file
    /// describes SentencePiece's merges (`tokenizer.ggml.model: llama`), which a `tokenizer.json` cannot have exactly; of others it
    /// is written from the file's own description if not given.
    #[schemars(extend("format" = "path", "x-identity" = "content"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
}

/// A number type of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Dtype {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits.
    F16,
    /// Matrices in 4 bits, as far below zero as above (`MatMulNBits`).
    Int4,
    /// Matrices in 4 bits, each block from its least number to its greatest, with a zero point.
    Uint4,
}

impl Dtype {
    /// The type of all numbers that are not rounded.
    pub(super) fn number(self) -> NumberType {
        match self {
            Dtype::F32 | Dtype::Int4 | Dtype::Uint4 => NumberType::F32,
            Dtype::F16 => NumberType::F16,
        }
    }

    /// How matrices are rounded, where they are.
    pub(super) fn rounding(self) -> Option<Rounding> {
        match self {
            Dtype::F32 | Dtype::F16 => None,
            Dtype::Int4 => Some(Rounding::Symmetric),
            Dtype::Uint4 => Some(Rounding::ZeroPoints),
        }
    }
}

/// The type of the numbers that a graph computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberType {
    /// 32 bits.
    F32,
    /// 16 bits.
    F16,
}

impl NumberType {
    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            NumberType::F32 => 4,
            NumberType::F16 => 2,
        }
    }

    /// What factors are rounded to that a model keeps in the number type of its weights.
    pub(super) fn precision(self) -> Precision {
        match self {
            NumberType::F32 => Precision::F32,
            NumberType::F16 => Precision::F16,
        }
    }

    /// The name that `config.json` has for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            NumberType::F32 => "float32",
            NumberType::F16 => "float16",
        }
    }
}

/// Which operators a graph is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Operators {
    /// Those of the ONNX standard.
    #[default]
    Standard,
    /// ONNX Runtime's (`com.microsoft`): one for the whole of attention, where each head has keys of its own and nothing caps
    /// scores, one for a rotation, one for a sum and its norm, one for a sum and its activation.
    Fused,
    /// The same with `GroupQueryAttention`, which adds keys and values to those that are there instead of copying all of
    /// them, and takes sequences of different lengths without padding. On a CPU in `f32`; several sequences that go on by
    /// more than one token each are computed one by one. Not for models with sliding windows. Takes `seqlens_k` and `total_sequence_length` in place of
    /// `attention_mask`.
    Grouped,
}

/// Which logits a graph computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Logits {
    /// After every token: `[batch_size, sequence_length, vocabulary]`.
    #[default]
    All,
    /// Of the rows in the input `logits_rows`, which counts the tokens of all sequences through: `[rows, vocabulary]`.
    Wanted,
}

/// Where weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Spelling", into = "Spelling")]
#[schemars(crate = "schemars", with = "Spelling")]
pub enum ExternalData {
    /// In the file of the graph, as long as it can hold them.
    #[default]
    Auto,
    /// In a file of their own.
    Always,
    /// In the file of the graph.
    Never,
}

/// How a suite says it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`external_data` must be `auto`, `true` or `false`")]
#[schemars(crate = "schemars")]
enum Spelling {
    /// Yes or no.
    Known(bool),
    /// As the size demands.
    Word(Auto),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
enum Auto {
    /// As the size demands.
    Auto,
}

impl From<Spelling> for ExternalData {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Known(true) => ExternalData::Always,
            Spelling::Known(false) => ExternalData::Never,
            Spelling::Word(Auto::Auto) => ExternalData::Auto,
        }
    }
}

impl From<ExternalData> for Spelling {
    fn from(option: ExternalData) -> Self {
        match option {
            ExternalData::Always => Spelling::Known(true),
            ExternalData::Never => Spelling::Known(false),
            ExternalData::Auto => Spelling::Word(Auto::Auto),
        }
    }
}

impl ExternalData {
    /// Bytes of weights beside which a graph is sure to have room in a file: protocol buffers end at 2 GiB.
    const MOST: u64 = 2_000_000_000;

    /// Whether weights of so many bytes go into a file of their own.
    ///
    /// # Errors
    /// `BadOptions` if they must not, and must.
    pub(super) fn decide(self, bytes: u64) -> Result<bool> {
        match self {
            ExternalData::Always => Ok(true),
            ExternalData::Auto => Ok(bytes > Self::MOST),
            ExternalData::Never if bytes > Self::MOST => Err(PluginError::bad_options(format!(
                "`external_data: false`, but the weights have {bytes} bytes, and an ONNX file holds at most 2 GB"
            ))
            .with_help("write `external_data: auto`, and copy `model.onnx_data` wherever `model.onnx` goes")),
            ExternalData::Never => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::ErrorCode;
    use serde_json::json;

    #[test]
    fn weights_go_where_they_have_room() {
        let [small, large] = [ExternalData::MOST, ExternalData::MOST + 1];
        assert_eq!(ExternalData::Auto.decide(small), Ok(false));
        assert_eq!(ExternalData::Auto.decide(large), Ok(true));
        assert_eq!(ExternalData::Always.decide(1), Ok(true));
        assert_eq!(ExternalData::Never.decide(small), Ok(false));
        let error = ExternalData::Never.decide(large).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadOptions);
        assert!(error.to_string().contains("2000000001 bytes"), "{error}");
    }

    #[test]
    fn options_are_spelled_as_the_pages_say() {
        let read = |value| serde_json::from_value::<ExportOptions>(value);
        let options = json!({ "dtype": "f16", "operators": "fused", "logits": "wanted", "external_data": true });
        let expected = ExportOptions {
            dtype: Dtype::F16,
            operators: Operators::Fused,
            logits: Logits::Wanted,
            external_data: ExternalData::Always,
            tokenizer: None,
        };
        assert_eq!(read(options.clone()).unwrap(), expected);
        assert_eq!(json!(expected), options);
        assert_eq!(read(json!({ "external_data": "auto" })).unwrap(), ExportOptions::default());
        assert_eq!(read(json!({ "dtype": "uint4" })).unwrap().dtype.rounding(), Some(Rounding::ZeroPoints));
        for wrong in [json!({ "external_data": "yes" }), json!({ "dtype": "bf16" }), json!({ "opset": 7 })] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
