//! Methods that look for a part of a text.

use super::{expect_text, window};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::value::{Str, Value};

/// A part of a text, by offsets in its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    start: usize,
    stop: usize,
}

impl Window {
    /// The part from one index to another; none where it begins behind its end or the text's.
    pub(super) fn new(own: &Str, start: Option<&Value>, stop: Option<&Value>) -> Outcome<Option<Window>> {
        let length = i64::try_from(own.length()).unwrap_or(i64::MAX);
        let bound = |value: Option<&Value>, default: i64| match value {
            None | Some(Value::None) => Ok::<_, Error>(default),
            Some(value) => {
                let number = value.as_int().ok_or_else(|| {
                    Error::type_error("slice indices must be integers or None or have an __index__ method")
                })?;
                Ok(if number < 0 { (number + length).max(0) } else { number })
            }
        };
        let (start, stop) = (bound(start, 0)?, bound(stop, length)?.min(length));
        if start > stop || start > length {
            return Ok(None);
        }
        let offset = |index: i64| own.offset(usize::try_from(index).unwrap_or_default());
        Ok(Some(Window { start: offset(start), stop: offset(stop) }))
    }

    fn of<'t>(&self, own: &'t Str) -> &'t str {
        own.get(self.start..self.stop).unwrap_or_default()
    }
}

pub(super) fn call(own: &Str, name: &str, args: Arguments) -> Outcome<Value> {
    let [part, start, stop] = args.bind(name, ["sub", "start", "end"], 1)?;
    let part = part.unwrap_or(Value::None);
    let window = window(own, start.as_ref(), stop.as_ref())?;
    if matches!(name, "startswith" | "endswith") {
        let starts = |part: &Value| -> Outcome<bool> {
            let Value::Str(part) = part else {
                let found = part.type_name();
                let text = format!("{name} first arg must be str or a tuple of str, not {found}");
                return Err(Error::raise("TypeError", text));
            };
            let Some(window) = window else { return Ok(false) };
            let text = window.of(own);
            Ok(if name == "startswith" { text.starts_with(&**part) } else { text.ends_with(&**part) })
        };
        if let Value::Tuple(parts) = &part {
            for part in parts.iter() {
                if !matches!(part, Value::Str(_)) {
                    return Err(Error::type_error(format!("tuple for {name} must only contain str")));
                }
                if starts(part)? {
                    return Ok(Value::Bool(true));
                }
            }
            return Ok(Value::Bool(false));
        }
        return starts(&part).map(Value::Bool);
    }
    let part = expect_text(&part, name)?;
    let text = window.map(|window| window.of(own));
    if name == "count" {
        let Some(text) = text else { return Ok(Value::Int(0)) };
        let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(&**part).count() };
        return Ok(Value::count(count));
    }
    let found = match name {
        "find" | "index" => text.and_then(|text| text.find(&**part)),
        _ => text.and_then(|text| text.rfind(&**part)),
    };
    match (found, window) {
        (Some(offset), Some(window)) => Ok(Value::count(own.index_of(window.start + offset))),
        _ if matches!(name, "find" | "rfind") => Ok(Value::Int(-1)),
        _ => Err(Error::raise("ValueError", "substring not found")),
    }
}
