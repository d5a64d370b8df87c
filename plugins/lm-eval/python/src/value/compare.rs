//! Equality and order.

use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use num_bigint::BigInt;

use super::{Scalar, Set, Value, View, number};
use crate::error::{Error, Outcome};

/// Python's `==` for values that are built in; a `nan` is equal to nothing, an instance to itself alone.
pub fn equal(left: &Value, right: &Value) -> bool {
    try_equal(left, right).unwrap_or(false)
}

/// Python's `==`.
pub(crate) fn try_equal(left: &Value, right: &Value) -> Outcome<bool> {
    Ok(match (left, right) {
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b) || all_equal(&a.borrow(), &b.borrow())?,
        (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b) || all_equal(a, b)?,
        (Value::Dict(a), Value::Dict(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            let (a, b) = (a.borrow(), b.borrow());
            use super::DictKind::{Counter, Ordered};
            match (&a.kind, &b.kind) {
                (Counter, Counter) => return Err(Error::unsupported("the comparison of two `Counter`s")),
                (Ordered, Ordered) => return Err(Error::unsupported("the comparison of two `OrderedDict`s")),
                _ => {}
            }
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, value) in a.iter() {
                match b.get(key)? {
                    Some(other) if same(value, other)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::View(a, View::Keys), Value::View(b, View::Keys)) => {
            let (a, b) = (a.borrow(), b.borrow());
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, _) in a.iter() {
                if b.get(key)?.is_none() {
                    return Ok(false);
                }
            }
            true
        }
        (Value::View(..), Value::View(..) | Value::Set(_) | Value::FrozenSet(_))
        | (Value::Set(_) | Value::FrozenSet(_), Value::View(..)) => {
            return Err(Error::unsupported("the comparison of a view of a dictionary"));
        }
        (Value::Set(a), Value::Set(b)) => Rc::ptr_eq(a, b) || sets_equal(&a.borrow(), &b.borrow()),
        (Value::Set(a), Value::FrozenSet(b)) | (Value::FrozenSet(b), Value::Set(a)) => sets_equal(&a.borrow(), b),
        (Value::FrozenSet(a), Value::FrozenSet(b)) => sets_equal(a, b),
        (Value::Instance(a), Value::Instance(b)) => a.is_equal(b, same)?,
        (Value::Object(a), Value::Object(b)) if Rc::ptr_eq(a, b) => true,
        (Value::Object(object), other) | (other, Value::Object(object)) => {
            if matches!(other, Value::None) && object.type_name() != "numpy.ndarray" {
                return Ok(false);
            }
            return Err(Error::unsupported(format!("the comparison of a `{}`", object.type_name())));
        }
        _ => key_equal(left, right),
    })
}

/// Equality as containers see it: what is identical is equal.
pub(crate) fn same(left: &Value, right: &Value) -> Outcome<bool> {
    if let (Some(a), Some(b)) = (float_only(left), float_only(right))
        && a.is_nan()
        && b.is_nan()
    {
        return Err(Error::unsupported("the comparison of two `nan` in containers"));
    }
    try_equal(left, right)
}

fn float_only(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) | Value::Scalar(Scalar::Float(number)) => Some(*number),
        _ => None,
    }
}

fn all_equal(left: &[Value], right: &[Value]) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (a, b) in left.iter().zip(right) {
        if !same(a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn sets_equal(left: &Set, right: &Set) -> bool {
    left.len() == right.len() && left.keys().all(|key| right.has(key))
}

/// Whether a list or a tuple has a value.
pub(crate) fn contains(items: &[Value], value: &Value) -> Outcome<bool> {
    for item in items {
        if same(item, value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Equality of values that can be keys.
pub(crate) fn key_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::None, Value::None) | (Value::Ellipsis, Value::Ellipsis) => true,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Tuple(a), Value::Tuple(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b)),
        (Value::FrozenSet(a), Value::FrozenSet(b)) => sets_equal(a, b),
        (Value::Range(a, b, c), Value::Range(x, y, z)) => {
            let (left, right) = (crate::types::range_length(*a, *b, *c), crate::types::range_length(*x, *y, *z));
            left == right && (left == 0 || a == x && (left == 1 || c == z))
        }
        (Value::Type(a) | Value::ExceptionType(a), Value::Type(b) | Value::ExceptionType(b)) => a == b,
        (Value::Class(a), Value::Class(b)) => Rc::ptr_eq(a, b),
        (Value::Function(a), Value::Function(b)) => Rc::ptr_eq(a, b),
        (Value::Native(a, _), Value::Native(b, _)) => a == b,
        (Value::Instance(a), Value::Instance(b)) => Rc::ptr_eq(a, b),
        (Value::Exception(a), Value::Exception(b)) => Rc::ptr_eq(a, b),
        (Value::Hook(a), Value::Hook(b)) => Arc::ptr_eq(a, b),
        (Value::Module(a), Value::Module(b)) => a == b,
        _ => numbers(left, right) == Some(Ordering::Equal),
    }
}

/// The order of two numbers; none where one is no number or not a number.
fn numbers(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        return Some(a.cmp(&b));
    }
    match (float_only(left), float_only(right)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        (None, None) => Some(big(left)?.cmp(&big(right)?)),
        (Some(a), None) => float_and_int(a, &big(right)?),
        (None, Some(b)) => float_and_int(b, &big(left)?).map(Ordering::reverse),
    }
}

fn big(value: &Value) -> Option<BigInt> {
    match value {
        Value::Big(number) => Some((**number).clone()),
        other => other.as_int().map(BigInt::from),
    }
}

fn float_and_int(float: f64, int: &BigInt) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.is_infinite() {
        return Some(if float > 0.0 { Ordering::Greater } else { Ordering::Less });
    }
    let whole = match number::int_of_float(float.trunc()) {
        Some(Value::Int(whole)) => BigInt::from(whole),
        Some(Value::Big(whole)) => (*whole).clone(),
        _ => return None,
    };
    Some(whole.cmp(int).then_with(|| float.fract().partial_cmp(&0.0).unwrap_or(Ordering::Equal)))
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) | Value::Scalar(_))
}

/// Python's `<` and its kin: the order, none where a `nan` is compared.
pub(crate) fn order(left: &Value, right: &Value, sign: &str) -> Outcome<Option<Ordering>> {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => Ok(Some(a.cmp(b))),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Some(a.cmp(b))),
        (Value::List(a), Value::List(b)) => sequences(&a.borrow(), &b.borrow(), sign),
        (Value::Tuple(a), Value::Tuple(b)) => sequences(a, b, sign),
        _ if is_number(left) && is_number(right) => Ok(numbers(left, right)),
        (Value::Object(_) | Value::Instance(_), _) | (_, Value::Object(_) | Value::Instance(_)) => {
            Err(Error::unsupported(format!("`{sign}` between `{}` and `{}`", left.type_name(), right.type_name())))
        }
        _ => {
            let (left, right) = (left.type_name(), right.type_name());
            let text = format!("'{sign}' not supported between instances of '{left}' and '{right}'");
            Err(Error::raise("TypeError", text))
        }
    }
}

fn sequences(left: &[Value], right: &[Value], sign: &str) -> Outcome<Option<Ordering>> {
    for (a, b) in left.iter().zip(right) {
        if !same(a, b)? {
            return order(a, b, sign);
        }
    }
    Ok(Some(left.len().cmp(&right.len())))
}
