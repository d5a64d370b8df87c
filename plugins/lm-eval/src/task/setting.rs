//! Settings of a task as plain values of Rust, with what is wrong in words.

use crate::{FunctionName, Setting};
use serde_json::{Map, Number, Value};

/// Why a task cannot be read: a phrase that goes on from "it has".
pub type Refused = String;

impl Setting {
    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Setting::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The function, if it is one.
    pub(crate) fn as_function(&self) -> Option<&FunctionName> {
        match self {
            Setting::Function(function) => Some(function),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    pub(crate) fn as_map(&self) -> Option<&[(String, Setting)]> {
        match self {
            Setting::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub(crate) fn as_list(&self) -> Option<&[Setting]> {
        match self {
            Setting::List(items) => Some(items),
            _ => None,
        }
    }

    /// The number, if it is one; true is 1, as in Python.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Setting::Int(number) => Some(*number as f64),
            Setting::Float(number) => Some(*number),
            Setting::Bool(truth) => Some(f64::from(u8::from(*truth))),
            _ => None,
        }
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> String {
        match self {
            Setting::Null => "null".to_owned(),
            Setting::Bool(truth) => truth.to_string(),
            Setting::Int(number) => format!("the number {number}"),
            Setting::Float(number) => format!("the number {number}"),
            Setting::Text(text) => format!("the text `{text}`"),
            Setting::List(_) => "a list".to_owned(),
            Setting::Map(_) => "a mapping".to_owned(),
            Setting::Function(function) => format!("the function `{}`", function.name),
        }
    }

    /// What JSON says.
    pub(crate) fn of_json(json: &Value) -> Self {
        match json {
            Value::Null => Setting::Null,
            Value::Bool(truth) => Setting::Bool(*truth),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Setting::Int(whole),
                None => Setting::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Setting::Text(text.clone()),
            Value::Array(items) => Setting::List(items.iter().map(Setting::of_json).collect()),
            Value::Object(entries) => {
                Setting::Map(entries.iter().map(|(key, value)| (key.clone(), Setting::of_json(value))).collect())
            }
        }
    }

    /// As JSON, in which no function has a place.
    pub(crate) fn to_json(&self) -> Result<Value, Refused> {
        Ok(match self {
            Setting::Null => Value::Null,
            Setting::Bool(truth) => Value::Bool(*truth),
            Setting::Int(number) => Value::from(*number),
            Setting::Float(number) => match Number::from_f64(*number) {
                Some(number) => Value::Number(number),
                None => return Err(format!("the number `{number}` in a list or a mapping")),
            },
            Setting::Text(text) => Value::String(text.clone()),
            Setting::List(items) => Value::Array(items.iter().map(Setting::to_json).collect::<Result<_, _>>()?),
            Setting::Map(entries) => Value::Object(json_map(entries)?),
            Setting::Function(function) => {
                return Err(format!("the function `{}` in a list or a mapping", function.name));
            }
        })
    }
}

/// Entries as JSON.
pub(crate) fn json_map<'a>(
    entries: impl IntoIterator<Item = &'a (String, Setting)>,
) -> Result<Map<String, Value>, Refused> {
    entries.into_iter().map(|(key, value)| Ok((key.clone(), value.to_json()?))).collect()
}

/// A text, where there is one.
pub(crate) fn text(name: &str, setting: Option<&Setting>) -> Result<Option<String>, Refused> {
    match setting {
        None | Some(Setting::Null) => Ok(None),
        Some(Setting::Text(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{} as `{name}`, expected a text", other.kind())),
    }
}

/// A function, where there is one.
pub(crate) fn function(name: &str, setting: Option<&Setting>) -> Result<Option<FunctionName>, Refused> {
    match setting {
        None | Some(Setting::Null) => Ok(None),
        Some(Setting::Function(function)) => Ok(Some(function.clone())),
        Some(other) => Err(format!("{} as `{name}`, expected a function", other.kind())),
    }
}
