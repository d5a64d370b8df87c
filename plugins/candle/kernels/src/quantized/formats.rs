//! The formats of blocks: how many numbers have a scale together, in how many bits, and how they lie in memory here.
//!
//! Blocks of 16 neighbouring outputs are stored together, so that a register has the same bits of each of them:
//!
//! ```text
//! scales     [16] f16
//! minimums   [16] f16, where a format has them
//! of parts   [parts][16] bytes, or twice so many: what the scale of each part is multiplied by, and its minimum
//! low bits   [words][16] u32, each of them the lower bits of as many numbers of one output as fit, in order
//! high bits  [words][16] u32, where numbers have them
//! ```
//!
//! Shifted right by a multiple of its bits and masked, a word of lower bits has four numbers, one in each byte: `J` apart, if a byte has
//! `J` of them. The upper bits of these four lie in the same four bytes of a word: those of the first shift of the first word of lower bits
//! lowest, then those of the next shift, and so on. So the upper bits of a number are as far from the beginning of their byte as four
//! numbers have been counted before.

use crate::tile::COLUMN_BLOCK;

/// What the blocks of a file are, by the names that GGUF gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names are all that there is to say")]
pub enum BlockFormat {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Iq4Nl,
    Iq4Xs,
}

impl BlockFormat {
    /// How many numbers a block of a file holds, and in how many bytes.
    pub fn block(self) -> (usize, usize) {
        match self {
            BlockFormat::Q4_0 | BlockFormat::Iq4Nl => (32, 18),
            BlockFormat::Q4_1 => (32, 20),
            BlockFormat::Q5_0 => (32, 22),
            BlockFormat::Q5_1 => (32, 24),
            BlockFormat::Q8_0 => (32, 34),
            BlockFormat::Q2K => (256, 84),
            BlockFormat::Q3K => (256, 110),
            BlockFormat::Q4K => (256, 144),
            BlockFormat::Q5K => (256, 176),
            BlockFormat::Q6K => (256, 210),
            BlockFormat::Iq4Xs => (256, 136),
        }
    }

    /// Bytes of the blocks of 16 outputs together.
    pub(super) fn packed_bytes(self) -> usize {
        with_format!(self, F => F::BYTES)
    }
}

/// What the scale and the minimum of a part are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scales {
    /// Those of the block. No minimum.
    Scale,
    /// Those of the block.
    ScaleAndMinimum,
    /// The block's times a number of 8 bits with a sign. No minimum.
    Signed,
    /// The block's times numbers of 8 bits without a sign, two for each part.
    Pairs,
    /// The same with numbers of 4 bits: in one byte, the minimum's above.
    Halves,
}

/// What the bits of a number mean.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// They count from minus so many on.
    From(u32),
    /// They count values in [`TABLE`].
    Table,
}

/// The values that four bits stand for in IQ4_NL and IQ4_XS.
const TABLE: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// A format as constants, so that loops are compiled for each.
pub(super) trait Format {
    /// Numbers of a block, and of the parts with one scale.
    const BLOCK: usize;
    const PART: usize;
    /// Bits of a number, in two places.
    const LOW: u32;
    const HIGH: u32;
    const SCALES: Scales;
    const MEANING: Meaning;

    const HAS_MINIMUM: bool = matches!(Self::SCALES, Scales::ScaleAndMinimum | Scales::Pairs | Scales::Halves);
    /// Whether the bytes that numbers become, with what is added so that none is negative, are all below 128.
    const HAS_SMALL_BYTES: bool = matches!(Self::MEANING, Meaning::From(_)) && Self::LOW + Self::HIGH < 8;

    /// Where things begin in a packed block.
    const PARTS_AT: usize = match Self::SCALES {
        Scales::Scale | Scales::Signed => 2 * COLUMN_BLOCK,
        Scales::ScaleAndMinimum | Scales::Pairs | Scales::Halves => 4 * COLUMN_BLOCK,
    };
    /// Bytes of a part, for all columns.
    const PART_BYTES: usize = match Self::SCALES {
        Scales::Scale | Scales::ScaleAndMinimum => 0,
        Scales::Signed | Scales::Halves => COLUMN_BLOCK,
        Scales::Pairs => 2 * COLUMN_BLOCK,
    };
    const LOW_AT: usize = Self::PARTS_AT + Self::BLOCK / Self::PART * Self::PART_BYTES;
    const HIGH_AT: usize = Self::LOW_AT + Self::BLOCK * Self::LOW as usize / 8 * COLUMN_BLOCK;
    const BYTES: usize = Self::HIGH_AT + Self::BLOCK * Self::HIGH as usize / 8 * COLUMN_BLOCK;

    /// Numbers of which a word has the lower bits, and of which a byte of it has them.
    const IN_WORD: usize = 32 / Self::LOW as usize;
    const IN_BYTE: usize = 8 / Self::LOW as usize;
    /// What the bits mean, in order: for numbers of 5 bits at most.
    const VALUES: [f32; 32] = {
        let mut values = [0.0; 32];
        let mut bits = 0;
        while bits < 32 {
            values[bits] = match Self::MEANING {
                Meaning::From(least) => bits as f32 - least as f32,
                Meaning::Table => TABLE[bits % 16] as f32,
            };
            bits += 1;
        }
        values
    };
    /// The same and 128, which gives bytes that are not negative: where a table says what the bits mean.
    const BYTE_VALUES: [u8; 16] = {
        let mut values = [0; 16];
        let mut bits = 0;
        while bits < 16 {
            values[bits] = TABLE[bits].cast_unsigned() ^ 0x80;
            bits += 1;
        }
        values
    };
}

macro_rules! formats {
    ($(
        $name:ident: $block:literal by $part:literal, $low:literal + $high:literal bits, $scales:ident, $meaning:expr;
    )*) => {
        $(
            pub(super) struct $name;

            impl Format for $name {
                const BLOCK: usize = $block;
                const PART: usize = $part;
                const LOW: u32 = $low;
                const HIGH: u32 = $high;
                const SCALES: Scales = Scales::$scales;
                const MEANING: Meaning = $meaning;
            }
        )*
    };
}

formats! {
    Q4_0: 32 by 32, 4 + 0 bits, Scale, Meaning::From(8);
    Q4_1: 32 by 32, 4 + 0 bits, ScaleAndMinimum, Meaning::From(0);
    Q5_0: 32 by 32, 4 + 1 bits, Scale, Meaning::From(16);
    Q5_1: 32 by 32, 4 + 1 bits, ScaleAndMinimum, Meaning::From(0);
    Q8_0: 32 by 32, 8 + 0 bits, Scale, Meaning::From(128);
    Q2K: 256 by 16, 2 + 0 bits, Halves, Meaning::From(0);
    Q3K: 256 by 16, 2 + 1 bits, Signed, Meaning::From(4);
    Q4K: 256 by 32, 4 + 0 bits, Pairs, Meaning::From(0);
    Q5K: 256 by 32, 4 + 1 bits, Pairs, Meaning::From(0);
    Q6K: 256 by 16, 4 + 2 bits, Signed, Meaning::From(32);
    Iq4Nl: 32 by 32, 4 + 0 bits, Scale, Meaning::Table;
    Iq4Xs: 256 by 32, 4 + 0 bits, Signed, Meaning::Table;
}

/// An expression with the constants of a format that is known at run time.
macro_rules! with_format {
    ($format:expr, $F:ident => $body:expr) => {
        with_format!(@ $format, $F, $body; Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2K Q3K Q4K Q5K Q6K Iq4Nl Iq4Xs)
    };
    (@ $format:expr, $F:ident, $body:expr; $($name:ident)*) => {
        match $format {
            $($crate::quantized::formats::BlockFormat::$name => {
                type $F = $crate::quantized::formats::$name;
                $body
            })*
        }
    };
}
pub(super) use with_format;
