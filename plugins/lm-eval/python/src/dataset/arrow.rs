//! Types of columns, as Arrow infers them: what a dataset makes of the values that functions return.

use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::value::{Dict, Scalar, Str, Value};

/// The type of a column or of what it contains.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Bool,
    Int,
    Float,
    Text,
    List(Box<Type>),
    Struct(Vec<(Str, Type)>),
}

/// What happens to values of one type in a column of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    /// They are converted, or need no conversion.
    Fits,
    /// The column gets the type of the values.
    Never,
    /// It depends on the values, or on more than is known here.
    Unknown,
}

fn of(value: &Value) -> Outcome<Type> {
    Ok(match value {
        Value::None => Type::Null,
        Value::Bool(_) | Value::Scalar(Scalar::Bool(_)) => Type::Bool,
        Value::Int(_) | Value::Scalar(Scalar::Int(_)) => Type::Int,
        Value::Float(_) | Value::Scalar(Scalar::Float(_)) => Type::Float,
        Value::Str(_) => Type::Text,
        Value::List(items) => Type::List(Box::new(infer(items.borrow().iter())?)),
        Value::Tuple(items) => Type::List(Box::new(infer(items.iter())?)),
        Value::Dict(dict) => {
            let mut fields = Vec::new();
            for (key, value) in dict.borrow().iter() {
                let Value::Str(key) = key else {
                    return Err(Error::unsupported("a dictionary in a dataset with a key that is no text"));
                };
                fields.push((key.clone(), of(value)?));
            }
            // Arrow orders the fields that it infers.
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Type::Struct(fields)
        }
        other => return Err(Error::unsupported(format!("a `{}` in a dataset", other.type_name()))),
    })
}

/// The type of all values together.
pub(super) fn infer<'v>(values: impl Iterator<Item = &'v Value>) -> Outcome<Type> {
    let mut all = Type::Null;
    for value in values {
        all = unite(all, of(value)?)?;
    }
    Ok(all)
}

fn unite(left: Type, right: Type) -> Outcome<Type> {
    Ok(match (left, right) {
        (Type::Null, other) | (other, Type::Null) => other,
        (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
        (Type::List(a), Type::List(b)) => Type::List(Box::new(unite(*a, *b)?)),
        (Type::Struct(mut a), Type::Struct(b)) => {
            for (key, kind) in b {
                match a.iter().position(|(known, _)| *known == key) {
                    Some(index) => {
                        let before = std::mem::replace(&mut a[index].1, Type::Null);
                        a[index].1 = unite(before, kind)?;
                    }
                    None => a.push((key, kind)),
                }
            }
            a.sort_by(|(a, _), (b, _)| a.cmp(b));
            Type::Struct(a)
        }
        (a, b) if a == b => a,
        _ => return Err(Error::unsupported("values of different types in one column of a dataset")),
    })
}

/// Whether values of a type go into a column that has another, as `Dataset.map` tries it.
pub(super) fn cast(from: &Type, to: &Type) -> Cast {
    match (from, to) {
        (a, b) if a == b => Cast::Fits,
        (Type::Null, _) => Cast::Fits,
        // A column of nothing but `None` has a type that is not seen in its values.
        (_, Type::Null) => Cast::Unknown,
        (Type::Int | Type::Float | Type::Bool, Type::Text) => Cast::Never,
        (Type::Int, Type::Float) => Cast::Fits,
        (Type::Int | Type::Float | Type::Bool | Type::Text, Type::Int | Type::Float | Type::Bool) => Cast::Unknown,
        (Type::List(a), Type::List(b)) => cast(a, b),
        (Type::Struct(a), Type::Struct(b)) => {
            let mut result = Cast::Fits;
            for (key, kind) in a {
                match b.iter().find(|(known, _)| known == key) {
                    None => return Cast::Never,
                    Some((_, other)) => match cast(kind, other) {
                        Cast::Fits => {}
                        other if result != Cast::Unknown => result = other,
                        _ => {}
                    },
                }
            }
            result
        }
        _ => Cast::Never,
    }
}

/// A value as a column of a type has it: tuples are lists, and a dictionary has all fields of the column.
pub(super) fn normalize(value: &Value, kind: &Type) -> Value {
    match (value, kind) {
        (Value::Scalar(Scalar::Bool(flag)), _) => Value::Bool(*flag),
        (Value::Int(number) | Value::Scalar(Scalar::Int(number)), Type::Float) => Value::Float(*number as f64),
        (Value::Scalar(Scalar::Int(number)), _) => Value::Int(*number),
        (Value::Scalar(Scalar::Float(number)), _) => Value::Float(*number),
        (Value::List(items), Type::List(kind)) => {
            Value::list(items.borrow().iter().map(|item| normalize(item, kind)).collect())
        }
        (Value::Tuple(items), Type::List(kind)) => {
            Value::list(items.iter().map(|item| normalize(item, kind)).collect())
        }
        (Value::Dict(dict), Type::Struct(fields)) => {
            let dict = dict.borrow();
            let field = |(key, kind): &(Str, Type)| {
                let value = dict.get_str(key).map_or(Value::None, |value| normalize(value, kind));
                (key.clone(), value)
            };
            Value::dict(fields.iter().map(field))
        }
        (other, _) => other.clone(),
    }
}

/// A value that shares nothing with another: each row that is read is a new one.
pub(super) fn fresh(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::list(items.borrow().iter().map(fresh).collect()),
        Value::Dict(dict) => {
            let mut copied = Dict::new();
            for (key, value) in dict.borrow().iter() {
                if let Value::Str(key) = key {
                    copied.insert_str(key.clone(), fresh(value));
                }
            }
            Value::Dict(Rc::new(RefCell::new(copied)))
        }
        other => other.clone(),
    }
}
