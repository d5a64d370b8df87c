//! A graph that adds keys and values in place (`GroupQueryAttention`) as a decoder: an export with `operators: grouped`, or a
//! model of ONNX Runtime GenAI's builder.
//!
//! Sequences of different lengths share a call without padding on the left and without a mask; nothing of what is there
//! already is copied. The operator takes new prompts together, and answers that grow by one token together; a sequence
//! that goes on by several tokens has a call of its own.

use super::batches::{Extent, calls};
use super::file::Rounding;
use super::logits::send_logits;
use super::signature::{KEPT, LENGTHS, LONGEST, Lengths, ROWS, Signature};
use super::slots::Slots;
use crate::runtime::failed;
use examiner_api::{ErrorCode, PluginError, Result};
use examiner_lm::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment};
use ort::memory::{Allocator, MemoryInfo};
use ort::session::{IoBinding, Session};
use ort::sys::ONNXTensorElementDataType;
use ort::value::{DynValue, Tensor};
use std::path::PathBuf;
use std::ptr::NonNull;

/// A number type of keys and values.
pub(crate) trait Number: Copy + Default + Send + 'static {
    /// What ONNX Runtime calls it.
    const TYPE: ONNXTensorElementDataType;
}

impl Number for f32 {
    const TYPE: ONNXTensorElementDataType = ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

/// The bits of a number of 16 bits: nothing here computes with it.
impl Number for u16 {
    const TYPE: ONNXTensorElementDataType = ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
}

/// A session and its caches.
pub(crate) struct InPlaceDecoder<T> {
    pub(crate) session: Session,
    pub(crate) signature: Signature,
    pub(crate) lengths: Lengths,
    pub(crate) memory: MemoryInfo<'static>,
    pub(crate) slots: Slots<T>,
    /// The graph's file, for messages.
    pub(crate) path: PathBuf,
}

/// A sequence's part of a call, in the order of slots.
struct Member<'a> {
    /// Which segment of the pass.
    index: usize,
    segment: Segment<'a>,
    past: usize,
    /// Tokens behind its own that the graph computes as if they were its own.
    padding: usize,
}

impl Member<'_> {
    fn total(&self) -> usize {
        self.past + self.segment.tokens.len()
    }
}

impl<T: Number> InPlaceDecoder<T> {
    /// Which segments share a call.
    fn calls(&self, segments: &[Segment<'_>]) -> Result<Vec<Vec<usize>>> {
        let (mut single, mut prompts, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (index, segment) in segments.iter().enumerate() {
            match (segment.tokens.len(), self.slots.length(segment.cache)?) {
                (1, _) => single.push(index),
                (_, 0) => prompts.push(index),
                _ => others.push(vec![index]),
            }
        }
        let extent = |&index: &usize| Extent { past: 0, tokens: segments[index].tokens.len(), neighbours: (0, index) };
        let extents: Vec<Extent> = prompts.iter().map(extent).collect();
        let longest = self.signature.shape.context_length;
        let together = calls(&extents, true, longest).into_iter();
        others.extend(together.map(|call| call.into_iter().map(|index| prompts[index]).collect()));
        match self.signature.rounding {
            // Each gets a token beside it, which the operator takes for one sequence alone.
            Rounding::ByRow => others.extend(single.into_iter().map(|index| vec![index])),
            Rounding::None | Rounding::ByCall => others.extend((!single.is_empty()).then_some(single)),
        }
        Ok(others)
    }

    fn call(&mut self, indices: &[usize], segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        let ids: Vec<CacheId> = indices.iter().map(|&index| segments[index].cache).collect();
        let mut members = Vec::with_capacity(indices.len());
        for &index in indices {
            let segment = segments[index];
            members.push(Member { index, segment, past: self.slots.length(segment.cache)?, padding: 0 });
        }
        let mut tokens = members.iter().map(|member| member.segment.tokens.len()).max().unwrap_or_default();
        if let ([member], 1) = (&mut members[..], tokens)
            && self.signature.rounding == Rounding::ByRow
            && member.past + 2 <= self.signature.shape.context_length
        {
            // Its keys and values are overwritten by those of the next token.
            (tokens, member.padding) = (2, 1);
        }
        let room = members.iter().map(|member| member.past + tokens).max().unwrap_or_default();
        let window = self.slots.gather(&ids, room)?;
        members.sort_by_key(|member| self.slots.slot(member.segment.cache));

        let mut rows = Vec::new();
        for (row, member) in members.iter().enumerate() {
            let wanted = member.segment.wanted.iter();
            rows.extend(wanted.map(|&index| (row * tokens + index, Row { segment: member.index, index })));
        }
        let mut binding = self.bind(&members, tokens, &rows).map_err(|error| failed("bind the inputs", &error))?;
        for (index, past) in self.signature.pasts.iter().enumerate() {
            let (values, shape) = self.slots.window(index, &window);
            // SAFETY: the values stay where they are until the call is over; `slots` is not touched before.
            let value = unsafe { view(values, shape, &self.memory) };
            let mut bind = |value: DynValue| -> ort::Result<()> {
                binding.bind_input(past.input.as_str(), &value)?;
                binding.bind_output(past.output.as_str(), value)
            };
            value.and_then(&mut bind).map_err(|error| failed("bind keys and values", &error))?;
        }
        let outputs = self.session.run_binding(&binding).map_err(|error| {
            let shown = self.path.display();
            PluginError::new(ErrorCode::Other, format!("ONNX Runtime failed to run `{shown}`: {}", error.message()))
        })?;
        for member in &members {
            self.slots.set_length(member.segment.cache, member.total());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let fed = (members.len() * tokens, &rows[..]);
        send_logits(outputs.get(&*self.signature.names.logits), &self.signature, &self.path, fed, on_logits)
    }

    /// Everything but keys and values. What is shorter than `tokens` is padded on the right, where it does not matter.
    fn bind(&self, members: &[Member<'_>], tokens: usize, rows: &[(usize, Row)]) -> ort::Result<IoBinding> {
        let mut binding = self.session.create_binding()?;
        let count = members.len();
        let mut ids = vec![0_i64; count * tokens];
        let mut positions = vec![0_i64; count * tokens];
        for (row, member) in members.iter().enumerate() {
            for (index, &token) in member.segment.tokens.iter().enumerate() {
                ids[row * tokens + index] = i64::from(token);
                positions[row * tokens + index] = (member.past + index) as i64;
            }
        }
        let totals: Vec<usize> = members.iter().map(|member| member.total() + member.padding).collect();
        let names = &self.signature.names;
        binding.bind_input(&*names.input_ids, &self.ids([count, tokens], ids)?)?;
        if self.signature.positions {
            binding.bind_input(&*names.positions, &self.ids([count, tokens], positions)?)?;
        }
        let longest = totals.iter().max().copied().unwrap_or_default();
        match self.lengths {
            Lengths::Given => {
                let lengths: Vec<i32> = totals.iter().map(|&total| total as i32 - 1).collect();
                binding.bind_input(LENGTHS, &Tensor::from_array(([count], lengths))?)?;
                binding.bind_input(LONGEST, &Tensor::from_array(([1], vec![longest as i32]))?)?;
            }
            Lengths::Counted => {
                let mask = totals.iter().flat_map(|&total| (0..longest).map(move |at| i64::from(at < total)));
                binding.bind_input(&*names.mask, &self.ids([count, longest], mask.collect())?)?;
            }
        }
        if self.signature.wanted_rows {
            let wanted: Vec<i64> = rows.iter().map(|(index, _)| *index as i64).collect();
            binding.bind_input(ROWS, &Tensor::from_array(([wanted.len()], wanted))?)?;
        }
        if self.signature.kept_logits {
            binding.bind_input(KEPT, &Tensor::from_array(((), vec![0_i64]))?)?;
        }
        binding.bind_output_to_device(&*names.logits, &self.memory)?;
        Ok(binding)
    }

    /// Whole numbers of the type that the graph takes.
    fn ids(&self, dims: [usize; 2], values: Vec<i64>) -> ort::Result<DynValue> {
        Ok(match self.signature.wide_ids {
            true => Tensor::from_array((dims, values))?.into_dyn(),
            false => {
                let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
                Tensor::from_array((dims, values))?.into_dyn()
            }
        })
    }
}

/// A tensor of values that this program owns, to be read and written by ONNX Runtime.
///
/// The safe ways to such a tensor copy what is bound as an input.
///
/// # Safety
/// The values must stay where they are, and nobody else may touch them, as long as the tensor is used.
unsafe fn view<T: Number>(values: &mut [T], shape: [i64; 4], memory: &MemoryInfo<'_>) -> ort::Result<DynValue> {
    use ort::AsPointer;
    let mut value = std::ptr::null_mut();
    // SAFETY: the values are as many as the shape says; ONNX Runtime keeps the address and copies the shape. A value from
    // here is owned by nobody else.
    unsafe {
        let status = (ort::api().CreateTensorWithDataAsOrtValue)(
            memory.ptr(),
            values.as_mut_ptr().cast(),
            size_of_val(values),
            shape.as_ptr(),
            shape.len(),
            T::TYPE,
            &mut value,
        );
        ort::Error::result_from_status(status)?;
        let value = NonNull::new(value).ok_or_else(|| ort::Error::new("ONNX Runtime made no tensor"))?;
        Ok(DynValue::from_ptr(value, Some(&Allocator::default())))
    }
}

impl<T: Number> Decoder for InPlaceDecoder<T> {
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
            Rounding::None | Rounding::ByRow => CacheLayout::Ragged,
        }
    }

    fn can_fork(&self) -> bool {
        true
    }

    fn forks_share_memory(&self) -> bool {
        false
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        Ok(self.slots.create())
    }

    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        self.slots.fork(from, length)
    }

    fn free(&mut self, cache: CacheId) {
        self.slots.free(cache);
    }

    fn cache_bytes_per_token(&self) -> usize {
        let shape = self.signature.shape;
        2 * shape.layers * shape.heads * shape.head_width * self.signature.past_bytes()
    }

    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        let shape = self.signature.shape;
        for segment in segments {
            segment.check(self.slots.length(segment.cache)?, shape.context_length, shape.vocabulary)?;
        }
        let calls = match self.signature.rounding {
            Rounding::ByCall => (0..segments.len()).map(|index| vec![index]).collect(),
            Rounding::None | Rounding::ByRow => self.calls(segments)?,
        };
        for members in calls {
            self.call(&members, segments, on_logits)?;
        }
        Ok(())
    }
}
