//! What stands behind a backslash.

use super::class::{Category, Kind};
use super::error::PatternError;
use super::reader::Reader;

/// What an escape in a set or outside of one means.
pub(super) enum Escape {
    /// A character.
    Literal(u32),
    /// A category of characters.
    Category(Category),
    /// The text of a group.
    Group(usize),
    /// A letter that has a meaning outside of sets alone: `A`, `b`, `B`, `Z`.
    Place(char),
}

/// Reads an escape of which the letter has been taken.
pub(super) fn read(reader: &mut Reader, letter: char, in_set: bool, ascii: bool) -> Result<Escape, PatternError> {
    let start = reader.at() - 2;
    let category = |kind, negated| Ok(Escape::Category(Category { kind, ascii, negated }));
    let literal = |code: u32| Ok(Escape::Literal(code));
    match letter {
        'd' => category(Kind::Digit, false),
        'D' => category(Kind::Digit, true),
        's' => category(Kind::Space, false),
        'S' => category(Kind::Space, true),
        'w' => category(Kind::Word, false),
        'W' => category(Kind::Word, true),
        'a' => literal(0x07),
        'b' if in_set => literal(0x08),
        'f' => literal(0x0c),
        'n' => literal(0x0a),
        'r' => literal(0x0d),
        't' => literal(0x09),
        'v' => literal(0x0b),
        '\\' => literal(0x5c),
        'A' | 'b' | 'B' | 'Z' if !in_set => Ok(Escape::Place(letter)),
        'x' => hexadecimal(reader, letter, 2, start).map(Escape::Literal),
        'u' => hexadecimal(reader, letter, 4, start).map(Escape::Literal),
        'U' => {
            let code = hexadecimal(reader, letter, 8, start)?;
            if code > u32::from(char::MAX) {
                return Err(reader.error_at(&format!("bad escape \\U{code:08x}"), start));
            }
            literal(code)
        }
        'N' => Err(reader.error_at("names of characters, `\\N{...}`, are not supported; use \\u or \\U", start)),
        '0'..='7' if in_set => {
            let digits = format!("{letter}{}", reader.take_while(2, is_octal));
            octal(reader, &digits, start).map(Escape::Literal)
        }
        '0' => {
            let digits = format!("0{}", reader.take_while(2, is_octal));
            octal(reader, &digits, start).map(Escape::Literal)
        }
        '1'..='9' if !in_set => group_or_octal(reader, letter, start),
        _ if letter.is_ascii_alphanumeric() => Err(reader.error_at(&format!("bad escape \\{letter}"), start)),
        _ => literal(u32::from(letter)),
    }
}

/// One or two digits are the number of a group, three octal ones a character.
fn group_or_octal(reader: &mut Reader, first: char, start: usize) -> Result<Escape, PatternError> {
    let mut digits = first.to_string();
    if let Some(second) = reader.peek().filter(char::is_ascii_digit) {
        reader.take(second);
        digits.push(second);
        let third = reader.peek().filter(|c| is_octal(*c) && is_octal(first) && is_octal(second));
        if let Some(third) = third {
            reader.take(third);
            digits.push(third);
            return octal(reader, &digits, start).map(Escape::Literal);
        }
    }
    let group = digits.parse().map_err(|_| reader.error_at(&format!("invalid group reference {digits}"), start))?;
    Ok(Escape::Group(group))
}

pub(super) fn is_octal(c: char) -> bool {
    matches!(c, '0'..='7')
}

/// The character of octal digits, which is one of the first 256.
pub(super) fn octal(reader: &Reader, digits: &str, start: usize) -> Result<u32, PatternError> {
    u32::from_str_radix(digits, 8)
        .ok()
        .filter(|code| *code <= 0o377)
        .ok_or_else(|| reader.error_at(&format!("octal escape value \\{digits} outside of range 0-0o377"), start))
}

fn hexadecimal(reader: &mut Reader, letter: char, count: usize, start: usize) -> Result<u32, PatternError> {
    let digits = reader.take_while(count, |c| c.is_ascii_hexdigit());
    if digits.len() != count {
        return Err(reader.error_at(&format!("incomplete escape \\{letter}{digits}"), start));
    }
    u32::from_str_radix(&digits, 16).map_err(|_| reader.error_at(&format!("bad escape \\{letter}{digits}"), start))
}
