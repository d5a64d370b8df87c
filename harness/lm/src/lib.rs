//! What every local language model shares: tokenizer, prefix-sharing scorer, continuous-batching generator.
//!
//! A plugin that runs a model implements [`Decoder`] (tokens and caches in, logits at the asked positions out) and
//! [`LoadModel`] (how a decoder comes from options), and gets a complete [`examiner_api::Model`]: [`LoadedModel`], around a
//! [`LocalModel`]. What happens in between:
//!
//! **Sequences are a tree.** All sequences of a batch go into a compressed prefix tree over their *input* tokens. A node
//! is computed once, in a cache that its children fork; so a few-shot preamble is computed once for all questions, a
//! question once for all its options, and equal requests once altogether. The last token of a scored sequence is a
//! target, never an input, so options of one token cost nothing beyond their question. Logits are asked for only
//! where a token is scored. A decoder that cannot fork gets each sequence by itself.
//!
//! **Nothing is padded.** A pass takes segments of any length from anywhere in the tree, up to `max_batch_tokens`; what is
//! longer is cut into chunks. The walk goes depth first, so that the positions held in caches never exceed
//! `max_cache_tokens` (see the `scheduler` module for the argument). A decoder with a rectangular cache gets
//! segments of equal past and equal length together. An answer that grows is one more node of the tree, whose tokens become
//! known one by one; so answers enter and leave at any pass, beside prompts that are still being computed.
//!
//! **Where determinism comes from.** Which segments share a pass depends on the batch, the options and what finished
//! when. Results do not, because nothing here reduces over more than one row of logits, random numbers are a function
//! of (seed, sample, repetition, step), and ties go to the first token. What remains is the decoder: where its rows
//! are bit-identical whatever stands beside them, so are the results.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod answer;
mod caches;
pub mod chat;
pub mod checkpoint;
mod decoder;
mod detokenizer;
mod fingerprint;
mod generator;
mod gguf;
mod load;
mod local_model;
mod log_softmax;
mod options;
mod prefix_tree;
mod sampling;
mod scheduler;
mod scorer;
mod sentencepiece;
mod split;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokenizer;

pub use decoder::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};
pub use fingerprint::fingerprint;
pub use gguf::GgufTokenizer;
pub use load::{LoadModel, LoadedModel};
pub use local_model::{LocalModel, ModelSource};
pub use options::{Auto, AutoBool, LocalOptions, OwnOptions, WithLocalOptions};
pub use split::{Split, SplitError, split};
pub use tokenizer::Tokenizer;
