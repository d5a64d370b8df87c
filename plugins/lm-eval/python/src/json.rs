//! Values as JSON, and back.

use num_bigint::BigInt;
use serde_json::{Map, Number, Value as Json};

use crate::error::Error;
use crate::value::{Scalar, Str, Value};

/// The value that `json.loads` makes of JSON.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::Str(Str::from(text.as_str())),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            Value::dict(entries.iter().map(|(key, value)| (Str::from(key.as_str()), from_json(value))))
        }
    }
}

fn from_number(number: &Number) -> Value {
    if let Some(whole) = number.as_i64() {
        return Value::Int(whole);
    }
    if let Some(whole) = number.as_u64() {
        return Value::int(BigInt::from(whole));
    }
    Value::Float(number.as_f64().unwrap_or(f64::NAN))
}

/// A value as JSON: tuples become lists.
///
/// # Errors
/// When JSON has no such value: a set, a key that is no text, an infinite number.
pub fn to_json(value: &Value) -> Result<Json, Error> {
    let refuse = || Err(Error::unsupported(format!("a `{}` as JSON", value.type_name())));
    Ok(match value {
        Value::None => Json::Null,
        Value::Bool(flag) | Value::Scalar(Scalar::Bool(flag)) => Json::Bool(*flag),
        Value::Int(number) | Value::Scalar(Scalar::Int(number)) => Json::from(*number),
        Value::Big(number) => match u64::try_from(&**number) {
            Ok(number) => Json::from(number),
            Err(_) => return refuse(),
        },
        Value::Float(number) | Value::Scalar(Scalar::Float(number)) => match Number::from_f64(*number) {
            Some(number) => Json::Number(number),
            None => return refuse(),
        },
        Value::Str(text) => Json::String(text.to_string()),
        Value::List(items) => Json::Array(items.borrow().iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Tuple(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Dict(dict) => {
            let mut entries = Map::new();
            for (key, value) in dict.borrow().iter() {
                let Value::Str(key) = key else {
                    return Err(Error::unsupported(format!("a key of type `{}` as JSON", key.type_name())));
                };
                entries.insert(key.to_string(), to_json(value)?);
            }
            Json::Object(entries)
        }
        _ => return refuse(),
    })
}
