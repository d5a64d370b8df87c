//! Tests of the plugin through its public role, in this order:
//!
//! - `reference`: a GPT-2 in plain `f64` loops, to compare with.
//! - `numbers`: scores and answers agree with the reference, for every option of the architecture and number type, with our
//!   kernels and with candle's operations.
//! - `exactness`: not a bit depends on batch budget, order, prefix sharing, or the batches before.
//! - `divergence`: so does how far a model is from another one, for every window, and no bit of it depends on the batch.
//! - `chat`: a checkpoint with a chat template is spoken to through it.
//! - `checkpoints`: what is wrong with a checkpoint is said with file, tensor, expected and found.
//! - `families`: the three laws above for small checkpoints of every family and its options.
//! - `gguf`: so do GGUF files of every family, and what is wrong with one is said.
//! - `adapted`: what else holds for families that `candle-transformers` computes.
//! - `ground_truth`: scores and greedy answers of every family are those of transformers.
//! - `training`: the trainer learns, goes on where it was as if it had not been interrupted, and says what is wrong.
//! - `oracle_train`: losses, gradient norms and weights of the trainer are those of PyTorch's run; needs the reference data.
//! - `oracle`: agrees with Hugging Face's transformers on a trained GPT-2; needs the reference data.
//! - `windows`: texts longer than the context are scored as by lm-evaluation-harness and Transformers; needs the reference data.
//! - `oracle_families`: the same for small random models of every other family.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should fail")]

mod adapted;
mod blocks;
mod chat;
mod checkpoints;
mod divergence;
mod exactness;
mod families;
mod gguf;
mod ground_truth;
mod numbers;
mod oracle;
mod oracle_families;
mod oracle_train;
mod reference;
mod training;
mod windows;

use examiner_api::testing::FakeHost;
use examiner_api::{Open, Result};
use examiner_plugin_candle::{Candle, Options};
use serde_json::{Value, json};
use std::path::Path;

/// Opens the model; `options` beside the checkpoint.
fn open(checkpoint: &Path, options: Value) -> Result<Candle> {
    let mut all = json!({ "checkpoint": checkpoint });
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let options: Options = serde_json::from_value(all).unwrap();
    Candle::open(options, FakeHost::new().host())
}
