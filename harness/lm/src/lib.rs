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
//! **Beginnings outlive a batch.** Where forks share memory, what several questions of a batch begin with, and the last
//! of them, stays in caches, with the scores of its tokens; the next batch goes on from there, whatever it asks for
//! (see the `kept` module). A few-shot preamble is computed once a model then, unless something else needs the room: up
//! to a quarter of `max_cache_tokens` is kept.
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
//!
//! A whole model, whose decoder knows the alphabet, and a checkpoint for it:
//!
//! ```
//! use examiner_api::testing::FakeHost;
//! use examiner_api::{
//!     BatchInvariance, Flow, GenerateRequest, GenerateResult, Host, Metadata, Model, Response, Result, Sampling, schemars, serde_json,
//! };
//! use examiner_lm::checkpoint::Checkpoint;
//! use examiner_lm::{
//!     CacheId, CacheLayout, Decoder, LoadModel, LocalModel, LocalOptions, ModelSource, OnLogits, OwnOptions, Row, Segment,
//!     WithLocalOptions,
//! };
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//!
//! /// After each letter comes the next one. A cache is the number of tokens in it.
//! #[derive(Default)]
//! struct Alphabet {
//!     caches: HashMap<CacheId, usize>,
//!     made: u64,
//! }
//!
//! impl Decoder for Alphabet {
//!     fn context_length(&self) -> usize {
//!         64
//!     }
//!     fn vocabulary(&self) -> usize {
//!         26
//!     }
//!     fn cache_layout(&self) -> CacheLayout {
//!         CacheLayout::Ragged
//!     }
//!     fn can_fork(&self) -> bool {
//!         true
//!     }
//!     fn new_cache(&mut self) -> Result<CacheId> {
//!         self.made += 1;
//!         self.caches.insert(CacheId(self.made), 0);
//!         Ok(CacheId(self.made))
//!     }
//!     fn fork(&mut self, _from: CacheId, length: usize) -> Result<CacheId> {
//!         let fork = self.new_cache()?;
//!         self.caches.insert(fork, length);
//!         Ok(fork)
//!     }
//!     fn free(&mut self, cache: CacheId) {
//!         self.caches.remove(&cache);
//!     }
//!     fn cache_bytes_per_token(&self) -> usize {
//!         1
//!     }
//!     fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
//!         for (number, segment) in segments.iter().enumerate() {
//!             let past = self.caches.entry(segment.cache).or_default();
//!             segment.check(*past, 64, 26)?;
//!             *past += segment.tokens.len();
//!             for &index in segment.wanted {
//!                 let mut logits = vec![0.0; 26];
//!                 logits[(segment.tokens[index] as usize + 1) % 26] = 9.0;
//!                 on_logits(&[Row { segment: number, index }], &logits)?;
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! /// The options of the plugin beside those of every local model.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! #[schemars(crate = "examiner_api::schemars")]
//! struct Options {
//!     /// The directory of the checkpoint.
//!     checkpoint: String,
//! }
//!
//! impl OwnOptions for Options {}
//!
//! /// `Plugin::model::<LoadedModel<Loader>>` makes a role of it.
//! struct Loader;
//!
//! impl LoadModel for Loader {
//!     type Options = Options;
//!
//!     fn load(options: WithLocalOptions<Options>, host: Host) -> Result<Box<dyn Model>> {
//!         let checkpoint = Checkpoint::open(&options.own.checkpoint, &host)?;
//!         let source = ModelSource {
//!             name: "alphabet".into(),
//!             // Weights would be named here.
//!             identity: checkpoint.identity(&[])?,
//!             checkpoint,
//!             arithmetic: Metadata::new(),
//!             batch_invariance: BatchInvariance::Exact,
//!             warnings: Vec::new(),
//!             details: Metadata::new(),
//!         };
//!         Ok(Box::new(LocalModel::open(Alphabet::default(), source, options.local)?))
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     let directory = tempfile::tempdir()?;
//!     let vocabulary: HashMap<String, u32> = ('a'..='z').map(String::from).zip(0..).collect();
//!     let tokenizer = serde_json::json!({
//!         "version": "1.0", "added_tokens": [], "decoder": { "type": "Fuse" },
//!         "model": { "type": "BPE", "vocab": vocabulary, "merges": [] }
//!     });
//!     std::fs::write(directory.path().join("config.json"), r#"{ "model_type": "alphabet" }"#)?;
//!     std::fs::write(directory.path().join("tokenizer.json"), tokenizer.to_string())?;
//!
//!     let own = Options { checkpoint: directory.path().display().to_string() };
//!     let options = WithLocalOptions { own, local: LocalOptions::default() };
//!     let mut model = Loader::load(options, FakeHost::new().host())?;
//!     let sampling = Sampling { max_new_tokens: 3, ..Sampling::default() };
//!     let request = GenerateRequest { prompt: "abc".into(), sampling, ..GenerateRequest::default() };
//!     let texts = Mutex::new(Vec::new());
//!     model.generate(vec![request], &|response: Response<GenerateResult>| {
//!         texts.lock().unwrap().push(response.result.unwrap().text);
//!         Flow::Continue
//!     })?;
//!     assert_eq!(texts.into_inner().unwrap(), ["def"]);
//!     Ok(())
//! }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod answer;
mod base;
mod caches;
pub mod chat;
pub mod checkpoint;
mod decoder;
mod detokenizer;
mod divergence;
mod fingerprint;
mod generator;
mod gguf;
mod kept;
mod limits;
mod load;
mod local_model;
mod log_softmax;
mod options;
mod pair;
mod prefix_tree;
mod reasoning;
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
mod usage;
mod windows;

pub use base::DivergenceFrom;
pub use decoder::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};
pub use fingerprint::fingerprint;
pub use gguf::GgufTokenizer;
pub use load::{LoadModel, LoadedModel};
pub use local_model::{LocalModel, ModelSource};
pub use options::{Auto, AutoBool, LocalOptions, OwnOptions, WithLocalOptions};
pub use split::{Split, SplitError, split};
pub use tokenizer::Tokenizer;
