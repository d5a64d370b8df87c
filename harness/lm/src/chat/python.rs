//! What templates expect of Python beyond the methods of its types.

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::io::{Result, Write};

/// `json.dumps` with `ensure_ascii=False`, as transformers has it: nothing is escaped for HTML, and a space follows each
/// comma and colon.
pub(super) fn tojson(value: &Value, options: Kwargs) -> std::result::Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let failed = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut document = serde_json::to_value(value).map_err(failed)?;
    if sort_keys == Some(true) {
        document.sort_all_objects();
    }
    let text = match (indent, separators) {
        (Some(indent), None) => write(&document, PrettyFormatter::with_indent(" ".repeat(indent).as_bytes())),
        (None, None) => write(&document, Separators { item: ", ".to_owned(), key: ": ".to_owned() }),
        (None, Some(pair)) => match <[String; 2]>::try_from(pair) {
            Ok([item, key]) => write(&document, Separators { item, key }),
            Err(_) => return Err(Error::new(ErrorKind::InvalidOperation, "`separators` must be a pair of texts")),
        },
        (Some(_), Some(_)) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "`tojson` takes `indent` or `separators`, not both"));
        }
    };
    let text = text.map_err(failed)?;
    Ok(if ensure_ascii == Some(true) { escaped(&text) } else { text })
}

fn write(document: &serde_json::Value, formatter: impl Formatter) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    document.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Outside of ASCII JSON has texts alone, in which every character can be written by its UTF-16 units.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_ascii() {
            true => escaped.push(character),
            false => {
                character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")))
            }
        }
    }
    escaped
}

/// One line, with these texts between items, and between a key and its value.
struct Separators {
    item: String,
    key: String,
}

impl Separators {
    fn between<W: ?Sized + Write>(&self, writer: &mut W, first: bool) -> Result<()> {
        if first { Ok(()) } else { writer.write_all(self.item.as_bytes()) }
    }
}

impl Formatter for Separators {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.between(writer, first)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        self.between(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        writer.write_all(self.key.as_bytes())
    }
}

/// Templates mark the assistant's text with `{% generation %}` and `{% endgeneration %}`, from which transformers makes
/// masks. Here their body is what counts: each becomes a tag without effect that takes the same white space.
pub(super) fn without_generation_tags(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        text.push_str(before);
        rest = tag;
        let Some(end) = tag.find("%}") else { break };
        let word = tag[..end].trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let other = match word {
            "generation" => "with",
            "endgeneration" => "endwith",
            _ => continue,
        };
        text.push_str(&tag[..end].replace(word, other));
        rest = &tag[end..];
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_tags_keep_their_white_space_control() {
        let template = "a {%- generation -%} b {% endgeneration +%} {% set generation = 1 %}{{ '{% x' }}";
        let expected = "a {%- with -%} b {% endwith +%} {% set generation = 1 %}{{ '{% x' }}";
        assert_eq!(without_generation_tags(template), expected);
    }
}
