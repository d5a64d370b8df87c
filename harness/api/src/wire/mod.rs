//! The one serialized form of requests, results and errors: MessagePack with field names.
//!
//! It is self-describing (an unknown field is passed over, a missing one takes its default, so both sides can grow), it
//! keeps every float as it is, NaN included, and it is compact enough to cost a microsecond a request. [`serve`]
//! answers calls on a role; [`Remote`] makes such calls look like the role; [`serve_host`] and [`RemoteHost`] do the same for the program. What carries the bytes between them, the
//! library boundary or a pipe, does not matter to either.

#[cfg(test)]
mod growth;
mod host;
mod remote;
mod serve;

pub use crate::roles::RawSink;
pub use host::{RemoteHost, host_method, serve_host};
pub use remote::{Call, Remote, if_known};
pub use serve::serve;

use crate::{PluginError, Result};
use serde::{Serialize, de::DeserializeOwned};

/// A value in wire form.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(|error| {
        PluginError::new(crate::ErrorCode::Protocol, format!("cannot encode a `{}`", std::any::type_name::<T>()))
            .with_cause(&error)
    })
}

/// A value from its wire form.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|error| {
        PluginError::new(
            crate::ErrorCode::Protocol,
            format!("{} bytes are not the wire form of a `{}`", bytes.len(), std::any::type_name::<T>()),
        )
        .with_cause(&error)
        .with_help(format!(
            "this side has `examiner-api` {}; build the plugin with the program's version, or use a newer program",
            crate::API_VERSION
        ))
    })
}

/// The names of the methods that can be called on a role.
pub mod method {
    /// Any role that has one: its description.
    pub const INFO: &str = "info";
    /// [`crate::Model::score`].
    pub const SCORE: &str = "score";
    /// [`crate::Model::generate`].
    pub const GENERATE: &str = "generate";
    /// [`crate::Model::count_tokens`].
    pub const COUNT_TOKENS: &str = "count-tokens";
    /// [`crate::Model::usage`].
    pub const USAGE: &str = "usage";
    /// [`crate::Dataset::few_shot_pool`].
    pub const FEW_SHOT_POOL: &str = "few-shot-pool";
    /// [`crate::Dataset::samples`].
    pub const SAMPLES: &str = "samples";
    /// [`crate::Dataset::training_samples`].
    pub const TRAINING_SAMPLES: &str = "training-samples";
    /// [`crate::Scorer::requests`].
    pub const REQUESTS: &str = "requests";
    /// [`crate::Scorer::score`].
    pub const VERDICTS: &str = "verdicts";
    /// [`crate::Scorer::corpus`].
    pub const CORPUS: &str = "corpus";
    /// [`crate::Trainer::check`], [`crate::Exporter::check`].
    pub const CHECK: &str = "check";
    /// [`crate::Trainer::train`].
    pub const TRAIN: &str = "train";
    /// [`crate::Recipe::make`].
    pub const MAKE: &str = "make";
    /// [`crate::Exporter::export`].
    pub const EXPORT: &str = "export";
    /// [`crate::Diagnostic::findings`].
    pub const FINDINGS: &str = "findings";
    /// [`crate::Catalog::entries`].
    pub const ENTRIES: &str = "entries";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GenerateRequest, GenerateResult, PluginError, Response, ScoreResult};

    #[test]
    fn floats_survive_bit_for_bit_nan_included() {
        let result = ScoreResult {
            sum: f64::NAN,
            token_logprobs: vec![f32::NEG_INFINITY, -0.0, 1e-40],
            ..ScoreResult::default()
        };
        let back: Response<ScoreResult> = decode(&encode(&Response::ok(7, result.clone())).unwrap()).unwrap();
        let back = back.result.unwrap();
        assert_eq!(back.sum.to_bits(), result.sum.to_bits());
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back.token_logprobs), bits(&result.token_logprobs));
    }

    #[test]
    fn unknown_fields_are_passed_over_and_missing_ones_take_their_default() {
        let newer = serde_json::json!({"id": 3, "prompt": "p", "from_the_future": [1, 2]});
        let request: GenerateRequest = decode(&encode(&newer).unwrap()).unwrap();
        assert_eq!(request, GenerateRequest { id: 3, prompt: "p".into(), ..GenerateRequest::default() });
    }

    #[test]
    fn an_answer_of_another_kind_than_was_asked_for_is_not_read() {
        let score = encode(&Response::ok(1, ScoreResult::default())).unwrap();
        let generated = encode(&Response::ok(1, GenerateResult::default())).unwrap();
        assert_eq!(decode::<Response<GenerateResult>>(&score).unwrap_err().code, crate::ErrorCode::Protocol);
        assert_eq!(decode::<Response<ScoreResult>>(&generated).unwrap_err().code, crate::ErrorCode::Protocol);
    }

    #[test]
    fn errors_and_metadata_survive() {
        let error = PluginError::bad_input("m").with_help("h");
        let response: Response<ScoreResult> = Response::err(1, error.clone());
        let back: Response<ScoreResult> = decode(&encode(&response).unwrap()).unwrap();
        assert_eq!(back.result, Err(error));
        let mut request = GenerateRequest::default();
        request.sample.metadata = std::sync::Arc::new(
            serde_json::from_str(r#"{"index": 18446744073709551615, "nested": {"a": [null, true, -1.5]}}"#).unwrap(),
        );
        assert_eq!(decode::<GenerateRequest>(&encode(&request).unwrap()).unwrap(), request);
    }

    #[test]
    fn garbage_is_a_protocol_error() {
        let error = decode::<GenerateRequest>(&[0xc1, 0xff, 0x00]).unwrap_err();
        assert_eq!(error.code, crate::ErrorCode::Protocol);
        assert!(error.message.contains("3 bytes"), "{error}");
    }
}
