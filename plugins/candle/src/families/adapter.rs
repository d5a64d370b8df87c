//! Families that `candle-transformers` computes, behind the trait of every decoder.
//!
//! The crate's models own their cache: for each layer one tensor, of one sequence. So each cache here is a model of its own,
//! which shares its weights with all others and holds the positions of one sequence. Where the crate's model can be
//! cloned, a clone is a fork: prefixes are shared. Sequences of a pass are computed one after the other.
//!
//! Most of the crate's models give the logits of the last token alone, so that a pass ends at every token after which logits
//! are wanted. Logits then depend on how tokens were divided into passes, in their last digits.

mod fields;
mod models;
mod sequence;
mod weights;

pub(crate) use fields::CRATE;

use crate::backend::candle_error;
use crate::device::NumberType;
use crate::precision::Precision;
use crate::tensors::Tensors;
use candle_core::{DType, Device, Tensor};
use examiner_api::{Metadata, PluginError, Result};
use examiner_families::Config;
use examiner_lm::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};
use models::{Description, FAMILIES};
use sequence::{Gives, Passes, Sequence};
use std::collections::HashMap;
use weights::Weights;

/// Rows of logits that exist at the same time.
const HEAD_ROWS: usize = 64;

/// A family that the crate computes, and the sizes of one of its models.
pub(crate) struct Adapted {
    family: &'static str,
    description: Description,
    vocabulary: usize,
    width: usize,
}

/// The values of `model_type`.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|(name, _)| *name)
}

impl Adapted {
    /// What the family that `config.json` names makes of it, if it is one of these.
    ///
    /// # Errors
    /// `Unsupported` for something that the crate does not compute as transformers does, `BadInput` for a configuration that
    /// makes no sense.
    pub(crate) fn find(config: &Config<'_>) -> Result<Option<Self>> {
        let Some((family, read)) = FAMILIES.iter().find(|(name, _)| *name == config.model_type()) else {
            return Ok(None);
        };
        let (vocabulary, width) = (config.needed_size("vocab_size")?, config.needed_size("hidden_size")?);
        Ok(Some(Adapted { family, description: read(config)?, vocabulary, width }))
    }

    /// Number of tokens.
    pub(crate) fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Refuses number types in which the crate's models are not those of transformers, because most of them round positions to it,
    /// and precisions of kernels that the crate does not use.
    ///
    /// # Errors
    /// `Unsupported` for all but `f32` and `highest`.
    pub(crate) fn check(&self, numbers: NumberType, precision: Precision) -> Result<()> {
        let (option, instead) = match (numbers, precision) {
            (NumberType::F32, Precision::Highest) => return Ok(()),
            (NumberType::F32, precision) => (format!("precision: {}", precision.name()), "precision: highest"),
            (numbers, _) => (format!("dtype: {}", numbers.name()), "dtype: f32"),
        };
        let family = self.family;
        let refused = format!("`{option}` is not supported for `{family}`, which {CRATE} computes");
        Err(PluginError::unsupported(refused).with_help(format!("write `{instead}`")))
    }

    /// What of it is worth to be known.
    pub(crate) fn details(&self) -> Metadata {
        let Description { gives, forks, .. } = self.description;
        let mut details = Metadata::new();
        details.insert("shares_prefixes".to_owned(), forks.into());
        details.insert("scores_tokens_together".to_owned(), (gives == Gives::States).into());
        details
    }

    /// Loads the weights.
    ///
    /// # Errors
    /// `BadInput` if a tensor is missing, of another shape, or too many.
    pub(crate) fn load(self, device: Device, tensors: Tensors) -> Result<Adapter> {
        let Adapted { description, vocabulary, width, .. } = self;
        let weights = Weights::new(tensors, &device, description.tied, description.renamed)?;
        let empty = weights.build(&description.make)?;
        let head = match description.gives {
            Gives::LastLogits => None,
            Gives::States => Some(weights.build(|weights| weights.get((vocabulary, width), "lm_head.weight")?.t())?),
        };
        weights.finish()?;
        Ok(Adapter {
            device,
            description,
            vocabulary,
            weights,
            empty,
            head,
            held: HashMap::new(),
            cleared: Vec::new(),
            next: 0,
        })
    }
}

/// A model of the crate with the sequences that it computes.
pub(crate) struct Adapter {
    device: Device,
    description: Description,
    vocabulary: usize,
    weights: Weights,
    /// A sequence that is never run: new ones are copies of it.
    empty: Box<dyn Sequence>,
    /// `[width, vocabulary]`, where the models do not apply it.
    head: Option<Tensor>,
    held: HashMap<CacheId, Held>,
    /// Sequences that were given back.
    cleared: Vec<Box<dyn Sequence>>,
    next: u64,
}

/// A sequence and how many positions it holds.
struct Held {
    sequence: Box<dyn Sequence>,
    length: usize,
}

impl Adapter {
    fn insert(&mut self, sequence: Box<dyn Sequence>, length: usize) -> CacheId {
        let id = CacheId(self.next);
        self.next += 1;
        self.held.insert(id, Held { sequence, length });
        id
    }

    /// Where the pass ends that begins with the token `begin`.
    fn end(&self, segment: &Segment<'_>, begin: usize, past: usize) -> usize {
        let one = match self.description.passes {
            Passes::Any => false,
            Passes::OneAfterFirst => past > 0,
            Passes::One => true,
        };
        if one {
            return begin + 1;
        }
        let next = segment.wanted.iter().find(|&&wanted| wanted >= begin);
        match (self.description.gives, next) {
            (Gives::LastLogits, Some(wanted)) => wanted + 1,
            _ => segment.tokens.len(),
        }
    }

    /// Runs a segment, pass by pass.
    fn run(&self, index: usize, segment: &Segment<'_>, held: &mut Held, on_logits: &mut OnLogits<'_>) -> Result<()> {
        segment.check(held.length, self.description.context, self.vocabulary)?;
        let mut begin = 0;
        while begin < segment.tokens.len() {
            let end = self.end(segment, begin, held.length);
            let tokens = Tensor::new(&segment.tokens[begin..end], &self.device).and_then(|tokens| tokens.unsqueeze(0));
            let output = tokens.and_then(|tokens| held.sequence.run(&tokens, held.length));
            let output = output.map_err(candle_error("compute tokens"))?;
            held.length += end - begin;
            let wanted = segment.wanted.iter().filter(|wanted| (begin..end).contains(wanted));
            let rows: Vec<Row> = wanted.map(|&wanted| Row { segment: index, index: wanted }).collect();
            self.emit(&rows, begin, &output, on_logits)?;
            begin = end;
        }
        Ok(())
    }

    /// Passes on the logits of some tokens of a pass that began with the token `begin`.
    fn emit(&self, rows: &[Row], begin: usize, output: &Tensor, on_logits: &mut OnLogits<'_>) -> Result<()> {
        let Some(head) = &self.head else {
            // The pass ended with the only one.
            return match rows {
                [] => Ok(()),
                rows => on_logits(rows, &read(output).map_err(candle_error("read logits"))?),
            };
        };
        for rows in rows.chunks(HEAD_ROWS) {
            let chosen: Vec<u32> = rows.iter().map(|row| (row.index - begin) as u32).collect();
            let logits = || {
                let chosen = Tensor::new(chosen, &self.device)?;
                read(&output.squeeze(0)?.index_select(&chosen, 0)?.matmul(head)?)
            };
            on_logits(rows, &logits().map_err(candle_error("compute logits"))?)?;
        }
        Ok(())
    }
}

fn read(logits: &Tensor) -> candle_core::Result<Vec<f32>> {
    logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

fn unknown(cache: CacheId) -> PluginError {
    PluginError::bad_input(format!("there is no cache {}, or a pass over it has failed", cache.0))
}

impl Decoder for Adapter {
    fn context_length(&self) -> usize {
        self.description.context
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn cache_layout(&self) -> CacheLayout {
        CacheLayout::Ragged
    }

    fn can_fork(&self) -> bool {
        self.description.forks
    }

    /// A copy has tensors of its own as soon as it goes on.
    fn forks_share_memory(&self) -> bool {
        false
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        let sequence = match self.cleared.pop().or_else(|| self.empty.copy()) {
            Some(sequence) => sequence,
            None => self.weights.build(&self.description.make)?,
        };
        Ok(self.insert(sequence, 0))
    }

    /// `length` must be that of the other cache, or 0.
    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        if length == 0 {
            return self.new_cache();
        }
        let held = self.held.get(&from).ok_or_else(|| unknown(from))?;
        let copy = match self.description.forks && length == held.length {
            true => held.sequence.copy(),
            false => None,
        };
        let copy = copy.ok_or_else(|| {
            PluginError::bad_input(format!("{length} positions of a cache that holds {} cannot be copied", held.length))
        })?;
        Ok(self.insert(copy, length))
    }

    fn free(&mut self, cache: CacheId) {
        if let Some(mut held) = self.held.remove(&cache)
            && held.sequence.clear()
        {
            self.cleared.push(held.sequence);
        }
    }

    fn cache_bytes_per_token(&self) -> usize {
        self.description.cached * size_of::<f32>()
    }

    /// After an error, the cache of the segment that failed is lost.
    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        for (index, segment) in segments.iter().enumerate() {
            let mut held = self.held.remove(&segment.cache).ok_or_else(|| unknown(segment.cache))?;
            self.run(index, segment, &mut held, on_logits)?;
            self.held.insert(segment.cache, held);
        }
        Ok(())
    }
}
