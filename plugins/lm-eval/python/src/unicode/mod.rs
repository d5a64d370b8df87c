//! Properties of characters, as CPython 3.11 has them: those of Unicode 14.
//!
//! Rust knows a newer Unicode. For characters that Unicode 14 knows, its mappings of case are the same; those are Rust's.

use std::collections::HashMap;
use std::sync::OnceLock;

#[derive(Debug, Default)]
struct Tables {
    /// Where each run begins, and its category.
    category: Vec<(u32, &'static str)>,
    ranges: HashMap<&'static str, Vec<(u32, u32)>>,
    maps: HashMap<&'static str, HashMap<char, String>>,
    /// Where runs of decimal digits begin and end.
    decimal: Vec<(u32, u32)>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut tables = Tables::default();
        for line in include_str!("tables.txt").lines() {
            let mut entries = line.split(' ');
            let name = entries.next().unwrap_or_default();
            match name {
                "category" => tables.read_categories(entries),
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

impl Tables {
    fn read_categories(&mut self, entries: std::str::Split<'static, char>) {
        let mut start = 0;
        for entry in entries {
            let (length, name) = entry.split_at(entry.len().saturating_sub(2));
            let length = hex(length);
            self.category.push((start, name));
            if name == "Nd" {
                self.decimal.push((start, start + length - 1));
            }
            start += length;
        }
    }
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
    let runs = &tables().category;
    let index = runs.partition_point(|(start, _)| *start <= u32::from(c));
    runs.get(index.saturating_sub(1)).map_or("Cn", |(_, name)| name)
}

/// Whether Unicode 14 knows the character.
pub(crate) fn is_assigned(c: char) -> bool {
    c.is_ascii() || category(c) != "Cn"
}

pub(crate) fn is_alpha(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { category(c).starts_with('L') }
}

pub(crate) fn is_decimal(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { category(c) == "Nd" }
}

/// The value of a decimal digit.
pub(crate) fn decimal(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let (code, runs) = (u32::from(c), &tables().decimal);
    let index = runs.partition_point(|(first, _)| *first <= code).checked_sub(1)?;
    let (first, last) = runs.get(index)?;
    (code <= *last).then(|| (code - first) % 10)
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
    in_table("space", c)
}

pub(crate) fn is_lower(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_lowercase() } else { category(c) == "Ll" || in_table("lower", c) }
}

pub(crate) fn is_upper(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_uppercase() } else { category(c) == "Lu" || in_table("upper", c) }
}

fn is_title(c: char) -> bool {
    !c.is_ascii() && category(c) == "Lt"
}

/// Whether it has a case.
pub(crate) fn is_cased(c: char) -> bool {
    is_lower(c) || is_upper(c) || is_title(c)
}

/// Whether it is of the case of titles alone.
pub(crate) fn is_title_case(c: char) -> bool {
    is_title(c)
}

pub(crate) fn is_printable(c: char) -> bool {
    c == ' ' || !matches!(category(c), "Cc" | "Cf" | "Cs" | "Co" | "Cn" | "Zl" | "Zp" | "Zs")
}

fn known(c: char, mapped: impl Iterator<Item = char> + Clone, to: &mut String) {
    if is_assigned(c) && mapped.clone().all(is_assigned) { to.extend(mapped) } else { to.push(c) }
}

/// `str.lower()`.
pub(crate) fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // A sigma at the end of a word has a letter of its own: Rust's rule for it is that of Unicode.
    if text.contains('Σ') {
        let lowered = text.to_lowercase();
        if text.chars().chain(lowered.chars()).all(is_assigned) {
            return lowered;
        }
    }
    let mut lowered = String::with_capacity(text.len());
    text.chars().for_each(|c| known(c, c.to_lowercase(), &mut lowered));
    lowered
}

/// `str.upper()`.
pub(crate) fn upper(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut raised = String::with_capacity(text.len());
    text.chars().for_each(|c| known(c, c.to_uppercase(), &mut raised));
    raised
}

/// A character at the beginning of a title's word.
pub(crate) fn title(c: char, to: &mut String) {
    match tables().maps.get("title").and_then(|map| map.get(&c)) {
        Some(mapped) => to.push_str(mapped),
        None => known(c, c.to_uppercase(), to),
    }
}

/// `str.casefold()`.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let map = tables().maps.get("fold");
    for c in text.chars() {
        match map.and_then(|map| map.get(&c)) {
            Some(mapped) => folded.push_str(mapped),
            None => known(c, c.to_lowercase(), &mut folded),
        }
    }
    folded
}
