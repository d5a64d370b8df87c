//! Methods that split a text.

use super::text::expect_text;
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::unicode;
use crate::value::{Str, Value};

pub(super) fn call(own: &Str, name: &str, args: Arguments) -> Outcome<Value> {
    match name {
        "splitlines" => {
            let [keep] = args.bind(name, ["keepends"], 0)?;
            let keep = keep.is_some_and(|keep| crate::truth(&keep));
            Ok(Value::list(lines(own, keep).into_iter().map(Value::str).collect()))
        }
        "partition" | "rpartition" => {
            let [separator] = args.exactly(name)?;
            let separator = expect_text(&separator, name)?;
            if separator.is_empty() {
                return Err(Error::raise("ValueError", "empty separator"));
            }
            let parts = if name == "partition" {
                match own.split_once(&**separator) {
                    Some((before, after)) => [before, separator, after],
                    None => [&**own, "", ""],
                }
            } else {
                match own.rsplit_once(&**separator) {
                    Some((before, after)) => [before, separator, after],
                    None => ["", "", &**own],
                }
            };
            Ok(Value::tuple(parts.into_iter().map(Value::str).collect()))
        }
        _ => {
            let [separator, limit] = args.bind(name, ["sep", "maxsplit"], 0)?;
            let limit = match limit {
                None => None,
                Some(limit) => {
                    let limit =
                        limit.as_int().ok_or_else(|| Error::type_error("the number of splits must be an integer"))?;
                    usize::try_from(limit).ok()
                }
            };
            let parts = match separator {
                None | Some(Value::None) => {
                    if name == "split" {
                        words(own, limit)
                    } else {
                        words_from_right(own, limit)
                    }
                }
                Some(separator) => {
                    let separator = expect_text(&separator, name)?;
                    if separator.is_empty() {
                        return Err(Error::raise("ValueError", "empty separator"));
                    }
                    match (name, limit) {
                        ("split", None) => own.split(&**separator).collect(),
                        ("split", Some(limit)) => own.splitn(limit.saturating_add(1), &**separator).collect(),
                        (_, limit) => {
                            let count = limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
                            let mut parts: Vec<&str> = own.rsplitn(count, &**separator).collect();
                            parts.reverse();
                            parts
                        }
                    }
                }
            };
            Ok(Value::list(parts.into_iter().map(Value::str).collect()))
        }
    }
}

/// What stands between runs of white space.
fn words(text: &str, limit: Option<usize>) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(unicode::is_space);
    while !rest.is_empty() {
        if limit.is_some_and(|limit| words.len() >= limit) {
            // The rest stays as it is, with the space at its end.
            words.push(rest);
            break;
        }
        let end = rest.find(unicode::is_space).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after.trim_start_matches(unicode::is_space);
    }
    words
}

fn words_from_right(text: &str, limit: Option<usize>) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_end_matches(unicode::is_space);
    while !rest.is_empty() {
        if limit.is_some_and(|limit| words.len() >= limit) {
            words.push(rest);
            break;
        }
        let start = rest.char_indices().rev().find(|(_, c)| unicode::is_space(*c));
        let start = start.map_or(0, |(offset, c)| offset + c.len_utf8());
        let (before, word) = rest.split_at(start);
        words.push(word);
        rest = before.trim_end_matches(unicode::is_space);
    }
    words.reverse();
    words
}

/// Lines, at all that Python takes for their ends.
fn lines(text: &str, keep: bool) -> Vec<&str> {
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(end) = rest.find(is_end) else {
            lines.push(rest);
            break;
        };
        let after = rest.get(end..).unwrap_or_default();
        let length = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        let (line, next) = rest.split_at(end + length);
        lines.push(if keep { line } else { line.get(..end).unwrap_or_default() });
        rest = next;
    }
    lines
}
