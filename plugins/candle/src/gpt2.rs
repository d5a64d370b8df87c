//! GPT-2: learned positions, layer norm before each block, one matrix for queries, keys and values.
//!
//! All tokens of a pass lie one after the other in one array, each with its own position. Logits are computed for the
//! wanted rows alone, a few at a time, and in the last layer nothing but attention's keys and values is computed for
//! the others.

mod weights;

use crate::backend::{Attention, Backend, Span};
use crate::cache::{CacheShape, Caches, Chain};
use crate::tensors::Tensors;
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::Gpt2Config;
use examiner_lm::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};
use weights::Weights;

/// Rows of logits that exist at the same time.
const HEAD_ROWS: usize = 64;

/// GPT-2 on some backend.
pub(crate) struct Gpt2<B: Backend> {
    backend: B,
    config: Gpt2Config,
    weights: Weights<B>,
    caches: Caches<B::Block>,
}

impl<B: Backend> Gpt2<B> {
    /// Loads the weights.
    ///
    /// # Errors
    /// `BadInput` if a tensor is missing, of another shape, or too many.
    pub(crate) fn load(backend: B, config: Gpt2Config, tensors: Tensors) -> Result<Self> {
        let weights = Weights::load(&backend, &config, tensors)?;
        Ok(Gpt2 { backend, config, weights, caches: Caches::new() })
    }

    fn cache_shape(&self) -> CacheShape {
        let Gpt2Config { n_layer, n_head, n_embd, .. } = self.config;
        CacheShape { layers: n_layer, heads: n_head, width: n_embd / n_head }
    }

    /// Checks the segments and adds room for their tokens to their caches.
    fn prepare(&self, segments: &[Segment<'_>], chains: &mut [Chain<B::Block>]) -> Result<Vec<Span>> {
        let mut spans = Vec::with_capacity(segments.len());
        let mut row = 0;
        for (segment, chain) in segments.iter().zip(chains) {
            let (past, tokens) = (chain.length(), segment.tokens.len());
            let positions = self.config.n_positions;
            if tokens == 0 || past + tokens > positions {
                return Err(PluginError::bad_input(format!(
                    "{tokens} tokens after {past} do not fit a model of {positions} positions"
                )));
            }
            if let Some(token) = segment.tokens.iter().find(|&&token| token as usize >= self.config.vocab_size) {
                let vocabulary = self.config.vocab_size;
                return Err(PluginError::bad_input(format!("token {token} of a vocabulary of {vocabulary}")));
            }
            if let Some(place) = segment.wanted.iter().find(|&&place| place >= tokens) {
                return Err(PluginError::bad_input(format!("logits wanted after token {place} of {tokens}")));
            }
            chain.grow(tokens, |capacity| self.backend.new_block(self.cache_shape(), capacity))?;
            spans.push(Span { rows: row..row + tokens, past });
            row += tokens;
        }
        Ok(spans)
    }

    fn pass(
        &self,
        segments: &[Segment<'_>],
        chains: &mut [Chain<B::Block>],
        on_logits: &mut OnLogits<'_>,
    ) -> Result<()> {
        let spans = self.prepare(segments, chains)?;
        let tokens: Vec<u32> = segments.iter().flat_map(|segment| segment.tokens).copied().collect();
        let positions: Vec<u32> = spans
            .iter()
            .flat_map(|span| span.past..span.past + span.rows.len())
            .map(|position| position as u32)
            .collect();
        let mut rows = Vec::new();
        let mut wanted = Vec::new();
        for (index, (segment, span)) in segments.iter().zip(&spans).enumerate() {
            rows.extend(segment.wanted.iter().map(|&place| Row { segment: index, place }));
            wanted.extend(segment.wanted.iter().map(|&place| (span.rows.start + place) as u32));
        }

        let b = &self.backend;
        let tokens = b.look_up(&self.weights.tokens, &tokens)?;
        let mut x = b.add(tokens, b.look_up(&self.weights.positions, &positions)?)?;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            let qkv = b.linear(&layer.attention_in, &b.norm(&layer.norm_1, &x)?)?;
            let attention =
                Attention { layer: index, shape: self.cache_shape(), scale: self.config.attention_scale(index) };
            let mut attended = b.attend(attention, qkv, &spans, chains)?;
            if index + 1 == self.weights.layers.len() {
                if wanted.is_empty() {
                    return Ok(());
                }
                (x, attended) = (b.select(&x, &wanted)?, b.select(&attended, &wanted)?);
            }
            x = b.add(x, b.linear(&layer.attention_out, &attended)?)?;
            let hidden = b.linear(&layer.mlp_in, &b.norm(&layer.norm_2, &x)?)?;
            let hidden = b.activate(self.config.activation, hidden)?;
            x = b.add(x, b.linear(&layer.mlp_out, &hidden)?)?;
        }
        for (index, rows) in rows.chunks(HEAD_ROWS).enumerate() {
            let first = (index * HEAD_ROWS) as u32;
            let chunk = b.select(&x, &(first..first + rows.len() as u32).collect::<Vec<_>>())?;
            let logits = b.linear(&self.weights.head, &b.norm(&self.weights.norm, &chunk)?)?;
            on_logits(rows, &b.read(logits)?)?;
        }
        Ok(())
    }
}

impl<B: Backend> Decoder for Gpt2<B> {
    fn context_length(&self) -> usize {
        self.config.n_positions
    }

    fn vocabulary(&self) -> usize {
        self.config.vocab_size
    }

    fn cache_layout(&self) -> CacheLayout {
        CacheLayout::Ragged
    }

    fn can_fork(&self) -> bool {
        true
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        Ok(self.caches.create())
    }

    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        self.caches.fork(from, length)
    }

    fn free(&mut self, cache: CacheId) {
        self.caches.free(cache);
    }

    fn cache_bytes_per_token(&self) -> usize {
        self.cache_shape().values_per_token() * self.backend.cache_value_bytes()
    }

    /// After an error, the caches are as they were before.
    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        let mut chains = Vec::with_capacity(segments.len());
        let mut outcome = Ok(());
        for segment in segments {
            match self.caches.take(segment.cache) {
                Ok(chain) => chains.push(chain),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let lengths: Vec<usize> = chains.iter().map(Chain::length).collect();
        if outcome.is_ok() {
            outcome = self.pass(segments, &mut chains, on_logits);
        }
        for ((segment, mut chain), length) in segments.iter().zip(chains).zip(lengths) {
            if outcome.is_err() {
                chain.truncate(length);
            }
            self.caches.put(segment.cache, chain);
        }
        outcome
    }
}
