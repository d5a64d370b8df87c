//! Keys of dictionaries and members of sets: values with an equality that has no errors.

use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use super::{Scalar, Set, Str, Value, number};
use crate::error::{Error, Outcome};

/// A value that may be a key.
#[derive(Debug, Clone)]
pub(crate) struct Key(Value);

impl Key {
    /// The value as a key.
    pub(crate) fn new(value: Value) -> Outcome<Key> {
        check(&value)?;
        Ok(Key(value))
    }

    pub(crate) fn str(text: Str) -> Key {
        Key(Value::Str(text))
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn into_value(self) -> Value {
        self.0
    }
}

fn check(value: &Value) -> Outcome<()> {
    match value {
        Value::Float(number) | Value::Scalar(Scalar::Float(number)) if number.is_nan() => {
            Err(Error::unsupported("a `nan` as a key or in a set"))
        }
        Value::None | Value::Ellipsis | Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => Ok(()),
        Value::Scalar(_) | Value::Str(_) | Value::Bytes(_) | Value::FrozenSet(_) | Value::Range(..) => Ok(()),
        Value::Tuple(items) => items.iter().try_for_each(check),
        Value::List(_) | Value::Dict(_) | Value::Set(_) | Value::Slice(_) => {
            Err(Error::raise("TypeError", format!("unhashable type: '{}'", value.type_name())))
        }
        Value::Type(_) | Value::ExceptionType(_) | Value::Class(_) | Value::Function(_) | Value::Native(..) => Ok(()),
        Value::Instance(instance) if instance.is_unhashable() => {
            Err(Error::raise("TypeError", format!("unhashable type: '{}'", instance.class.name())))
        }
        Value::Instance(_) | Value::Module(_) => Ok(()),
        _ => Err(Error::unsupported(format!("a `{}` as a key or in a set", value.type_name()))),
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        super::compare::key_equal(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0, state);
    }
}

fn hash<H: Hasher>(value: &Value, state: &mut H) {
    match value {
        Value::Bool(flag) | Value::Scalar(Scalar::Bool(flag)) => i64::from(*flag).hash(state),
        Value::Int(number) | Value::Scalar(Scalar::Int(number)) => number.hash(state),
        Value::Float(float) | Value::Scalar(Scalar::Float(float)) => match number::int_of_float(*float) {
            Some(Value::Int(whole)) => whole.hash(state),
            Some(Value::Big(whole)) => whole.hash(state),
            _ => float.to_bits().hash(state),
        },
        Value::Big(number) => number.hash(state),
        Value::Str(text) => text.hash(state),
        Value::Bytes(bytes) => bytes.hash(state),
        Value::Tuple(items) => items.iter().for_each(|item| hash(item, state)),
        Value::FrozenSet(set) => hash_set(set, state),
        Value::Range(start, stop, step) => crate::types::range_length(*start, *stop, *step).hash(state),
        Value::Type(name) | Value::ExceptionType(name) => name.hash(state),
        Value::Class(class) => Rc::as_ptr(class).hash(state),
        Value::Function(function) => Rc::as_ptr(function).hash(state),
        Value::Native(name, _) => name.hash(state),
        Value::Instance(instance) => Rc::as_ptr(instance).hash(state),
        Value::Hook(hook) => Arc::as_ptr(hook).hash(state),
        _ => 0_u8.hash(state),
    }
}

/// Members in any order have the same hash.
fn hash_set<H: Hasher>(set: &Set, state: &mut H) {
    set.len().hash(state);
}
