//! Replacements with references to groups.

use super::error::{PatternError, SearchError};
use super::escape::{is_octal, octal};
use super::reader::{Piece, Reader};
use super::search::{Match, Subject};
use super::{Pattern, is_identifier};

/// What replaces a match: text and groups, as `Pattern.sub` reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

impl Template {
    /// Reads a replacement for a pattern.
    ///
    /// # Errors
    /// It refers to a group that the pattern has not, or is not one of Python's.
    pub fn parse(source: &str, pattern: &Pattern) -> Result<Template, PatternError> {
        let mut reader = Reader::new(source);
        let mut template = Template { parts: Vec::new() };
        while let Some(piece) = reader.next()? {
            let start = reader.at();
            match piece {
                Piece::Plain(c) => template.push(c),
                Piece::Escaped('g') => {
                    let group = named(&mut reader, pattern)?;
                    template.push_group(group, pattern, &reader, start)?;
                }
                Piece::Escaped('0') => {
                    let digits = format!("0{}", reader.take_while(2, is_octal));
                    let code = u32::from_str_radix(&digits, 8).unwrap_or_default() & 0xff;
                    template.push_code(code);
                }
                Piece::Escaped(first @ '1'..='9') => {
                    let mut digits = first.to_string();
                    digits.push_str(&reader.take_while(1, |c| c.is_ascii_digit()));
                    let is_long = digits.len() == 2 && digits.chars().all(is_octal);
                    let third = if is_long { reader.take_while(1, is_octal) } else { String::new() };
                    if third.is_empty() {
                        template.push_group(digits.parse().unwrap_or(usize::MAX), pattern, &reader, start)?;
                    } else {
                        digits.push_str(&third);
                        template.push_code(octal(&reader, &digits, start)?);
                    }
                }
                Piece::Escaped(c) => match c {
                    'a' => template.push('\x07'),
                    'b' => template.push('\x08'),
                    'f' => template.push('\x0c'),
                    'n' => template.push('\n'),
                    'r' => template.push('\r'),
                    't' => template.push('\t'),
                    'v' => template.push('\x0b'),
                    '\\' => template.push('\\'),
                    _ if c.is_ascii_alphabetic() => return Err(reader.error_at(&format!("bad escape \\{c}"), start)),
                    _ => {
                        template.push('\\');
                        template.push(c);
                    }
                },
            }
        }
        Ok(template)
    }

    /// The text with which a match is replaced. A group that has not matched is empty.
    pub fn expand(&self, found: &Match, subject: &Subject<'_>) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(group) => found.group(subject, *group).unwrap_or("").to_owned(),
        };
        self.parts.iter().map(text).collect()
    }

    fn push(&mut self, c: char) {
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => self.parts.push(Part::Text(c.to_string())),
        }
    }

    fn push_code(&mut self, code: u32) {
        self.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    }

    fn push_group(&mut self, group: usize, pattern: &Pattern, reader: &Reader, at: usize) -> Result<(), PatternError> {
        if group > pattern.groups() {
            return Err(reader.error_at(&format!("invalid group reference {group}"), at));
        }
        self.parts.push(Part::Group(group));
        Ok(())
    }
}

/// The group of `\g<name>`.
fn named(reader: &mut Reader, pattern: &Pattern) -> Result<usize, PatternError> {
    if !reader.take('<') {
        return Err(reader.error("missing <"));
    }
    let name = reader.take_until('>', "group name")?;
    if is_identifier(&name) {
        let found = pattern.group_names().iter().find(|(known, _)| *known == name);
        return found.map(|(_, group)| *group).ok_or_else(|| reader.error(&format!("unknown group name '{name}'")));
    }
    let number = name.parse().ok().filter(|_| name.chars().all(|c| c.is_ascii_digit()));
    number.ok_or_else(|| reader.error(&format!("bad character in group name '{name}'")))
}

impl Pattern {
    /// `Pattern.sub(template, text, most)`; `most` 0 replaces all matches.
    pub fn replace(&self, text: &str, template: &Template, most: usize) -> Result<String, SearchError> {
        self.replace_with(text, most, |found, subject| Ok(template.expand(found, subject)))
    }
}
