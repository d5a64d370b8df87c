//! `text.format(...)`.

use super::{Session, format_value};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::value::Value;

/// Which way fields are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Unknown,
    Automatic(usize),
    Manual,
}

impl Session {
    /// `text.format(...)`.
    pub(crate) fn fill_template(&mut self, text: &str, args: &Arguments) -> Outcome<String> {
        let mut numbering = Numbering::Unknown;
        let filled = self.fill(text, args, &mut numbering, 2)?;
        self.fits(filled.len())?;
        Ok(filled)
    }

    fn fill(&mut self, text: &str, args: &Arguments, numbering: &mut Numbering, depth: usize) -> Outcome<String> {
        if depth == 0 {
            return Err(Error::raise("ValueError", "Max string recursion exceeded"));
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some(index) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(index);
            result.push_str(before);
            let brace = from.as_bytes().first().copied().unwrap_or_default();
            let after = from.get(1..).unwrap_or_default();
            if after.as_bytes().first() == Some(&brace) {
                result.push(char::from(brace));
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            if brace == b'}' {
                return Err(Error::raise("ValueError", "Single '}' encountered in format string"));
            }
            let (field, remaining) = split_field(after)?;
            result.push_str(&self.field(field, args, numbering, depth)?);
            rest = remaining;
        }
        result.push_str(rest);
        Ok(result)
    }

    fn field(&mut self, field: &str, args: &Arguments, numbering: &mut Numbering, depth: usize) -> Outcome<String> {
        // A bracket hides what stands in it.
        let mut in_brackets = false;
        let end = field.find(|c| {
            match c {
                '[' => in_brackets = true,
                ']' => in_brackets = false,
                _ => {}
            }
            !in_brackets && (c == '!' || c == ':')
        });
        let (name, options) = field.split_at(end.unwrap_or(field.len()));
        let (conversion, spec) = match options.strip_prefix('!') {
            Some(rest) => {
                let mut chars = rest.chars();
                let conversion = chars.next();
                let spec = chars.as_str();
                if conversion.is_none() || !(spec.is_empty() || spec.starts_with(':')) {
                    return Err(Error::value_error("expected ':' after conversion specifier"));
                }
                (conversion, spec.strip_prefix(':').unwrap_or_default())
            }
            None => (None, options.strip_prefix(':').unwrap_or_default()),
        };
        let value = self.lookup(name, args, numbering)?;
        let value = self.converted(value, conversion)?;
        let spec = if spec.contains('{') || spec.contains('}') {
            self.fill(spec, args, numbering, depth - 1)?
        } else {
            spec.to_owned()
        };
        format_value(self, &value, &spec)
    }

    fn lookup(&mut self, name: &str, args: &Arguments, numbering: &mut Numbering) -> Outcome<Value> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut rest) = name.split_at(end);
        let position = if first.is_empty() {
            let index = match *numbering {
                Numbering::Unknown => 0,
                Numbering::Automatic(next) => next,
                Numbering::Manual => {
                    let text = "cannot switch from manual field specification to automatic field numbering";
                    return Err(Error::raise("ValueError", text));
                }
            };
            *numbering = Numbering::Automatic(index + 1);
            Some(index)
        } else if first.bytes().all(|byte| byte.is_ascii_digit()) {
            if matches!(numbering, Numbering::Automatic(_)) {
                let text = "cannot switch from automatic field numbering to manual field specification";
                return Err(Error::raise("ValueError", text));
            }
            *numbering = Numbering::Manual;
            Some(first.parse().unwrap_or(usize::MAX))
        } else {
            None
        };
        let mut value = match position {
            Some(index) => args.positional.get(index).cloned().ok_or_else(|| {
                let text = format!("Replacement index {index} out of range for positional args tuple");
                Error::raise("IndexError", text)
            })?,
            None => match args.keywords.iter().find(|(known, _)| &**known == first) {
                Some((_, value)) => value.clone(),
                None => return Err(Error::raise_value("KeyError", vec![Value::str(first)])),
            },
        };
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, remaining) = after.split_at(end);
                value = self.attribute(&value, name)?;
                rest = remaining;
            } else if let Some((index, remaining)) = rest.strip_prefix('[').and_then(|after| after.split_once(']')) {
                let index = match index.parse::<i64>() {
                    Ok(number) if index.bytes().all(|byte| byte.is_ascii_digit()) => Value::Int(number),
                    _ => Value::str(index),
                };
                value = self.item(&value, &index)?;
                rest = remaining;
            } else {
                return Err(Error::value_error("the name of a field in a format is not complete"));
            }
        }
        Ok(value)
    }
}

/// A field without its braces, and what follows it.
fn split_field(text: &str) -> Outcome<(&str, &str)> {
    let mut depth = 1;
    let mut in_brackets = false;
    for (index, c) in text.char_indices() {
        match c {
            '[' if depth == 1 => in_brackets = true,
            ']' => in_brackets = false,
            '{' if in_brackets => {}
            '}' if in_brackets => {}
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Ok((&text[..index], &text[index + 1..]));
                }
            }
            _ => {}
        }
    }
    if text.is_empty() {
        return Err(Error::raise("ValueError", "Single '{' encountered in format string"));
    }
    Err(Error::raise("ValueError", "expected '}' before end of string"))
}
