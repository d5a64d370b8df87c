//! `json.dumps`.

use crate::error::{Error, Outcome};
use crate::run::Session;
use crate::types;
use crate::value::{DictKind, Scalar, Str, Value, float_repr};

pub(super) struct Options {
    pub(super) ascii: bool,
    pub(super) item: String,
    pub(super) key: String,
    pub(super) sort: bool,
    pub(super) indent: Option<String>,
}

pub(super) fn write(session: &mut Session, value: &Value, options: &Options) -> Outcome<String> {
    let mut text = String::new();
    put(session, value, options, 0, &mut text)?;
    Ok(text)
}

fn number(float: f64) -> String {
    if float.is_nan() {
        "NaN".to_owned()
    } else if float.is_infinite() {
        if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        float_repr(float)
    }
}

fn put(session: &mut Session, value: &Value, options: &Options, depth: usize, to: &mut String) -> Outcome<()> {
    if depth > 200 {
        return Err(Error::limit("a value is nested too deep, more than 200 levels, for JSON"));
    }
    session.fits(to.len())?;
    match value {
        Value::None => to.push_str("null"),
        Value::Bool(flag) => to.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => to.push_str(&number.to_string()),
        Value::Big(number) => to.push_str(&number.to_string()),
        Value::Float(float) | Value::Scalar(Scalar::Float(float)) => to.push_str(&number(*float)),
        Value::Str(text) => quote(text, options.ascii, to),
        Value::List(_) | Value::Tuple(_) => {
            let items = session.collect(value)?;
            to.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, options, depth + 1, to);
                put(session, item, options, depth + 1, to)?;
            }
            close(items.is_empty(), options, depth, to);
            to.push(']');
        }
        Value::Dict(dict) if matches!(dict.borrow().kind, DictKind::Row) => {
            return Err(Error::raise("TypeError", "Object of type LazyRow is not JSON serializable"));
        }
        Value::Dict(_) => {
            let mut entries = session.entries(value)?;
            if options.sort {
                let keys = entries.iter().map(|(key, _)| key.clone()).collect();
                let keys = types::sorted(session, keys, None, None)?;
                let mut sorted = Vec::new();
                for key in keys {
                    let value = session.item(value, &key)?;
                    sorted.push((key, value));
                }
                entries = sorted;
            }
            to.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                separate(index, options, depth + 1, to);
                quote(&key_text(key)?, options.ascii, to);
                to.push_str(&options.key);
                put(session, item, options, depth + 1, to)?;
            }
            close(entries.is_empty(), options, depth, to);
            to.push('}');
        }
        Value::Instance(_) | Value::Object(_) => {
            return Err(Error::unsupported(format!("`json.dumps` of a `{}`", value.type_name())));
        }
        other => {
            let name = match other {
                Value::Scalar(Scalar::Int(_)) => "int64",
                Value::Scalar(_) => "bool",
                other => other.type_name(),
            };
            return Err(Error::raise("TypeError", format!("Object of type {name} is not JSON serializable")));
        }
    }
    Ok(())
}

fn key_text(key: &Value) -> Outcome<Str> {
    Ok(match key {
        Value::Str(text) => text.clone(),
        Value::None => Str::from("null"),
        Value::Bool(flag) => Str::from(if *flag { "true" } else { "false" }),
        Value::Int(number) => Str::from(number.to_string()),
        Value::Big(number) => Str::from(number.to_string()),
        Value::Float(float) => Str::from(number(*float)),
        other => {
            let name = other.type_name();
            let text = format!("keys must be str, int, float, bool or None, not {name}");
            return Err(Error::raise("TypeError", text));
        }
    })
}

fn line(options: &Options, depth: usize, to: &mut String) {
    if let Some(indent) = &options.indent {
        to.push('\n');
        to.push_str(&indent.repeat(depth));
    }
}

fn separate(index: usize, options: &Options, depth: usize, to: &mut String) {
    if index > 0 {
        to.push_str(&options.item);
    }
    line(options, depth, to);
}

fn close(empty: bool, options: &Options, depth: usize, to: &mut String) {
    if !empty {
        line(options, depth, to);
    }
}

fn quote(text: &str, ascii: bool, to: &mut String) {
    to.push('"');
    for c in text.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\u{8}' => to.push_str("\\b"),
            '\u{c}' => to.push_str("\\f"),
            c if c < ' ' || ascii && !(' '..='~').contains(&c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    to.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => to.push(c),
        }
    }
    to.push('"');
}
