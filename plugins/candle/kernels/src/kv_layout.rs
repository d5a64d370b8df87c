//! Cached keys and values, and their layout in memory.

use super::lanes::prefetch;
use super::tile::COLUMN_BLOCK;
use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfBitsVecExt;
use rayon::prelude::*;
use std::ops::Range;

/// Values that must be readable after the last key and the last value, and so many spare ones a row of scratch has.
pub(super) const PADDING: usize = COLUMN_BLOCK;

/// Bytes that come from memory together.
const CACHE_LINE: usize = 64;

/// The layout of one layer's keys and values of some positions: in blocks of neighbouring columns, which products read line
/// after line.
///
/// Keys are `[kv_heads][blocks][width][key_block]`, a block being neighbouring positions; values are
/// `[kv_heads][blocks][capacity][value_block]`, a block being neighbouring channels. Both end with `PADDING`.
#[derive(Debug, Clone, Copy)]
pub struct KvLayout {
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Width of a head.
    pub width: usize,
    /// Positions there is room for.
    pub capacity: usize,
}

impl KvLayout {
    pub(super) fn key_block(self) -> usize {
        COLUMN_BLOCK.min(self.capacity)
    }

    pub(super) fn value_block(self) -> usize {
        COLUMN_BLOCK.min(self.width)
    }

    /// Values that the keys of one head take.
    pub(super) fn keys_per_head(self) -> usize {
        self.capacity.next_multiple_of(self.key_block().max(1)) * self.width
    }

    /// Values that the values of one head take.
    pub(super) fn values_per_head(self) -> usize {
        self.width.next_multiple_of(self.value_block().max(1)) * self.capacity
    }

    /// Values that the keys of all heads take, padding included.
    pub(super) fn keys(self) -> usize {
        self.kv_heads * self.keys_per_head() + PADDING
    }

    /// Values that the values of all heads take, padding included.
    pub(super) fn values(self) -> usize {
        self.kv_heads * self.values_per_head() + PADDING
    }

    /// Stores keys and values in memory of this layout, from the position `at` on. They are in `rows`, `row` values apart:
    /// the keys of all heads from the index `first` on, then the values of all heads.
    fn store<T: KvNumber>(self, keys: &mut [T], values: &mut [T], at: usize, rows: &[f32], row: usize, first: usize) {
        let heads = keys.chunks_mut(self.keys_per_head()).zip(values.chunks_mut(self.values_per_head()));
        let put = |(head, (keys, values)): (usize, (&mut [T], &mut [T]))| {
            let from = first + head * self.width;
            self.store_keys(keys, at, rows, row, from);
            self.store_values(values, at, rows, row, from + self.kv_heads * self.width);
        };
        // A few rows are not worth handing out.
        if rows.len() / row < COLUMN_BLOCK {
            heads.take(self.kv_heads).enumerate().for_each(put);
        } else {
            heads.take(self.kv_heads).enumerate().par_bridge().for_each(put);
        }
    }

    fn store_keys<T: KvNumber>(self, keys: &mut [T], at: usize, rows: &[f32], row: usize, from: usize) {
        let block = self.key_block();
        let mut rounded = [T::default(); COLUMN_BLOCK];
        for (position, row) in (at..).zip(rows.chunks_exact(row)) {
            let (index, column) = (position / block, position % block);
            let lines = keys[index * block * self.width..].chunks_mut(block * COLUMN_BLOCK);
            for (new, lines) in row[from..from + self.width].chunks(COLUMN_BLOCK).zip(lines) {
                let rounded = &mut rounded[..new.len()];
                T::round(new, rounded);
                lines.chunks_exact_mut(block).zip(rounded).for_each(|(line, key)| line[column] = *key);
            }
        }
    }

    fn store_values<T: KvNumber>(self, values: &mut [T], at: usize, rows: &[f32], row: usize, from: usize) {
        let block = self.value_block();
        for (index, lines) in values.chunks_exact_mut(self.capacity * block).enumerate() {
            let channels = index * block..self.width.min((index + 1) * block);
            for (line, row) in lines[at * block..].chunks_exact_mut(block).zip(rows.chunks_exact(row)) {
                let new = &row[from + channels.start..from + channels.end];
                T::round(new, &mut line[..new.len()]);
            }
        }
    }
}

/// The number type of cached keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvType {
    /// As they are computed.
    F32,
    /// Rounded to 16 bits with 11 digits. What is too large for them becomes infinite, and shows.
    F16,
}

impl KvType {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            KvType::F32 => size_of::<f32>(),
            KvType::F16 => size_of::<f16>(),
        }
    }
}

/// A number of a cache.
trait KvNumber: Copy + Default + Send + Sync {
    /// As many as there are values.
    fn round(values: &[f32], into: &mut [Self]);
}

impl KvNumber for f32 {
    fn round(values: &[f32], into: &mut [f32]) {
        into.copy_from_slice(values);
    }
}

impl KvNumber for f16 {
    fn round(values: &[f32], into: &mut [f16]) {
        into.convert_from_f32_slice(values);
    }
}

/// Keys or values.
enum KvNumbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl KvNumbers {
    fn filled(kind: KvType, value: f32, length: usize) -> Self {
        match kind {
            KvType::F32 => KvNumbers::F32(vec![value; length]),
            // Of zeros as integers, the system knows how to make many without writing them.
            KvType::F16 => KvNumbers::F16(vec![f16::from_f32(value).to_bits(); length].reinterpret_into()),
        }
    }

    fn part(&self, range: Range<usize>) -> KvPart<'_> {
        match self {
            KvNumbers::F32(numbers) => KvPart::F32(&numbers[range]),
            KvNumbers::F16(numbers) => KvPart::F16(&numbers[range]),
        }
    }
}

/// Some of them.
#[derive(Clone, Copy)]
pub(super) enum KvPart<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
}

impl KvPart<'_> {
    #[inline(always)]
    fn prefetch(self, range: Range<usize>) {
        match self {
            KvPart::F32(numbers) => prefetch_lines(&numbers[range]),
            KvPart::F16(numbers) => prefetch_lines(&numbers[range]),
        }
    }
}

#[inline(always)]
fn prefetch_lines<T>(numbers: &[T]) {
    numbers.chunks(CACHE_LINE / size_of::<T>()).for_each(|line| prefetch(line.as_ptr()));
}

/// Cached keys and values of some positions, of all layers.
pub struct KvMemory {
    layout: KvLayout,
    keys: KvNumbers,
    values: KvNumbers,
}

impl KvMemory {
    /// Room for the keys and values of so many layers.
    pub fn new(layout: KvLayout, layers: usize, kind: KvType) -> Self {
        Self::filled(layout, layers, kind, 0.0)
    }

    pub(super) fn filled(layout: KvLayout, layers: usize, kind: KvType, value: f32) -> Self {
        let filled = |length: usize| KvNumbers::filled(kind, value, layers * length);
        KvMemory { layout, keys: filled(layout.keys()), values: filled(layout.values()) }
    }

    /// Stores keys and values of a layer, from the position `at` on. They are in `rows`, `row` values apart: the keys of all heads from the
    /// index `first` on, then the values of all heads.
    ///
    /// # Panics
    /// If there is no such layer, or no room for so many positions.
    pub fn store(&mut self, layer: usize, at: usize, rows: &[f32], row: usize, first: usize) {
        let layout = self.layout;
        let (of_keys, of_values) = (range_of(layer, layout.keys()), range_of(layer, layout.values()));
        match (&mut self.keys, &mut self.values) {
            (KvNumbers::F32(keys), KvNumbers::F32(values)) => {
                layout.store(&mut keys[of_keys], &mut values[of_values], at, rows, row, first);
            }
            (KvNumbers::F16(keys), KvNumbers::F16(values)) => {
                layout.store(&mut keys[of_keys], &mut values[of_values], at, rows, row, first);
            }
            _ => unreachable!("keys and values have one number type"),
        }
    }

    /// The first positions of a layer.
    ///
    /// # Panics
    /// If there is no such layer, or no room for so many positions.
    pub fn layer(&self, layer: usize, used: usize) -> KvBlock<'_> {
        let layout = self.layout;
        assert!(used <= layout.capacity, "no more positions than there is room for");
        KvBlock {
            layout,
            keys: self.keys.part(range_of(layer, layout.keys())),
            values: self.values.part(range_of(layer, layout.values())),
            used,
        }
    }
}

fn range_of(layer: usize, size: usize) -> Range<usize> {
    layer * size..(layer + 1) * size
}

/// Cached keys and values of some positions of one layer.
#[derive(Clone, Copy)]
pub struct KvBlock<'a> {
    /// How the two are laid out.
    pub(super) layout: KvLayout,
    /// [`KvLayout::keys`] values.
    pub(super) keys: KvPart<'a>,
    /// [`KvLayout::values`] values.
    pub(super) values: KvPart<'a>,
    /// Positions that belong to this sequence.
    pub(super) used: usize,
}

impl KvBlock<'_> {
    /// Asks for the keys of a head that will be read soon.
    #[inline(always)]
    pub(super) fn prefetch_keys(&self, head: usize, positions: Range<usize>) {
        let KvLayout { width, .. } = self.layout;
        let block = self.layout.key_block();
        let first = head * self.layout.keys_per_head();
        let (from, to) = (positions.start / block * block, positions.end.next_multiple_of(block));
        self.keys.prefetch(first + from * width..first + to * width);
    }

    /// Asks for the values of a head that will be read soon.
    #[inline(always)]
    pub(super) fn prefetch_values(&self, head: usize, positions: Range<usize>) {
        let KvLayout { width, capacity, .. } = self.layout;
        let block = self.layout.value_block();
        for channels in 0..width.div_ceil(block) {
            let first = head * self.layout.values_per_head() + channels * capacity * block;
            self.values.prefetch(first + positions.start * block..first + positions.end * block);
        }
    }
}
