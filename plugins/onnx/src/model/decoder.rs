//! An ONNX graph as a decoder.
//!
//! Keys and values stay on the device from pass to pass (I/O binding): the outputs of a call are the inputs of the next. Where the
//! graph takes positions, sequences of different lengths share a call: what is shorter is padded on the left and
//! masked. Padding changes sums in their last digits, as it does in every batch of ONNX Runtime; a score holds to the
//! tolerance that the README states, not to the bit.

use super::assemble::Assembler;
use super::batches::calls;
use super::cache::{Caches, Group, Positions, Source, count, moved, push, whole};
use super::file::Rounding;
use super::logits::send_logits;
use super::signature::{BRANCH, KEPT, ROWS, Signature};
use crate::runtime::failed;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_lm::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};
use half::f16;
use ort::memory::MemoryInfo;
use ort::session::Session;
use ort::value::{DynValue, Tensor, TensorElementType};
use std::path::PathBuf;
use std::sync::Arc;

/// A session and its caches.
pub(crate) struct OnnxDecoder {
    pub(crate) session: Session,
    pub(crate) assembler: Assembler,
    pub(crate) signature: Signature,
    /// Where keys and values stay.
    pub(crate) memory: MemoryInfo<'static>,
    /// Where logits go.
    pub(crate) main_memory: MemoryInfo<'static>,
    pub(crate) caches: Caches<Arc<DynValue>>,
    /// The longest rows, past and new tokens, that may have positions which are no row's own: beyond the context, or beyond a window that
    /// counts such positions as well, the graph would compute something else.
    pub(crate) longest_padded: usize,
    /// The graph's file, for messages.
    pub(crate) path: PathBuf,
}

/// What goes into a call: some segments of a pass, as rows of one length.
struct Call<'a> {
    /// Which segments of the pass.
    members: Vec<usize>,
    segments: Vec<Segment<'a>>,
    /// Positions of past and new tokens of every row, padding included.
    past: usize,
    tokens: usize,
    /// Where in the past each row's own positions are.
    seen: Vec<Positions>,
}

impl OnnxDecoder {
    /// Calls the graph for some segments of a pass.
    fn call(&mut self, members: &[usize], segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        // Empty caches come first: their rows are padding altogether.
        let mut members = members.to_vec();
        members.sort_by_key(|&index| self.caches.seen(segments[index].cache).is_ok_and(|seen| !seen.is_empty()));
        let own: Vec<Segment<'_>> = members.iter().map(|&index| segments[index]).collect();
        let ids: Vec<CacheId> = own.iter().map(|segment| segment.cache).collect();
        let mut tokens = own.iter().map(|segment| segment.tokens.len()).max().unwrap_or_default();
        let mut sources = self.caches.sources(&ids)?;
        if self.signature.rounding == Rounding::ByRow && self.signature.positions && tokens == 1 {
            let lengths: Result<Vec<usize>> =
                sources.iter().map(|source| Ok(self.caches.group(source.group)?.length)).collect();
            let past = lengths?.into_iter().max().unwrap_or_default();
            tokens += usize::from(past + 2 <= self.longest_padded);
        }
        let past = self.widen(&mut sources, tokens)?;
        if past + tokens > self.longest_padded && members.len() > 1 {
            // Padding would make the rows longer than the graph can be counted on to bear.
            return members.iter().try_for_each(|&index| self.call(&[index], segments, on_logits));
        }
        let empty = ids.len() - sources.iter().map(|source| source.rows.len()).sum::<usize>();
        let mut seen = vec![Positions::new(); empty];
        let columns = sources.iter().flat_map(|source| source.rows.iter().map(|_| &source.columns));
        for (id, columns) in ids[empty..].iter().zip(columns) {
            seen.push(moved(self.caches.seen(*id)?, columns, past - count(columns)));
        }
        let call = Call { members, segments: own, past, tokens, seen };
        let pasts = self.pasts(&sources, empty, past)?;
        let presents = self.run(&call, pasts, on_logits)?;
        let length = past + tokens;
        let seen = call.seen.into_iter().zip(&call.segments).map(|(mut seen, segment)| {
            push(&mut seen, length - segment.tokens.len()..length);
            seen
        });
        self.caches.settle(&ids, presents, length, seen.collect());
        Ok(())
    }

    /// The longest past of the sources. Positions that no row sees are left where they are if they are few: leaving them
    /// out costs a copy of all others.
    fn widen(&self, sources: &mut [Source], tokens: usize) -> Result<usize> {
        for source in sources.iter_mut() {
            let length = self.caches.group(source.group)?.length;
            if 4 * count(&source.columns) >= 3 * length && length + tokens <= self.longest_padded {
                source.columns = whole(length);
            }
        }
        Ok(sources.iter().map(|source| count(&source.columns)).max().unwrap_or_default())
    }

    /// Keys and values of the rows, empty ones first.
    fn pasts(&mut self, sources: &[Source], empty: usize, past: usize) -> Result<Vec<Arc<DynValue>>> {
        let rows = empty + sources.iter().map(|source| source.rows.len()).sum::<usize>();
        if past == 0 {
            return self.zeros(rows, 0);
        }
        if let ([source], 0) = (sources, empty) {
            let group = self.caches.group(source.group)?;
            let same = source.rows.iter().copied().eq(0..group.rows) && count(&source.columns) == group.length;
            if same {
                return Ok(group.tensors.clone());
            }
        }
        let zeros;
        let padding = Source { group: 0, rows: (0..empty).collect(), columns: whole(past) };
        let mut parts = Vec::with_capacity(sources.len() + 1);
        if empty > 0 {
            zeros = Group::of(self.zeros(empty, past)?, empty, past);
            parts.push((&padding, &zeros));
        }
        for source in sources {
            parts.push((source, self.caches.group(source.group)?));
        }
        self.assembler.assemble(&parts, past, &self.memory)
    }

    /// Keys and values of no sequence.
    fn zeros(&self, rows: usize, positions: usize) -> Result<Vec<Arc<DynValue>>> {
        let shape = self.signature.shape;
        let dims = [rows, shape.heads, positions, shape.head_width];
        let size: usize = dims.iter().product();
        let zeros = || -> ort::Result<DynValue> {
            Ok(match self.signature.past_type {
                TensorElementType::Float16 => Tensor::from_array((dims, vec![f16::ZERO; size]))?.into_dyn(),
                _ => Tensor::from_array((dims, vec![0.0_f32; size]))?.into_dyn(),
            })
        };
        let zeros = zeros().map_err(|error| failed("make an empty past", &error))?;
        let zeros = Arc::new(zeros);
        Ok(self.signature.pasts.iter().map(|_| zeros.clone()).collect())
    }

    /// Runs the graph and passes its logits on. Gives its keys and values.
    fn run(
        &mut self,
        call: &Call<'_>,
        pasts: Vec<Arc<DynValue>>,
        on_logits: &mut OnLogits<'_>,
    ) -> Result<Vec<Arc<DynValue>>> {
        let rows = wanted_rows(call);
        let bind = self.bind(call, &pasts, &rows);
        let binding = bind.map_err(|error| failed("bind the inputs of the graph", &error))?;
        drop(pasts);
        let shown = self.path.display();
        let mut outputs = self.session.run_binding(&binding).map_err(|error| {
            PluginError::new(ErrorCode::Other, format!("ONNX Runtime failed to run `{shown}`: {}", error.message()))
        })?;
        let mut presents = Vec::with_capacity(self.signature.pasts.len());
        for past in &self.signature.pasts {
            presents.extend(outputs.remove(&past.output).map(Arc::new));
        }
        if !rows.is_empty() {
            let fed = call.members.len() * call.tokens;
            send_logits(
                outputs.get(&*self.signature.names.logits),
                &self.signature,
                &self.path,
                (fed, &rows),
                on_logits,
            )?;
        }
        Ok(presents)
    }

    fn bind(
        &self,
        call: &Call<'_>,
        pasts: &[Arc<DynValue>],
        rows: &[(usize, Row)],
    ) -> ort::Result<ort::session::IoBinding> {
        let mut binding = self.session.create_binding()?;
        let names = &self.signature.names;
        let (count_of_rows, tokens, past) = (call.segments.len(), call.tokens, call.past);
        let mut ids = vec![0_i64; count_of_rows * tokens];
        let mut positions = vec![0_i64; count_of_rows * tokens];
        let mut mask = vec![0_i64; count_of_rows * (past + tokens)];
        for (row, (segment, seen)) in call.segments.iter().zip(&call.seen).enumerate() {
            let padding = tokens - segment.tokens.len();
            let first = count(seen);
            for (index, &token) in segment.tokens.iter().enumerate() {
                ids[row * tokens + padding + index] = i64::from(token);
                positions[row * tokens + padding + index] = (first + index) as i64;
            }
            let mask = &mut mask[row * (past + tokens)..(row + 1) * (past + tokens)];
            seen.iter().for_each(|range| mask[range.clone()].fill(1));
            mask[past + padding..].fill(1);
        }
        let whole = |values: Vec<i64>, width: usize| -> ort::Result<DynValue> {
            Ok(match self.signature.wide_ids {
                true => Tensor::from_array(([count_of_rows, width], values))?.into_dyn(),
                false => {
                    let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
                    Tensor::from_array(([count_of_rows, width], values))?.into_dyn()
                }
            })
        };
        binding.bind_input(&*names.input_ids, &whole(ids, tokens)?)?;
        binding.bind_input(&*names.mask, &whole(mask, past + tokens)?)?;
        if self.signature.positions {
            binding.bind_input(&*names.positions, &whole(positions, tokens)?)?;
        }
        if self.signature.branch {
            binding.bind_input(BRANCH, &Tensor::from_array(([1], vec![past > 0]))?)?;
        }
        if self.signature.wanted_rows {
            let wanted: Vec<i64> = rows.iter().map(|(index, _)| *index as i64).collect();
            binding.bind_input(ROWS, &Tensor::from_array(([wanted.len()], wanted))?)?;
        }
        for (past, value) in self.signature.pasts.iter().zip(pasts) {
            binding.bind_input(past.input.as_str(), value.as_ref())?;
            binding.bind_output_to_device(past.output.as_str(), &self.memory)?;
        }
        if self.signature.kept_logits {
            binding.bind_input(KEPT, &Tensor::from_array(((), vec![0_i64]))?)?;
        }
        binding.bind_output_to_device(&*names.logits, &self.main_memory)?;
        Ok(binding)
    }
}

/// The rows of logits that are wanted of a call, each by its index among all rows of the call and by its token.
fn wanted_rows(call: &Call<'_>) -> Vec<(usize, Row)> {
    let mut rows = Vec::new();
    for (row, (segment, &member)) in call.segments.iter().zip(&call.members).enumerate() {
        let padding = call.tokens - segment.tokens.len();
        let wanted = segment.wanted.iter();
        rows.extend(wanted.map(|&index| (row * call.tokens + padding + index, Row { segment: member, index })));
    }
    rows
}

impl Decoder for OnnxDecoder {
    fn context_length(&self) -> usize {
        self.signature.shape.context_length
    }

    fn vocabulary(&self) -> usize {
        self.signature.shape.vocabulary
    }

    fn cache_layout(&self) -> CacheLayout {
        match self.signature.rounding {
            // The last text of a pass of sequences of any length may be cut, and would be rounded otherwise than in one piece.
            Rounding::ByCall => CacheLayout::Rectangular,
            // Without `position_ids` the graph counts positions by itself, and padding would count.
            Rounding::None | Rounding::ByRow if !self.signature.positions => CacheLayout::Rectangular,
            Rounding::None | Rounding::ByRow => CacheLayout::Ragged,
        }
    }

    fn can_fork(&self) -> bool {
        true
    }

    /// A pass copies the past of each of its rows, shared or not.
    fn forks_share_memory(&self) -> bool {
        false
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        Ok(self.caches.create())
    }

    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        self.caches.fork(from, length)
    }

    fn free(&mut self, cache: CacheId) {
        let Some(left) = self.caches.free(cache) else { return };
        let Ok(group) = self.caches.group(left.group) else { return };
        // Memory is given back by a copy of what is left; where that fails, it is kept.
        if let Ok(tensors) = self.assembler.assemble(&[(&left, group)], count(&left.columns), &self.memory) {
            self.caches.shrink(&left, tensors);
        }
    }

    fn cache_bytes_per_token(&self) -> usize {
        let shape = self.signature.shape;
        2 * shape.layers * shape.heads * shape.head_width * self.signature.past_bytes()
    }

    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        let shape = self.signature.shape;
        for segment in segments {
            segment.check(self.caches.length(segment.cache)?, shape.context_length, shape.vocabulary)?;
        }
        let extents: Result<Vec<_>> =
            segments.iter().map(|segment| self.caches.extent(segment.cache, segment.tokens.len())).collect();
        let calls = match self.signature.rounding {
            // What shares a call would change the other's numbers, and so would padding.
            Rounding::ByCall => (0..segments.len()).map(|index| vec![index]).collect(),
            Rounding::None | Rounding::ByRow => calls(&extents?, self.signature.positions, self.longest_padded),
        };
        for members in calls {
            self.call(&members, segments, on_logits)?;
        }
        Ok(())
    }
}
