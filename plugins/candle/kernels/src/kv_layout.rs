//! Cached keys and values, and their layout in memory.

use super::tile::COLUMN_BLOCK;
use rayon::prelude::*;

/// Values that must be readable after the last key and the last value, and so many spare ones a row of scratch has.
pub(super) const PADDING: usize = COLUMN_BLOCK;

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
    pub fn keys(self) -> usize {
        self.kv_heads * self.keys_per_head() + PADDING
    }

    /// Values that the values of all heads take, padding included.
    pub fn values(self) -> usize {
        self.kv_heads * self.values_per_head() + PADDING
    }

    /// Stores keys and values in memory of this layout, from the position `at` on. They are in `rows`, `row` values apart:
    /// the keys of all heads from the index `first` on, then the values of all heads.
    pub fn store(self, keys: &mut [f32], values: &mut [f32], at: usize, rows: &[f32], row: usize, first: usize) {
        let heads = keys.chunks_mut(self.keys_per_head()).zip(values.chunks_mut(self.values_per_head()));
        let put = |(head, (keys, values)): (usize, (&mut [f32], &mut [f32]))| {
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

    fn store_keys(self, keys: &mut [f32], at: usize, rows: &[f32], row: usize, from: usize) {
        let block = self.key_block();
        let count = rows.len() / row;
        let mut done = 0;
        while done < count {
            // What goes into one block, channel by channel.
            let (index, column) = ((at + done) / block, (at + done) % block);
            let height = (block - column).min(count - done);
            let rows = &rows[done * row..];
            for (channel, line) in
                keys[index * block * self.width..].chunks_exact_mut(block).take(self.width).enumerate()
            {
                for (key, row) in line[column..column + height].iter_mut().zip(rows.chunks(row)) {
                    *key = row[from + channel];
                }
            }
            done += height;
        }
    }

    fn store_values(self, values: &mut [f32], at: usize, rows: &[f32], row: usize, from: usize) {
        let block = self.value_block();
        for (index, lines) in values.chunks_exact_mut(self.capacity * block).enumerate() {
            let channels = index * block..self.width.min((index + 1) * block);
            for (line, row) in lines[at * block..].chunks_exact_mut(block).zip(rows.chunks_exact(row)) {
                line[..channels.len()].copy_from_slice(&row[from + channels.start..from + channels.end]);
            }
        }
    }
}

/// Cached keys and values of some positions of one layer.
#[derive(Clone, Copy)]
pub struct KvBlock<'a> {
    /// How the two are laid out.
    pub layout: KvLayout,
    /// At least [`KvLayout::keys`] values.
    pub keys: &'a [f32],
    /// At least [`KvLayout::values`] values.
    pub values: &'a [f32],
    /// Positions that belong to this sequence.
    pub used: usize,
}
