//! Cached keys and values, as they lie in memory.

use super::tile::STRIP;
use rayon::prelude::*;

/// Values that must be readable after the last key and the last value, and so many spare ones a row of scratch has.
pub(crate) const PADDING: usize = STRIP;

/// How one layer's keys and values of a stretch of positions lie in memory: in strips that products read line after line.
///
/// Keys are `[kv_heads][strips][width][key_strip]`, a strip being neighbouring positions; values are
/// `[kv_heads][strips][capacity][value_strip]`, a strip being neighbouring channels. Both end with [`PADDING`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct PastLayout {
    /// Heads of keys and values.
    pub(crate) kv_heads: usize,
    /// Width of a head.
    pub(crate) width: usize,
    /// Positions there is room for.
    pub(crate) capacity: usize,
}

impl PastLayout {
    pub(super) fn key_strip(self) -> usize {
        STRIP.min(self.capacity)
    }

    pub(super) fn value_strip(self) -> usize {
        STRIP.min(self.width)
    }

    /// Values that the keys of one head take.
    pub(super) fn head_of_keys(self) -> usize {
        self.capacity.next_multiple_of(self.key_strip().max(1)) * self.width
    }

    /// Values that the values of one head take.
    pub(super) fn head_of_values(self) -> usize {
        self.width.next_multiple_of(self.value_strip().max(1)) * self.capacity
    }

    /// Values that the keys of all heads take, padding included.
    pub(crate) fn keys(self) -> usize {
        self.kv_heads * self.head_of_keys() + PADDING
    }

    /// Values that the values of all heads take, padding included.
    pub(crate) fn values(self) -> usize {
        self.kv_heads * self.head_of_values() + PADDING
    }

    /// Puts keys and values into memory of this layout, from the position `at` on. They stand in `rows`, `row` values
    /// apart: the keys of all heads from the place `first` on, then the values of all heads.
    pub(crate) fn remember(
        self,
        keys: &mut [f32],
        values: &mut [f32],
        at: usize,
        rows: &[f32],
        row: usize,
        first: usize,
    ) {
        let heads = keys.chunks_mut(self.head_of_keys()).zip(values.chunks_mut(self.head_of_values()));
        let put = |(head, (keys, values)): (usize, (&mut [f32], &mut [f32]))| {
            let from = first + head * self.width;
            self.remember_keys(keys, at, rows, row, from);
            self.remember_values(values, at, rows, row, from + self.kv_heads * self.width);
        };
        // A few rows are not worth handing out.
        if rows.len() / row < STRIP {
            heads.take(self.kv_heads).enumerate().for_each(put);
        } else {
            heads.take(self.kv_heads).enumerate().par_bridge().for_each(put);
        }
    }

    fn remember_keys(self, keys: &mut [f32], at: usize, rows: &[f32], row: usize, from: usize) {
        let strip = self.key_strip();
        let count = rows.len() / row;
        let mut done = 0;
        while done < count {
            // What goes into one strip, channel by channel.
            let (index, place) = ((at + done) / strip, (at + done) % strip);
            let height = (strip - place).min(count - done);
            let rows = &rows[done * row..];
            for (channel, line) in
                keys[index * strip * self.width..].chunks_exact_mut(strip).take(self.width).enumerate()
            {
                for (key, row) in line[place..place + height].iter_mut().zip(rows.chunks(row)) {
                    *key = row[from + channel];
                }
            }
            done += height;
        }
    }

    fn remember_values(self, values: &mut [f32], at: usize, rows: &[f32], row: usize, from: usize) {
        let strip = self.value_strip();
        for (index, strips) in values.chunks_exact_mut(self.capacity * strip).enumerate() {
            let channels = index * strip..self.width.min((index + 1) * strip);
            for (line, row) in strips[at * strip..].chunks_exact_mut(strip).zip(rows.chunks_exact(row)) {
                line[..channels.len()].copy_from_slice(&row[from + channels.start..from + channels.end]);
            }
        }
    }
}

/// A stretch of cached positions of one layer.
#[derive(Clone, Copy)]
pub(crate) struct Past<'a> {
    pub(crate) layout: PastLayout,
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
    /// Positions that belong to this sequence.
    pub(crate) used: usize,
}
