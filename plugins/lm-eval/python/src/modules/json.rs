//! `json`.

mod read;
mod write;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Str, Value};

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "load" => Value::Native("json.load", load),
        "loads" => Value::Native("json.loads", loads),
        "dumps" => Value::Native("json.dumps", dumps),
        "JSONDecodeError" => Value::ExceptionType("JSONDecodeError"),
        "decoder" => return None,
        _ => return None,
    })
}

fn loads(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [text] = args.exactly("json.loads")?;
    match &text {
        Value::Str(text) => read::read(text),
        Value::Bytes(_) => Err(Error::unsupported("`json.loads` of bytes")),
        other => {
            let name = other.type_name();
            let text = format!("the JSON object must be str, bytes or bytearray, not {name}");
            Err(Error::raise("TypeError", text))
        }
    }
}

/// `json.load(file)`.
fn load(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [file] = args.exactly("json.load")?;
    match super::pathlib::text_of(&file) {
        Some(text) => read::read(&text),
        None => Err(Error::unsupported(format!("`json.load` of a `{}`", file.type_name()))),
    }
}

fn dumps(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let names = ["obj", "ensure_ascii", "indent", "separators", "sort_keys"];
    if args.positional.len() > 1 {
        return Err(Error::type_error("dumps() takes 1 positional argument"));
    }
    let [value, ascii, indent, separators, sort] = args.bind("json.dumps", names, 1)?;
    let indent = match indent {
        None | Some(Value::None) => None,
        Some(Value::Str(text)) => Some(text.to_string()),
        Some(other) => {
            let width = other.as_int().ok_or_else(|| Error::type_error("the indent must be an integer"))?;
            Some(" ".repeat(usize::try_from(width).unwrap_or_default()))
        }
    };
    let mut options = write::Options {
        ascii: ascii.is_none_or(|ascii| crate::truth(&ascii)),
        item: if indent.is_some() { ",".to_owned() } else { ", ".to_owned() },
        key: ": ".to_owned(),
        sort: sort.is_some_and(|sort| crate::truth(&sort)),
        indent,
    };
    if let Some(separators) = separators.filter(|separators| !matches!(separators, Value::None)) {
        let parts = session.collect(&separators)?;
        let [Value::Str(item), Value::Str(key)] = parts.as_slice() else {
            return Err(Error::type_error("the separators must be two texts"));
        };
        (options.item, options.key) = (item.to_string(), key.to_string());
    }
    let text = write::write(session, &value.unwrap_or(Value::None), &options)?;
    Ok(Value::Str(Str::from(text)))
}
