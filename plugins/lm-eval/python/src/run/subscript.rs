//! Items and slices.

use std::rc::Rc;

use super::Session;
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::value::{DictKind, Scalar, Str, Value};

/// The index of an item in a sequence; none where it is outside.
pub(crate) fn resolve_index(index: i64, length: usize) -> Option<usize> {
    let length_signed = i64::try_from(length).ok()?;
    let index = if index < 0 { index.checked_add(length_signed)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// The whole number that an index is.
pub(crate) fn index_of(index: &Value, container: &str) -> Outcome<i64> {
    match index {
        Value::Int(_) | Value::Bool(_) | Value::Scalar(Scalar::Int(_)) => Ok(index.as_int().unwrap_or_default()),
        Value::Big(_) => Err(Error::raise("IndexError", "cannot fit 'int' into an index-sized integer")),
        Value::Instance(_) | Value::Object(_) | Value::Scalar(_) => {
            Err(Error::unsupported(format!("a `{}` as an index", index.type_name())))
        }
        _ if container == "string" => {
            Err(Error::raise("TypeError", format!("string indices must be integers, not '{}'", index.type_name())))
        }
        _ => {
            let name = index.type_name();
            Err(Error::raise("TypeError", format!("{container} indices must be integers or slices, not {name}")))
        }
    }
}

/// The indices that a slice takes from a sequence.
pub(crate) fn slice_bounds(parts: &[Value; 3], length: usize) -> Outcome<Vec<usize>> {
    let (start, stop, step) = slice_range(parts, length)?;
    let mut indices = Vec::new();
    let mut index = start;
    while if step > 0 { index < stop } else { index > stop } {
        indices.push(usize::try_from(index).unwrap_or_default());
        match index.checked_add(step) {
            Some(next) => index = next,
            None => break,
        }
    }
    Ok(indices)
}

fn slice_range(parts: &[Value; 3], length: usize) -> Outcome<(i64, i64, i64)> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let bound = |value: &Value| match value {
        Value::None => Ok(None),
        Value::Int(_) | Value::Bool(_) | Value::Scalar(Scalar::Int(_)) => Ok(value.as_int()),
        Value::Big(number) => Ok(Some(if number.sign() == num_bigint::Sign::Minus { i64::MIN } else { i64::MAX })),
        Value::Instance(_) | Value::Object(_) => Err(Error::unsupported("this kind of bound of a slice")),
        _ => {
            let text = "slice indices must be integers or None or have an __index__ method";
            Err(Error::raise("TypeError", text))
        }
    };
    let step = bound(&parts[2])?.unwrap_or(1);
    if step == 0 {
        return Err(Error::raise("ValueError", "slice step cannot be zero"));
    }
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |value: Option<i64>, default: i64| match value {
        None => default,
        Some(value) if value < 0 => value.saturating_add(length).max(low),
        Some(value) => value.min(high),
    };
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    Ok((clamp(bound(&parts[0])?, first), clamp(bound(&parts[1])?, last), step))
}

/// The text that a slice takes.
fn slice_text(text: &Str, parts: &[Value; 3]) -> Outcome<Value> {
    let (start, stop, step) = slice_range(parts, text.length())?;
    let index = |number: i64| usize::try_from(number).unwrap_or_default();
    if step == 1 {
        return Ok(Value::str(text.between(index(start), index(stop))));
    }
    let chars: Vec<char> = text.chars().collect();
    let indices = slice_bounds(parts, chars.len())?;
    Ok(Value::Str(Str::from(indices.into_iter().map(|index| chars[index]).collect::<String>())))
}

impl Session {
    /// `object[index]`.
    pub(crate) fn item(&mut self, object: &Value, index: &Value) -> Outcome<Value> {
        match (object, index) {
            (Value::Dict(dict), _) => {
                let found = dict.borrow().get(index)?.cloned();
                match found {
                    Some(value) => Ok(value),
                    None => self.missing(object, index),
                }
            }
            (Value::List(items), Value::Slice(parts)) => {
                let items = items.borrow();
                let indices = slice_bounds(parts, items.len())?;
                Ok(Value::list(indices.into_iter().map(|index| items[index].clone()).collect()))
            }
            (Value::List(items), _) => {
                let items = items.borrow();
                let index = index_of(index, "list")?;
                resolve_index(index, items.len())
                    .map(|index| items[index].clone())
                    .ok_or_else(|| Error::raise("IndexError", "list index out of range"))
            }
            (Value::Tuple(items), Value::Slice(parts)) => {
                let indices = slice_bounds(parts, items.len())?;
                Ok(Value::tuple(indices.into_iter().map(|index| items[index].clone()).collect()))
            }
            (Value::Tuple(items), _) => {
                let index = index_of(index, "tuple")?;
                resolve_index(index, items.len())
                    .map(|index| items[index].clone())
                    .ok_or_else(|| Error::raise("IndexError", "tuple index out of range"))
            }
            (Value::Str(text), Value::Slice(parts)) => slice_text(text, parts),
            (Value::Str(text), _) => {
                let index = index_of(index, "string")?;
                resolve_index(index, text.length())
                    .and_then(|index| text.at(index))
                    .map(|c| Value::str(c.encode_utf8(&mut [0; 4])))
                    .ok_or_else(|| Error::raise("IndexError", "string index out of range"))
            }
            (Value::Range(start, stop, step), Value::Slice(_)) => {
                let _ = (start, stop, step);
                Err(Error::unsupported("a slice of a range"))
            }
            (Value::Range(start, stop, step), _) => {
                let index = index_of(index, "range")?;
                resolve_index(index, crate::types::range_length(*start, *stop, *step))
                    .and_then(|index| i64::try_from(index).ok())
                    .map(|index| Value::Int(start + index * step))
                    .ok_or_else(|| Error::raise("IndexError", "range object index out of range"))
            }
            (Value::Bytes(bytes), Value::Slice(parts)) => {
                let indices = slice_bounds(parts, bytes.len())?;
                Ok(Value::Bytes(indices.into_iter().map(|index| bytes[index]).collect::<Vec<u8>>().into()))
            }
            (Value::Bytes(bytes), _) => {
                let index = index_of(index, "byte")?;
                resolve_index(index, bytes.len())
                    .map(|index| Value::Int(i64::from(bytes[index])))
                    .ok_or_else(|| Error::raise("IndexError", "index out of range"))
            }
            (Value::Object(object), _) => Rc::clone(object).item(self, index),
            (Value::Type(_), _) => Ok(object.clone()),
            (Value::Instance(instance), _) => match instance.class.find("__getitem__") {
                Some(method) => self.invoke(&method, Arguments::of(vec![object.clone(), index.clone()])),
                None => Err(not_subscriptable(object)),
            },
            (Value::Class(_), _) => Err(Error::unsupported("an item of a class")),
            _ => Err(not_subscriptable(object)),
        }
    }

    /// What a dictionary has under a key that is missing.
    fn missing(&mut self, object: &Value, key: &Value) -> Outcome<Value> {
        let Value::Dict(dict) = object else { return Ok(Value::None) };
        let kind = dict.borrow().kind.clone();
        match kind {
            DictKind::Counter => Ok(Value::Int(0)),
            DictKind::Default(factory) if !matches!(factory, Value::None) => {
                let value = self.invoke(&factory, Arguments::default())?;
                dict.borrow_mut().insert(key.clone(), value.clone())?;
                Ok(value)
            }
            _ => Err(Error::raise_value("KeyError", vec![key.clone()])),
        }
    }

    pub(crate) fn set_item(&mut self, object: &Value, index: Value, value: Value) -> Outcome<()> {
        match object {
            Value::Dict(dict) => {
                dict.borrow_mut().insert(index, value)?;
                Ok(())
            }
            Value::List(items) => {
                if let Value::Slice(parts) = &index {
                    let new = self.collect(&value)?;
                    return set_slice(&mut items.borrow_mut(), parts, new);
                }
                let number = index_of(&index, "list")?;
                let mut items = items.borrow_mut();
                match resolve_index(number, items.len()) {
                    Some(index) => items[index] = value,
                    None => return Err(Error::raise("IndexError", "list assignment index out of range")),
                }
                Ok(())
            }
            Value::Object(known) if known.type_name() == "globals" => {
                match known.as_any().downcast_ref::<super::globals::Globals>() {
                    Some(globals) => self.set_dynamic(globals.0, &index, value),
                    None => Ok(()),
                }
            }
            Value::Object(_) | Value::Instance(_) => {
                Err(Error::unsupported(format!("an assignment to an item of a `{}`", object.type_name())))
            }
            other => {
                let text = format!("'{}' object does not support item assignment", other.type_name());
                Err(Error::raise("TypeError", text))
            }
        }
    }

    pub(super) fn delete_item(&mut self, object: &Value, index: &Value) -> Outcome<()> {
        match object {
            Value::Dict(dict) => match dict.borrow_mut().remove(index)? {
                Some(_) => Ok(()),
                None => Err(Error::raise_value("KeyError", vec![index.clone()])),
            },
            Value::List(items) => {
                if let Value::Slice(parts) = index {
                    let mut items = items.borrow_mut();
                    let mut indices = slice_bounds(parts, items.len())?;
                    indices.sort_unstable();
                    for index in indices.into_iter().rev() {
                        items.remove(index);
                    }
                    return Ok(());
                }
                let number = index_of(index, "list")?;
                let mut items = items.borrow_mut();
                match resolve_index(number, items.len()) {
                    Some(index) => {
                        items.remove(index);
                        Ok(())
                    }
                    None => Err(Error::raise("IndexError", "list assignment index out of range")),
                }
            }
            other => Err(Error::unsupported(format!("`del` of an item of a `{}`", other.type_name()))),
        }
    }
}

fn set_slice(items: &mut Vec<Value>, parts: &[Value; 3], new: Vec<Value>) -> Outcome<()> {
    let (start, stop, step) = slice_range(parts, items.len())?;
    if step == 1 {
        let start = usize::try_from(start).unwrap_or_default();
        let stop = usize::try_from(stop).unwrap_or_default().max(start);
        items.splice(start..stop, new);
        return Ok(());
    }
    let indices = slice_bounds(parts, items.len())?;
    if indices.len() != new.len() {
        let text =
            format!("attempt to assign sequence of size {} to extended slice of size {}", new.len(), indices.len());
        return Err(Error::raise("ValueError", text));
    }
    for (index, value) in indices.into_iter().zip(new) {
        items[index] = value;
    }
    Ok(())
}

fn not_subscriptable(object: &Value) -> Error {
    Error::raise("TypeError", format!("'{}' object is not subscriptable", object.type_name()))
}
