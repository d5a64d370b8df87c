//! From the blocks of a file, each of one output, to those of 16 neighbouring outputs.

use super::PANEL;
use super::formats::{BlockFormat, Format, Scales, with_format};
use crate::tile::COLUMN_BLOCK;
use rayon::prelude::*;

/// What a block of a file says.
struct Block {
    /// The bits of each number.
    numbers: [u8; 256],
    /// The bits of the scale, and of the minimum that is added.
    scale: [u8; 2],
    minimum: [u8; 2],
    /// The bytes of each part.
    parts: [[u8; 2]; 16],
}

/// Packs blocks, rows of `row` bytes, into panels of `panel` bytes, each of [`PANEL`] of these rows. What fills the last one stays zero.
pub(super) fn pack(format: BlockFormat, bytes: &[u8], row: usize, into: &mut [u8], panel: usize) {
    if row == 0 || panel == 0 {
        return;
    }
    let (size, packed) = (format.block().1, format.packed_bytes());
    into.par_chunks_mut(panel).zip(bytes.par_chunks(row * PANEL)).for_each(|(into, rows)| {
        let mut block = Block { numbers: [0; 256], scale: [0; 2], minimum: [0; 2], parts: [[0; 2]; 16] };
        for (column, row) in rows.chunks_exact(row).enumerate() {
            let into = into[column / COLUMN_BLOCK * packed..].chunks_mut(PANEL / COLUMN_BLOCK * packed);
            for (bytes, into) in row.chunks_exact(size).zip(into) {
                block.read(format, bytes);
                with_format!(format, F => block.write::<F>(column % COLUMN_BLOCK, into));
            }
        }
    });
}

impl Block {
    /// Takes a block of a file apart.
    fn read(&mut self, format: BlockFormat, bytes: &[u8]) {
        let at = |from: usize| [bytes[from], bytes[from + 1]];
        // A minimum that is subtracted.
        let negative = |from: usize| [bytes[from], bytes[from + 1] ^ 0x80];
        match format {
            BlockFormat::Q4_0 | BlockFormat::Iq4Nl => {
                self.scale = at(0);
                self.halves(&bytes[2..], 16, 0);
            }
            BlockFormat::Q4_1 => {
                (self.scale, self.minimum) = (at(0), at(2));
                self.halves(&bytes[4..], 16, 0);
            }
            BlockFormat::Q5_0 => {
                self.scale = at(0);
                self.halves(&bytes[6..], 16, 0);
                self.fifth_bits(&bytes[2..6]);
            }
            BlockFormat::Q5_1 => {
                (self.scale, self.minimum) = (at(0), at(2));
                self.halves(&bytes[8..], 16, 0);
                self.fifth_bits(&bytes[4..8]);
            }
            BlockFormat::Q8_0 => {
                self.scale = at(0);
                // From the least one on, instead of with a sign.
                self.numbers.iter_mut().zip(&bytes[2..]).for_each(|(number, byte)| *number = byte ^ 0x80);
            }
            BlockFormat::Q2K => {
                (self.scale, self.minimum) = (at(80), negative(82));
                self.parts.iter_mut().zip(bytes).for_each(|(part, byte)| part[0] = *byte);
                self.quarters(&bytes[16..80]);
            }
            BlockFormat::Q3K => {
                self.scale = at(108);
                for (part, into) in self.parts.iter_mut().enumerate() {
                    let lower = bytes[96 + part % 8] >> (part / 8 * 4) & 15;
                    let upper = bytes[104 + part % 4] >> (part / 4 * 2) & 3;
                    into[0] = (lower | upper << 4).wrapping_sub(32);
                }
                self.quarters(&bytes[32..96]);
                for (index, number) in self.numbers.iter_mut().enumerate() {
                    *number |= (bytes[index % 32] >> (index / 32) & 1) << 2;
                }
            }
            BlockFormat::Q4K => {
                (self.scale, self.minimum) = (at(0), negative(2));
                self.pairs(&bytes[4..16]);
                self.halves_of_64(&bytes[16..]);
            }
            BlockFormat::Q5K => {
                (self.scale, self.minimum) = (at(0), negative(2));
                self.pairs(&bytes[4..16]);
                self.halves_of_64(&bytes[48..]);
                for (index, number) in self.numbers.iter_mut().enumerate() {
                    *number |= (bytes[16 + index % 32] >> (index / 32) & 1) << 4;
                }
            }
            BlockFormat::Q6K => {
                self.scale = at(208);
                self.parts.iter_mut().zip(&bytes[192..208]).for_each(|(part, byte)| part[0] = *byte);
                for (index, number) in self.numbers.iter_mut().enumerate() {
                    let (half, quarter, place) = (index / 128, index % 128 / 32, index % 32);
                    let lower = bytes[half * 64 + quarter % 2 * 32 + place] >> (quarter / 2 * 4) & 15;
                    let upper = bytes[128 + half * 32 + place] >> (quarter * 2) & 3;
                    *number = lower | upper << 4;
                }
            }
            BlockFormat::Iq4Xs => {
                self.scale = at(0);
                let uppers = u16::from_le_bytes(at(2));
                for (part, into) in self.parts.iter_mut().take(8).enumerate() {
                    let lower = bytes[4 + part / 2] >> (part % 2 * 4) & 15;
                    let upper = (uppers >> (part * 2) & 3) as u8;
                    into[0] = (lower | upper << 4).wrapping_sub(32);
                }
                for part in 0..8 {
                    self.halves(&bytes[8 + part * 16..][..16], 16, part * 32);
                }
            }
        }
    }

    /// Numbers of four bits from `first` on: the lower halves of bytes, and `distance` further on the upper ones.
    fn halves(&mut self, bytes: &[u8], distance: usize, first: usize) {
        for (index, byte) in bytes.iter().take(distance).enumerate() {
            self.numbers[first + index] = byte & 15;
            self.numbers[first + index + distance] = byte >> 4;
        }
    }

    fn halves_of_64(&mut self, bytes: &[u8]) {
        for (index, bytes) in bytes.chunks_exact(32).enumerate() {
            self.halves(bytes, 32, index * 64);
        }
    }

    /// Numbers of two bits: every 32 bytes have four times so many, those in the lowest bits first.
    fn quarters(&mut self, bytes: &[u8]) {
        for (index, number) in self.numbers.iter_mut().enumerate() {
            *number = bytes[index / 128 * 32 + index % 32] >> (index % 128 / 32 * 2) & 3;
        }
    }

    fn fifth_bits(&mut self, bytes: &[u8]) {
        for (index, number) in self.numbers[..32].iter_mut().enumerate() {
            *number |= (bytes[index / 8] >> (index % 8) & 1) << 4;
        }
    }

    /// Eight scales and eight minimums of six bits: of the last four of each, the upper two bits lie above those of the first four.
    fn pairs(&mut self, bytes: &[u8]) {
        for part in 0..4 {
            self.parts[part] = [bytes[part] & 63, bytes[part + 4] & 63];
            let upper = |byte: u8| byte >> 6 << 4;
            self.parts[part + 4] =
                [bytes[part + 8] & 15 | upper(bytes[part]), bytes[part + 8] >> 4 | upper(bytes[part + 4])];
        }
    }

    /// Writes the block into one of 16 columns, whose bits are zero.
    fn write<F: Format>(&self, column: usize, into: &mut [u8]) {
        into[2 * column..][..2].copy_from_slice(&self.scale);
        if F::HAS_MINIMUM {
            into[2 * (COLUMN_BLOCK + column)..][..2].copy_from_slice(&self.minimum);
        }
        if F::PART_BYTES > 0 {
            for (part, bytes) in self.parts[..F::BLOCK / F::PART].iter().enumerate() {
                let at = F::PARTS_AT + part * F::PART_BYTES + column;
                into[at] = bytes[0];
                if F::SCALES == Scales::Pairs {
                    into[at + COLUMN_BLOCK] = bytes[1];
                }
            }
        }
        for (index, number) in self.numbers[..F::BLOCK].iter().enumerate() {
            // Words are little-endian, and bits of a number lie in one byte.
            let mut put = |at: usize, bit: usize, bits: u32, number: u8| {
                let word = at + (bit / 32 * COLUMN_BLOCK + column) * 4;
                into[word + bit % 32 / 8] |= (number & (((1u16 << bits) - 1) as u8)) << (bit % 8);
            };
            put(F::LOW_AT, index * F::LOW as usize, F::LOW, *number);
            if F::HIGH > 0 {
                let (word, in_word) = (index / F::IN_WORD, index % F::IN_WORD);
                let bits = (word * F::IN_BYTE + in_word % F::IN_BYTE) * F::HIGH as usize;
                put(F::HIGH_AT, bits / 8 * 32 + in_word / F::IN_BYTE * 8 + bits % 8, F::HIGH, number >> F::LOW);
            }
        }
    }
}
