//! Characters as Python knows them: general categories, letter case, white space.
//!
//! The categories are those of Unicode 14, which is what CPython 3.11 has. A character that Unicode assigned later has no category here, and no
//! case: it is what it is to that Python. `make.py` writes the table.

use std::sync::LazyLock;

/// The names of the general categories, in the order of `categories.bin`.
const CATEGORIES: [&str; 30] = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
    "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
];
const UNASSIGNED: u8 = 29;

/// Where each run of one category begins, and which category it is.
static RUNS: LazyLock<Vec<(u32, u8)>> = LazyLock::new(|| {
    let mut bytes = include_bytes!("categories.bin").iter();
    let mut runs = Vec::new();
    let mut start = 0;
    while let Some(place) = bytes.next() {
        runs.push((start, *place));
        let mut shift = 0;
        for byte in bytes.by_ref() {
            start += u32::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    runs
});

fn place(code: u32) -> u8 {
    let after = RUNS.partition_point(|(start, _)| *start <= code);
    after.checked_sub(1).and_then(|run| RUNS.get(run)).map_or(UNASSIGNED, |(_, place)| *place)
}

/// The general category of a code point: `Lu`, `Nd`, ...; `Cn` where there is none.
pub fn category(code: u32) -> &'static str {
    CATEGORIES[usize::from(place(code))]
}

/// Whether a code point is a letter or a number: `str.isalnum` of one character.
pub fn is_alphanumeric(code: u32) -> bool {
    match u8::try_from(code) {
        Ok(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric(),
        _ => matches!(place(code), 0..=4 | 8..=10),
    }
}

/// Whether a code point is a decimal digit: `str.isdecimal` of one character.
pub fn is_decimal(code: u32) -> bool {
    match u8::try_from(code) {
        Ok(byte) if byte.is_ascii() => byte.is_ascii_digit(),
        _ => place(code) == 8,
    }
}

/// The value of a decimal digit: `unicodedata.decimal`. Digits stand in runs of ten, each from 0 to 9.
pub fn decimal(code: u32) -> Option<u32> {
    let run = RUNS.partition_point(|(start, _)| *start <= code).checked_sub(1).and_then(|run| RUNS.get(run));
    run.filter(|(_, place)| *place == 8).map(|(start, _)| (code - start) % 10)
}

/// Whether a code point is punctuation.
pub fn is_punctuation(code: u32) -> bool {
    matches!(place(code), 11..=17)
}

/// Whether a code point is white space: `str.isspace` of one character.
pub fn is_space(code: u32) -> bool {
    matches!(
        code,
        0x09..=0x0d | 0x1c..=0x20 | 0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000
    )
}

fn is_space_char(c: char) -> bool {
    is_space(u32::from(c))
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space_char)
}

/// `str.rstrip()`.
pub fn strip_end(text: &str) -> &str {
    text.trim_end_matches(is_space_char)
}

/// `str.split()`: the parts between white space.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space_char).filter(|part| !part.is_empty())
}

/// `str.lower()`.
pub fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    if text.chars().all(|c| has_old_case(c, c.to_lowercase())) {
        return text.to_lowercase();
    }
    // Characters that got their case after Unicode 14 are kept; a final sigma depends on its neighbours, which are letters in both.
    let mut kept = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !has_old_case(c, c.to_lowercase())) {
        let last = part.chars().next_back().filter(|c| !has_old_case(*c, c.to_lowercase()));
        let body = last.map_or(part, |c| &part[..part.len() - c.len_utf8()]);
        kept.push_str(&body.to_lowercase());
        kept.extend(last);
    }
    kept
}

/// `str.upper()`.
pub fn upper(text: &str) -> String {
    let mut raised = String::with_capacity(text.len());
    for c in text.chars() {
        if has_old_case(c, c.to_uppercase()) {
            raised.extend(c.to_uppercase());
        } else {
            raised.push(c);
        }
    }
    raised
}

/// Whether a mapping of case is one of Unicode 14: it has no character that was assigned later.
fn has_old_case(c: char, mut mapped: impl Iterator<Item = char>) -> bool {
    c.is_ascii()
        || (place(u32::from(c)) != UNASSIGNED && mapped.all(|c| c.is_ascii() || place(u32::from(c)) != UNASSIGNED))
}

/// The first character of a code point's lower case, as regular expressions compare it.
pub(crate) fn lower_code(code: u32) -> u32 {
    first(code, |c| first_of(c, c.to_lowercase()))
}

/// The first character of a code point's upper case, as regular expressions compare it.
pub(crate) fn upper_code(code: u32) -> u32 {
    first(code, |c| first_of(c, c.to_uppercase()))
}

fn first(code: u32, mapped: impl Fn(char) -> char) -> u32 {
    char::from_u32(code).map_or(code, |c| u32::from(mapped(c)))
}

fn first_of(c: char, mapped: impl Iterator<Item = char> + Clone) -> char {
    if has_old_case(c, mapped.clone()) { mapped.into_iter().next().unwrap_or(c) } else { c }
}

#[cfg(test)]
mod tests;
