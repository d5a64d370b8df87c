//! Decoders on candle: local language models, and a trainer of GPT-2, for Examiner.
//!
//! The key decision is who computes. On a GPU candle's tensor operations do; on the CPU kernels of our own do, because a
//! score must not depend on what else is in the batch, not even in its last bit, and no common matrix library
//! promises that (see [`examiner_kernels`]).
//!
//! A model family is a description (see `examiner_families`), and one machine runs all descriptions over the small
//! `backend` trait. `candle-transformers` has the same models, but each of them owns its cache, as one tensor of one length
//! for each layer: it can hold one sequence, and a fork is a copy. Shared prefixes and continuous batches need blocks that
//! sequences share, so these are ours; families that have no description here run on the crate's models, one sequence after
//! the other (`families::adapter`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod backend;
mod cache;
mod device;
mod diagnostic;
mod families;
mod gguf;
mod model;
mod options;
mod precision;
mod tensors;
mod train;

pub use device::NumberType;
pub use diagnostic::{CandleDiagnostic, NoOptions};
pub use model::{Candle, CandleLoader};
pub use options::{BaseOptions, CandleOptions, Options};
pub use precision::Precision;
pub use train::{CandleTrainer, Keep, LossOn, Order, Schedule, Scratch, TokenizerOptions, TrainOptions};

/// The roles of this library.
pub fn plugin() -> examiner_api::Plugin {
    examiner_api::Plugin::new("candle", env!("CARGO_PKG_VERSION"))
        .model::<Candle>(
            "candle",
            "Decoders on candle, from Hugging Face checkpoints or GGUF files; exact on the CPU, fast on CUDA.",
        )
        .trainer::<CandleTrainer>("candle", "Trains GPT-2 on rows, from a checkpoint or from scratch; resumes exactly.")
        .diagnostic::<CandleDiagnostic>("candle", "Says which instructions the CPU's own kernels use here.")
}

examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use examiner_api::testing::FakeHost;
    use examiner_api::{ErrorCode, RoleKind};
    use serde_json::json;

    #[test]
    fn the_library_offers_a_model_and_publishes_its_options() {
        let plugin = super::plugin();
        let role = plugin.info().roles.remove(0);
        assert_eq!((role.kind, role.name.as_str()), (RoleKind::Model, "candle"));
        assert_eq!(role.options["additionalProperties"], json!(false));
        assert_eq!(role.options["required"], json!(["checkpoint"]));
        assert_eq!(role.options["properties"]["max_batch_tokens"]["default"], json!(2048));
        let refused = |options: serde_json::Value, code| {
            let options = options.as_object().unwrap().clone();
            let error = plugin.open(RoleKind::Model, "candle", options, FakeHost::new().host()).err().unwrap();
            assert_eq!(error.code, code, "{error}");
            error.to_string()
        };
        assert!(refused(json!({ "checkpoint": "x", "devise": "cpu" }), ErrorCode::BadOptions).contains("devise"));
        assert!(
            refused(json!({ "checkpoint": "x", "device": "gpu" }), ErrorCode::BadOptions).contains("`device: gpu`")
        );
        assert!(refused(json!({ "checkpoint": "nowhere" }), ErrorCode::NotFound).contains("`config.json`"));
    }
}
