//! Classes of characters, and when two characters are equal in another case.

use crate::unicode::{is_alphanumeric, is_decimal, is_space, lower_code, upper_code};

/// Groups of lower-case characters that have one upper case: they are equal where case is ignored.
const SAME_UPPER: [&[u32]; 24] = [
    &[0x69, 0x131],
    &[0x73, 0x17f],
    &[0xb5, 0x3bc],
    &[0x345, 0x3b9, 0x1fbe],
    &[0x390, 0x1fd3],
    &[0x3b0, 0x1fe3],
    &[0x3b2, 0x3d0],
    &[0x3b5, 0x3f5],
    &[0x3b8, 0x3d1],
    &[0x3ba, 0x3f0],
    &[0x3c0, 0x3d6],
    &[0x3c1, 0x3f1],
    &[0x3c2, 0x3c3],
    &[0x3c6, 0x3d5],
    &[0x432, 0x1c80],
    &[0x434, 0x1c81],
    &[0x43e, 0x1c82],
    &[0x441, 0x1c83],
    &[0x442, 0x1c84, 0x1c85],
    &[0x44a, 0x1c86],
    &[0x463, 0x1c87],
    &[0x1c88, 0xa64b],
    &[0x1e61, 0x1e9b],
    &[0xfb05, 0xfb06],
];

/// Which characters are equal in another case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// None.
    Exact,
    /// Letters of ASCII.
    Ascii,
    /// All.
    Unicode,
}

impl Fold {
    /// What stands for a character when case is ignored.
    pub(super) fn lower(self, code: u32) -> u32 {
        match self {
            Fold::Exact => code,
            Fold::Ascii if (0x41..=0x5a).contains(&code) => code + 0x20,
            Fold::Ascii => code,
            Fold::Unicode => lower_code(code),
        }
    }

    fn is_cased(self, code: u32) -> bool {
        match self {
            Fold::Exact => false,
            Fold::Ascii => u8::try_from(code).is_ok_and(|byte| byte.is_ascii_alphabetic()),
            Fold::Unicode => lower_code(code) != code || upper_code(code) != code,
        }
    }

    /// The lower case of a character, with all that is equal to it.
    fn equal_to(self, code: u32) -> Vec<u32> {
        let lower = self.lower(code);
        let same = SAME_UPPER.iter().find(|same| self == Fold::Unicode && same.contains(&lower));
        same.map_or_else(|| vec![lower], |same| same.to_vec())
    }
}

/// Digits, white space, or the characters of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Category {
    pub(super) kind: Kind,
    pub(super) ascii: bool,
    pub(super) negated: bool,
}

/// What a category is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Digit,
    Space,
    Word,
}

impl Category {
    fn has(self, code: u32) -> bool {
        let inside = match self.kind {
            Kind::Word => is_word(code, self.ascii),
            _ if self.ascii && code > 0x7f => false,
            Kind::Digit => is_decimal(code),
            // The separators 0x1c to 0x1f are white space in Unicode alone.
            Kind::Space => is_space(code) && !(self.ascii && (0x1c..=0x1f).contains(&code)),
        };
        inside != self.negated
    }
}

/// Whether a character belongs to words.
pub(super) fn is_word(code: u32, ascii: bool) -> bool {
    code == u32::from('_') || (is_alphanumeric(code) && !(ascii && code > 0x7f))
}

/// A member of a set, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    One(u32),
    Range(u32, u32),
    Category(Category),
}

/// A class of characters.
#[derive(Debug, Clone)]
pub(super) enum Unit {
    /// Any character.
    All,
    /// Any character but a line feed.
    NoLineFeed,
    /// This character alone.
    One(u32),
    /// A set.
    Set(Box<Set>),
}

/// A set of characters.
#[derive(Debug, Clone)]
pub(super) struct Set {
    /// The answer for characters below 256, a bit for each.
    first: [u64; 4],
    fold: Fold,
    negated: bool,
    /// Sorted, without gaps that could be closed.
    ranges: Vec<(u32, u32)>,
    /// Ranges above the first plane, where case is ignored: a character is in one if it or its upper case is.
    raised: Vec<(u32, u32)>,
    categories: Vec<Category>,
}

impl Unit {
    pub(super) fn literal(code: u32, fold: Fold) -> Unit {
        if !fold.is_cased(code) {
            return Unit::One(code);
        }
        let ranges = fold.equal_to(code).into_iter().map(|code| (code, code)).collect();
        Unit::Set(Box::new(Set::finished(fold, false, ranges, Vec::new(), Vec::new())))
    }

    /// A set as it stands in brackets.
    pub(super) fn set(members: &[Member], negated: bool, fold: Fold) -> Unit {
        if let [Member::One(code)] = members {
            return match Unit::literal(*code, fold) {
                unit if !negated => unit,
                Unit::Set(set) => Unit::Set(Box::new(Set::finished(fold, true, set.ranges, Vec::new(), Vec::new()))),
                _ => {
                    Unit::Set(Box::new(Set::finished(Fold::Exact, true, vec![(*code, *code)], Vec::new(), Vec::new())))
                }
            };
        }
        let (mut ranges, mut raised, mut categories) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_cased = false;
        for member in members {
            match *member {
                Member::Category(category) => categories.push(category),
                Member::One(code) if fold == Fold::Exact => ranges.push((code, code)),
                Member::Range(low, high) if fold == Fold::Exact => ranges.push((low, high)),
                Member::One(code) if code > 0xffff => {
                    is_cased = true;
                    ranges.push((code, code));
                }
                Member::One(code) => {
                    is_cased |= fold.is_cased(code);
                    ranges.extend(fold.equal_to(code).into_iter().map(|code| (code, code)));
                }
                Member::Range(low, high) => {
                    for code in low..=high.min(0xffff) {
                        is_cased |= fold.is_cased(code);
                        ranges.extend(fold.equal_to(code).into_iter().map(|code| (code, code)));
                    }
                    if high > 0xffff {
                        is_cased = true;
                        raised.push((low, high));
                    }
                }
            }
        }
        let fold = if is_cased { fold } else { Fold::Exact };
        Unit::Set(Box::new(Set::finished(fold, negated, ranges, raised, categories)))
    }

    /// Whether a character is in the class.
    #[inline]
    pub(super) fn has(&self, code: u32) -> bool {
        match self {
            Unit::All => true,
            Unit::NoLineFeed => code != 0x0a,
            Unit::One(one) => code == *one,
            Unit::Set(set) if code < 256 => set.first[(code / 64) as usize] >> (code % 64) & 1 == 1,
            Unit::Set(set) => set.has(code),
        }
    }
}

impl Set {
    fn finished(
        fold: Fold,
        negated: bool,
        mut ranges: Vec<(u32, u32)>,
        raised: Vec<(u32, u32)>,
        categories: Vec<Category>,
    ) -> Set {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        let mut set = Set { first: [0; 4], fold, negated, ranges: merged, raised, categories };
        for code in 0..256 {
            if set.has(code) {
                set.first[(code / 64) as usize] |= 1 << (code % 64);
            }
        }
        set
    }

    fn has(&self, code: u32) -> bool {
        let code = self.fold.lower(code);
        let after = self.ranges.partition_point(|(low, _)| *low <= code);
        let in_range = after > 0 && code <= self.ranges[after - 1].1;
        let inside = in_range
            || self.categories.iter().any(|category| category.has(code))
            || self
                .raised
                .iter()
                .any(|(low, high)| (*low..=*high).contains(&code) || (*low..=*high).contains(&upper_code(code)));
        inside != self.negated
    }
}
