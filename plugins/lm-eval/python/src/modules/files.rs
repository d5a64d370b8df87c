//! `os` and `os.path`, as far as they work on texts alone.

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Str, Value};

pub(super) fn os(name: &str) -> Option<Value> {
    Some(match name {
        "getenv" => Value::Native("os.getenv", getenv),
        "path" => Value::Module("os.path".into()),
        "sep" => Value::str("/"),
        "linesep" => Value::str("\n"),
        _ => return None,
    })
}

pub(super) fn path(name: &str) -> Option<Value> {
    Some(match name {
        "dirname" => Value::Native("os.path.dirname", dirname),
        "basename" => Value::Native("os.path.basename", basename),
        "join" => Value::Native("os.path.join", join),
        _ => return None,
    })
}

/// A variable of the environment. What is set there is not part of what a result is known by.
fn getenv(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [name, default] = args.bind("os.getenv", ["key", "default"], 1)?;
    let name = text(&name.unwrap_or(Value::None))?;
    match std::env::var_os(&*name) {
        None => Ok(default.unwrap_or(Value::None)),
        Some(_) => {
            Err(Error::unsupported(format!("the environment variable `{name}`, which is set; unset it: reading it")))
        }
    }
}

fn text(value: &Value) -> Outcome<Str> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        other => {
            let name = other.type_name();
            Err(Error::raise_inexact("TypeError", format!("expected str, bytes or os.PathLike object, not {name}")))
        }
    }
}

/// Where the last part of a path begins.
fn split(path: &str) -> usize {
    path.rfind('/').map_or(0, |slash| slash + 1)
}

fn dirname(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [path] = args.exactly("dirname")?;
    let path = text(&path)?;
    let head = path.get(..split(&path)).unwrap_or_default();
    let trimmed = head.trim_end_matches('/');
    Ok(Value::str(if trimmed.is_empty() { head } else { trimmed }))
}

fn basename(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [path] = args.exactly("basename")?;
    let path = text(&path)?;
    Ok(Value::str(path.get(split(&path)..).unwrap_or_default()))
}

fn join(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    if !args.keywords.is_empty() {
        return Err(Error::unsupported("named arguments of `os.path.join`"));
    }
    let mut joined = String::new();
    for (index, part) in args.positional.iter().enumerate() {
        let part = text(part)?;
        if index == 0 || part.starts_with('/') {
            joined = part.to_string();
        } else {
            if !joined.is_empty() && !joined.ends_with('/') {
                joined.push('/');
            }
            joined.push_str(&part);
        }
    }
    Ok(Value::Str(Str::from(joined)))
}
