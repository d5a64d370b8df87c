//! Properties of characters, as CPython 3.11 has them: those of Unicode 14.
//!
//! Categories, white space and letter case are those of `examiner-metrics`; here is what else Python's methods of texts know.

use std::collections::HashMap;
use std::sync::OnceLock;

use examiner_metrics::unicode;
pub(crate) use examiner_metrics::unicode::{lower, upper};

#[derive(Debug, Default)]
struct Tables {
    ranges: HashMap<&'static str, Vec<(u32, u32)>>,
    maps: HashMap<&'static str, HashMap<char, String>>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut tables = Tables::default();
        for line in include_str!("tables.txt").lines() {
            let mut entries = line.split(' ');
            let name = entries.next().unwrap_or_default();
            match name {
                "title" | "fold" => {
                    tables.maps.insert(name, entries.filter_map(read_mapping).collect());
                }
                _ => {
                    tables.ranges.insert(name, entries.map(read_range).collect());
                }
            }
        }
        tables
    })
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text, 16).unwrap_or_default()
}

fn read_range(entry: &str) -> (u32, u32) {
    let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
    (hex(first), hex(last))
}

fn read_mapping(entry: &str) -> Option<(char, String)> {
    let (from, to) = entry.split_once('=')?;
    let to: Option<String> = to.split('+').map(|code| char::from_u32(hex(code))).collect();
    Some((char::from_u32(hex(from))?, to?))
}

fn in_ranges(ranges: &[(u32, u32)], c: char) -> bool {
    let code = u32::from(c);
    let index = ranges.partition_point(|(first, _)| *first <= code);
    index > 0 && ranges.get(index - 1).is_some_and(|(_, last)| code <= *last)
}

fn in_table(name: &str, c: char) -> bool {
    tables().ranges.get(name).is_some_and(|ranges| in_ranges(ranges, c))
}

/// `unicodedata.category`.
pub(crate) fn category(c: char) -> &'static str {
    unicode::category(u32::from(c))
}

/// Whether Unicode 14 knows the character.
pub(crate) fn is_assigned(c: char) -> bool {
    c.is_ascii() || category(c) != "Cn"
}

pub(crate) fn is_alpha(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { category(c).starts_with('L') }
}

pub(crate) fn is_decimal(c: char) -> bool {
    unicode::is_decimal(u32::from(c))
}

/// The value of a decimal digit.
pub(crate) fn decimal(c: char) -> Option<u32> {
    unicode::decimal(u32::from(c))
}

pub(crate) fn is_digit(c: char) -> bool {
    is_decimal(c) || !c.is_ascii() && in_table("digit", c)
}

pub(crate) fn is_numeric(c: char) -> bool {
    is_digit(c) || !c.is_ascii() && in_table("numeric", c)
}

pub(crate) fn is_alnum(c: char) -> bool {
    is_alpha(c) || is_numeric(c)
}

pub(crate) fn is_space(c: char) -> bool {
    unicode::is_space(u32::from(c))
}

pub(crate) fn is_lower(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_lowercase() } else { category(c) == "Ll" || in_table("lower", c) }
}

pub(crate) fn is_upper(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_uppercase() } else { category(c) == "Lu" || in_table("upper", c) }
}

/// Whether it is of the case of titles alone.
pub(crate) fn is_title_case(c: char) -> bool {
    !c.is_ascii() && category(c) == "Lt"
}

/// Whether it has a case.
pub(crate) fn is_cased(c: char) -> bool {
    is_lower(c) || is_upper(c) || is_title_case(c)
}

pub(crate) fn is_printable(c: char) -> bool {
    c == ' ' || !matches!(category(c), "Cc" | "Cf" | "Cs" | "Co" | "Cn" | "Zl" | "Zp" | "Zs")
}

/// A character at the beginning of a title's word.
pub(crate) fn title(c: char, to: &mut String) {
    match tables().maps.get("title").and_then(|map| map.get(&c)) {
        Some(mapped) => to.push_str(mapped),
        None => to.push_str(&upper(c.encode_utf8(&mut [0; 4]))),
    }
}

/// `str.casefold()`.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let map = tables().maps.get("fold");
    for c in text.chars() {
        match map.and_then(|map| map.get(&c)) {
            Some(mapped) => folded.push_str(mapped),
            None => folded.push_str(&lower(c.encode_utf8(&mut [0; 4]))),
        }
    }
    folded
}
