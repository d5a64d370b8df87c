//! The machine that runs every plan: a pass over tokens of many sequences.
//!
//! All tokens of a pass are one after the other in one array, each with its own position. Keys are rotated before they
//! are cached, so that a cached position is done with. Logits are computed for the wanted rows alone, a few at a time, and
//! in the last layer nothing but keys and values is computed for the others, apart from their queries.

use super::weights::{Layer, Weights};
use crate::backend::{Attention, Backend, Span, Then};
use crate::cache::{CacheShape, Caches, Chain};
use crate::tensors::Tensors;
use examiner_api::Result;
use examiner_families::Plan;
use examiner_lm::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};

/// Rows of logits that exist at the same time.
const HEAD_ROWS: usize = 64;

/// A model of some family on some backend.
pub(crate) struct Transformer<B: Backend> {
    backend: B,
    plan: Plan,
    weights: Weights<B>,
    caches: Caches<B::Block>,
}

impl<B: Backend> Transformer<B> {
    /// Loads the weights.
    ///
    /// # Errors
    /// `BadInput` if a tensor is missing, of another shape, or too many.
    pub(crate) fn load(backend: B, plan: Plan, tensors: Tensors) -> Result<Self> {
        let weights = Weights::load(&backend, &plan, tensors)?;
        Ok(Transformer { backend, plan, weights, caches: Caches::new() })
    }

    fn cache_shape(&self) -> CacheShape {
        CacheShape { layers: self.plan.layers.len(), heads: self.plan.kv_heads, width: self.plan.head_width }
    }

    /// Checks the segments and adds room for their tokens to their caches.
    fn prepare(&self, segments: &[Segment<'_>], chains: &mut [Chain<B::Block>]) -> Result<Vec<Span>> {
        let mut spans = Vec::with_capacity(segments.len());
        let mut row = 0;
        for (segment, chain) in segments.iter().zip(chains) {
            let (past, tokens) = (chain.length(), segment.tokens.len());
            segment.check(past, self.plan.context, self.plan.vocabulary)?;
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
            rows.extend(segment.wanted.iter().map(|&wanted| Row { segment: index, index: wanted }));
            wanted.extend(segment.wanted.iter().map(|&wanted| (span.rows.start + wanted) as u32));
        }

        let b = &self.backend;
        let plan = &self.plan;
        let mut x = b.look_up(&self.weights.tokens, &tokens)?;
        if plan.embedding_scale != 1.0 {
            x = b.scale(x, plan.embedding_scale)?;
        }
        if let Some(table) = &self.weights.positions {
            x = b.add(x, b.look_up(table, &positions)?)?;
        }
        let angles = plan.ropes.iter().map(|rope| b.write(rope.angles(&positions), rope.rotated()));
        let angles: Vec<B::Array> = angles.collect::<Result<_>>()?;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            let is_last = index + 1 == self.weights.layers.len();
            let attended = self.attend(index, &x, &angles, &spans, chains, is_last.then_some(wanted.as_slice()))?;
            if is_last {
                if wanted.is_empty() {
                    return Ok(());
                }
                x = b.select(&x, &wanted)?;
            }
            let (output, norm) = (&layer.output, layer.after_attention.as_ref());
            let (mlp_out, mlp_norm) = (&layer.mlp_out, layer.after_mlp.as_ref());
            x = if plan.parallel {
                let attended = self.finished(b.linear(output, &attended, Then::Nothing)?, norm)?;
                let hidden = self.hidden(layer, &x)?;
                b.add(x, self.added(mlp_out, &hidden, mlp_norm, attended)?)?
            } else {
                let x = self.added(output, &attended, norm, x)?;
                let hidden = self.hidden(layer, &x)?;
                self.added(mlp_out, &hidden, mlp_norm, x)?
            };
        }
        for (index, rows) in rows.chunks(HEAD_ROWS).enumerate() {
            let first = (index * HEAD_ROWS) as u32;
            let chunk = b.select(&x, &(first..first + rows.len() as u32).collect::<Vec<_>>())?;
            let mut logits = b.linear(&self.weights.head, &b.norm(&self.weights.norm, &chunk)?, Then::Nothing)?;
            if plan.logits_scale != 1.0 {
                logits = b.scale(logits, plan.logits_scale)?;
            }
            if let Some(cap) = plan.logits_softcap {
                logits = b.softcap(logits, cap)?;
            }
            on_logits(rows, &b.read(&logits)?)?;
        }
        Ok(())
    }

    /// A layer's attention, up to what the heads give.
    fn attend(
        &self,
        index: usize,
        x: &B::Array,
        angles: &[B::Array],
        spans: &[Span],
        chains: &mut [Chain<B::Block>],
        only: Option<&[u32]>,
    ) -> Result<B::Array> {
        let Plan { heads, kv_heads, head_width, softcap, .. } = self.plan;
        let (b, layer, plan) = (&self.backend, &self.weights.layers[index], self.plan.layers[index]);
        let mut qkv = self.read_by(&layer.qkv, layer.before_attention.as_ref(), x, Then::Nothing)?;
        let (queries, keys) = (heads * head_width, kv_heads * head_width);
        if let Some(norm) = &layer.query_norm {
            qkv = b.norm_columns(norm, qkv, 0..queries)?;
        }
        if let Some(norm) = &layer.key_norm {
            qkv = b.norm_columns(norm, qkv, queries..queries + keys)?;
        }
        if let Some(rope) = plan.rope {
            qkv = b.rotate(qkv, heads + kv_heads, head_width, &angles[rope])?;
        }
        let attention = Attention {
            layer: index,
            heads,
            shape: self.cache_shape(),
            scale: plan.scale,
            window: plan.window,
            softcap,
        };
        b.attend(attention, qkv, spans, chains, only)
    }

    /// A layer's feed-forward block, up to its activations.
    fn hidden(&self, layer: &Layer<B>, x: &B::Array) -> Result<B::Array> {
        let (activation, norm) = (self.plan.activation, layer.before_mlp.as_ref());
        if !self.plan.names.mlp_in.is_gated() {
            return self.read_by(&layer.mlp_in, norm, x, Then::Activate(activation));
        }
        self.backend.gate(activation, self.read_by(&layer.mlp_in, norm, x, Then::Nothing)?)
    }

    /// What a linear layer makes of the residual stream, normalized or as it is.
    fn read_by(
        &self,
        linear: &B::Linear,
        norm: Option<&B::Norm>,
        x: &B::Array,
        then: Then<B::Array>,
    ) -> Result<B::Array> {
        match norm {
            Some(norm) => self.backend.linear(linear, &self.backend.norm(norm, x)?, then),
            None => self.backend.linear(linear, x, then),
        }
    }

    /// A block's last layer, added to `onto`.
    fn added(&self, linear: &B::Linear, x: &B::Array, norm: Option<&B::Norm>, onto: B::Array) -> Result<B::Array> {
        if norm.is_none() && self.plan.residual_scale == 1.0 {
            return self.backend.linear(linear, x, Then::Add(onto));
        }
        let x = self.backend.linear(linear, x, Then::Nothing)?;
        self.backend.add(onto, self.finished(x, norm)?)
    }

    /// What a block gives, as it is added to the residual stream.
    fn finished(&self, mut x: B::Array, norm: Option<&B::Norm>) -> Result<B::Array> {
        if let Some(norm) = norm {
            x = self.backend.norm(norm, &x)?;
        }
        if self.plan.residual_scale != 1.0 {
            x = self.backend.scale(x, self.plan.residual_scale)?;
        }
        Ok(x)
    }
}

impl<B: Backend> Decoder for Transformer<B> {
    fn context_length(&self) -> usize {
        self.plan.context
    }

    fn vocabulary(&self) -> usize {
        self.plan.vocabulary
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
