//! Tests of the plugin through its public role, in this order:
//!
//! - `tiny`: makes small random checkpoints; `reference`: a GPT-2 in plain `f64` loops, to compare with.
//! - `numbers`: scores and answers agree with the reference, for every option of the architecture and number type, with our
//!   kernels and with candle's operations.
//! - `exactness`: not a bit depends on batch budget, order, or prefix sharing.
//! - `chat`: a checkpoint with a chat template is spoken to through it.
//! - `checkpoints`: what is wrong with a checkpoint is said with file, tensor, expected and found.
//! - `cases`: tiny models of every family, and what transformers computed for them; `families`: the three laws above for each.
//! - `training`: the trainer learns, goes on where it was as if it had not been interrupted, and says what is wrong.
//! - `oracle_train`: losses, gradient norms and weights of the trainer are those of PyTorch's run, where that data is there.
//! - `oracle`: agrees with Hugging Face's transformers on the shared tiny GPT-2, where that data is there.
//! - `oracle_families`: the same for small random models of every other family.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should fail")]

mod cases;
mod chat;
mod checkpoints;
mod exactness;
mod families;
mod numbers;
mod oracle;
mod oracle_families;
mod oracle_train;
mod reference;
mod tiny;
mod training;
