//! Two decoders that compute the same segments, so that their logits stand side by side.

use crate::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};
use examiner_api::{ErrorCode, PluginError, Result};
use std::collections::HashMap;

/// Bytes of the base's logits that are kept at most, unless one row is more.
const MOST_BYTES: usize = 256 << 20;

/// A model and its base as one decoder. A row has the logits of the model, then those of the base; a cache is one of each.
///
/// The base computes a pass first, and its wanted logits are kept until the model's come. That is why a pass must not have more tokens
/// than [`Pair::most_tokens`].
pub(crate) struct Pair<'a, D: ?Sized> {
    model: &'a mut D,
    base: &'a mut dyn Decoder,
    caches: HashMap<CacheId, (CacheId, CacheId)>,
    made: u64,
    kept: Kept,
}

impl<'a, D: Decoder + ?Sized> Pair<'a, D> {
    /// Of decoders with one vocabulary.
    pub(crate) fn new(model: &'a mut D, base: &'a mut dyn Decoder) -> Self {
        let kept = Kept { vocabulary: base.vocabulary(), ..Kept::default() };
        Pair { model, base, caches: HashMap::new(), made: 0, kept }
    }

    /// Most tokens in a pass, so that what is kept stays bounded.
    pub(crate) fn most_tokens(&self) -> usize {
        (MOST_BYTES / (self.base.vocabulary() * size_of::<f32>()).max(1)).max(1)
    }

    fn both(&self, cache: CacheId) -> Result<(CacheId, CacheId)> {
        let missing = || PluginError::new(ErrorCode::Protocol, format!("{cache:?} is no cache of this decoder"));
        self.caches.get(&cache).copied().ok_or_else(missing)
    }

    fn add(&mut self, model: CacheId, base: CacheId) -> CacheId {
        self.made += 1;
        self.caches.insert(CacheId(self.made), (model, base));
        CacheId(self.made)
    }
}

impl<D: Decoder + ?Sized> Decoder for Pair<'_, D> {
    fn context_length(&self) -> usize {
        self.model.context_length().min(self.base.context_length())
    }

    /// Logits in a row: those of both.
    fn vocabulary(&self) -> usize {
        self.model.vocabulary() + self.base.vocabulary()
    }

    fn cache_layout(&self) -> CacheLayout {
        match (self.model.cache_layout(), self.base.cache_layout()) {
            (CacheLayout::Ragged, CacheLayout::Ragged) => CacheLayout::Ragged,
            _ => CacheLayout::Rectangular,
        }
    }

    fn can_fork(&self) -> bool {
        self.model.can_fork() && self.base.can_fork()
    }

    fn forks_share_memory(&self) -> bool {
        self.model.forks_share_memory() && self.base.forks_share_memory()
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        let model = self.model.new_cache()?;
        match self.base.new_cache() {
            Ok(base) => Ok(self.add(model, base)),
            Err(error) => {
                self.model.free(model);
                Err(error)
            }
        }
    }

    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        let (of_model, of_base) = self.both(from)?;
        let model = self.model.fork(of_model, length)?;
        match self.base.fork(of_base, length) {
            Ok(base) => Ok(self.add(model, base)),
            Err(error) => {
                self.model.free(model);
                Err(error)
            }
        }
    }

    fn free(&mut self, cache: CacheId) {
        if let Some((model, base)) = self.caches.remove(&cache) {
            self.model.free(model);
            self.base.free(base);
        }
    }

    fn cache_bytes_per_token(&self) -> usize {
        self.model.cache_bytes_per_token() + self.base.cache_bytes_per_token()
    }

    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        let both = segments.iter().map(|segment| self.both(segment.cache)).collect::<Result<Vec<_>>>()?;
        let of = |pick: fn(&(CacheId, CacheId)) -> CacheId| -> Vec<Segment<'_>> {
            segments.iter().zip(&both).map(|(segment, both)| Segment { cache: pick(both), ..*segment }).collect()
        };
        let kept = &mut self.kept;
        kept.begin(segments);
        self.base.forward(&of(|both| both.1), &mut |rows, logits| kept.take(segments, rows, logits))?;
        kept.check()?;
        let mut joined = Vec::new();
        self.model.forward(&of(|both| both.0), &mut |rows, logits| {
            joined.clear();
            for (row, logits) in rows.iter().zip(logits.chunks(kept.vocabulary)) {
                joined.extend_from_slice(logits);
                joined.extend_from_slice(kept.row(segments, *row)?);
            }
            on_logits(rows, &joined)
        })
    }
}

/// The base's logits of a pass.
#[derive(Default)]
struct Kept {
    vocabulary: usize,
    /// By segment: how many rows are wanted of those before it.
    before: Vec<usize>,
    logits: Vec<f32>,
    /// Which rows have come.
    there: Vec<bool>,
}

impl Kept {
    fn begin(&mut self, segments: &[Segment<'_>]) {
        self.before.clear();
        let mut wanted = 0;
        for segment in segments {
            self.before.push(wanted);
            wanted += segment.wanted.len();
        }
        self.there.clear();
        self.there.resize(wanted, false);
        self.logits.resize(wanted * self.vocabulary, 0.0);
    }

    /// The place of a row among all that are wanted.
    fn place(&self, segments: &[Segment<'_>], row: Row) -> Result<usize> {
        let within = segments.get(row.segment).and_then(|segment| segment.wanted.binary_search(&row.index).ok());
        let asked = within.map(|within| self.before[row.segment] + within);
        asked.ok_or_else(|| broken(format!("logits that were not asked for ({row:?})")))
    }

    fn take(&mut self, segments: &[Segment<'_>], rows: &[Row], logits: &[f32]) -> Result<()> {
        if logits.len() != rows.len() * self.vocabulary {
            let (found, rows, vocabulary) = (logits.len(), rows.len(), self.vocabulary);
            return Err(broken(format!("{found} logits for {rows} rows of {vocabulary}")));
        }
        for (row, logits) in rows.iter().zip(logits.chunks(self.vocabulary)) {
            let place = self.place(segments, *row)?;
            self.logits[place * self.vocabulary..][..self.vocabulary].copy_from_slice(logits);
            self.there[place] = true;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let missing = self.there.iter().filter(|there| !**there).count();
        if missing == 0 { Ok(()) } else { Err(broken(format!("no logits for {missing} rows"))) }
    }

    fn row(&self, segments: &[Segment<'_>], row: Row) -> Result<&[f32]> {
        let place = self.place(segments, row)?;
        Ok(&self.logits[place * self.vocabulary..][..self.vocabulary])
    }
}

fn broken(found: String) -> PluginError {
    PluginError::new(ErrorCode::Protocol, format!("the decoder of `divergence_from` gave {found}"))
}
