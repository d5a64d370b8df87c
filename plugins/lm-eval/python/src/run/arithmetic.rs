//! Operators.

mod scalar;

use std::sync::Arc;

use num_bigint::{BigInt, Sign};
use num_traits::{ToPrimitive, Zero};

use super::Session;
use crate::error::{Error, Outcome};
use crate::program::ir::Binary;
use crate::value::{DictKind, Scalar, Set, Str, Value, float_of_big};

/// `left operator right`.
pub(crate) fn binary(session: &mut Session, operator: Binary, left: &Value, right: &Value) -> Outcome<Value> {
    use Binary::{Add, And, Modulo, Multiply, Or, Subtract, Xor};
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            if let Some(result) = small(operator, *a, *b) {
                return Ok(Value::Int(result));
            }
            int_operator(session, operator, &BigInt::from(*a), &BigInt::from(*b))
        }
        (Value::Float(a), Value::Float(b)) => float_operator(operator, *a, *b),
        (Value::Str(a), Value::Str(b)) if operator == Add => {
            session.fits(a.len() + b.len())?;
            let mut text = String::with_capacity(a.len() + b.len());
            text.push_str(a);
            text.push_str(b);
            Ok(Value::Str(Str::from(text)))
        }
        (Value::Str(text), _) if operator == Modulo => super::percent::percent(session, text, right),
        (Value::Object(object), _) | (_, Value::Object(object)) if object.type_name() == "numpy.ndarray" => {
            crate::modules::numpy_binary(operator, left, right)
        }
        (Value::Bool(a), Value::Bool(b)) if matches!(operator, And | Or | Xor) => Ok(Value::Bool(match operator {
            And => a & b,
            Or => a | b,
            _ => a ^ b,
        })),
        (Value::List(a), Value::List(b)) if operator == Add => {
            let (a, b) = (a.borrow(), b.borrow());
            session.fits(a.len() + b.len())?;
            Ok(Value::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::Tuple(a), Value::Tuple(b)) if operator == Add => {
            Ok(Value::tuple(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::Bytes(a), Value::Bytes(b)) if operator == Add => Ok(Value::Bytes([&**a, &**b].concat().into())),
        (Value::Dict(a), Value::Dict(b)) if matches!(operator, Add | Subtract | Or | And) => {
            if a.borrow().kind.type_name() == "Counter" || b.borrow().kind.type_name() == "Counter" {
                return crate::types::counter_operator(operator, left, right);
            }
            if operator != Or || !matches!((&a.borrow().kind, &b.borrow().kind), (DictKind::Plain, DictKind::Plain)) {
                return Err(mismatch(operator, left, right));
            }
            let mut result = a.borrow().clone();
            for (key, value) in b.borrow().iter() {
                result.insert(key.clone(), value.clone())?;
            }
            Ok(Value::Dict(std::rc::Rc::new(std::cell::RefCell::new(result))))
        }
        (Value::Set(_) | Value::FrozenSet(_), Value::Set(_) | Value::FrozenSet(_))
            if matches!(operator, Subtract | Or | And | Xor) =>
        {
            set_operator(operator, left, right)
        }
        (Value::View(..), Value::View(..) | Value::Set(_)) | (Value::Set(_), Value::View(..))
            if matches!(operator, Subtract | Or | And | Xor) =>
        {
            Err(Error::unsupported("operators on views of dictionaries"))
        }
        (Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Bytes(_), _) if operator == Multiply => {
            repeat(session, left, right)
        }
        (_, Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Bytes(_)) if operator == Multiply => {
            repeat(session, right, left)
        }
        (Value::Object(object), Value::Str(_)) if operator == Binary::Divide && object.type_name() == "PosixPath" => {
            crate::modules::path_join(left, right)
        }
        (Value::Bytes(_), _) if operator == Modulo => Err(Error::unsupported("`%` of bytes")),
        (Value::Scalar(_), _) | (_, Value::Scalar(_)) => scalar::scalar_operator(operator, left, right),
        (Value::Instance(_) | Value::Class(_) | Value::Type(_) | Value::Object(_), _)
        | (_, Value::Instance(_) | Value::Object(_)) => {
            let (a, b) = (left.type_name(), right.type_name());
            Err(Error::unsupported(format!("`{}` between `{a}` and `{b}`", operator.sign())))
        }
        _ => numbers(session, operator, left, right),
    }
}

fn numbers(session: &mut Session, operator: Binary, left: &Value, right: &Value) -> Outcome<Value> {
    if let (Some(a), Some(b)) = (int(left), int(right)) {
        if let (Some(a), Some(b)) = (left.as_int(), right.as_int())
            && let Some(result) = small(operator, a, b)
        {
            return Ok(Value::Int(result));
        }
        return int_operator(session, operator, &a, &b);
    }
    let is_float = |value: &Value| matches!(value, Value::Float(_));
    let is_number = |value: &Value| is_float(value) || int(value).is_some();
    if is_number(left) && is_number(right) && (is_float(left) || is_float(right)) {
        return match (left.as_float(), right.as_float()) {
            (Some(a), Some(b)) => float_operator(operator, a, b).map_err(|error| match error {
                Error::Exception(raised) if raised.exception.is_a("TypeError") => mismatch(operator, left, right),
                other => other,
            }),
            _ => Err(Error::raise("OverflowError", "int too large to convert to float")),
        };
    }
    Err(mismatch(operator, left, right))
}

fn int(value: &Value) -> Option<BigInt> {
    match value {
        Value::Bool(flag) => Some(BigInt::from(i64::from(*flag))),
        Value::Int(number) => Some(BigInt::from(*number)),
        Value::Big(number) => Some((**number).clone()),
        _ => None,
    }
}

fn mismatch(operator: Binary, left: &Value, right: &Value) -> Error {
    let (a, b) = (left.type_name(), right.type_name());
    if operator == Binary::Add {
        match left {
            Value::Str(_) => {
                let text = format!("can only concatenate str (not \"{b}\") to str");
                return Error::raise("TypeError", text);
            }
            Value::List(_) | Value::Tuple(_) => {
                let text = format!("can only concatenate {a} (not \"{b}\") to {a}");
                return Error::raise("TypeError", text);
            }
            _ => {}
        }
    }
    Error::raise("TypeError", format!("unsupported operand type(s) for {}: '{a}' and '{b}'", operator.sign()))
}

/// Whole numbers of 64 bits, where the result is one.
pub(super) fn small(operator: Binary, a: i64, b: i64) -> Option<i64> {
    match operator {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::FloorDivide if b != 0 => {
            let quotient = a.checked_div(b)?;
            Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
        }
        Binary::Modulo if b != 0 => {
            let rest = a.checked_rem(b)?;
            Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        Binary::And => Some(a & b),
        Binary::Or => Some(a | b),
        Binary::Xor => Some(a ^ b),
        Binary::RightShift if b >= 0 => Some(a >> b.min(63)),
        _ => None,
    }
}

fn int_operator(session: &Session, operator: Binary, a: &BigInt, b: &BigInt) -> Outcome<Value> {
    let too_large = || Error::limit("the function made a whole number of more than a million bits, which is the limit");
    let zero = |text: &str| Error::raise_inexact("ZeroDivisionError", text);
    Ok(match operator {
        Binary::Add => Value::int(a + b),
        Binary::Subtract => Value::int(a - b),
        Binary::Multiply => {
            if a.bits() + b.bits() > 1_000_000 {
                return Err(too_large());
            }
            Value::int(a * b)
        }
        Binary::Divide => return true_divide(a, b),
        Binary::FloorDivide | Binary::Modulo => {
            if b.is_zero() {
                return Err(zero("integer division or modulo by zero"));
            }
            let (mut quotient, mut rest) = (a / b, a % b);
            if !rest.is_zero() && (rest.sign() == Sign::Minus) != (b.sign() == Sign::Minus) {
                quotient -= 1;
                rest += b;
            }
            Value::int(if operator == Binary::Modulo { rest } else { quotient })
        }
        Binary::Power => {
            if b.sign() == Sign::Minus {
                let (Some(a), Some(b)) = (float_of_big(a), float_of_big(b)) else {
                    return Err(Error::raise("OverflowError", "int too large to convert to float"));
                };
                return float_operator(Binary::Power, a, b);
            }
            let Some(power) = b.to_u32() else {
                return match a.to_i64() {
                    Some(0 | 1) => Ok(Value::int(a.clone())),
                    _ => Err(too_large()),
                };
            };
            if a.bits().saturating_mul(u64::from(power)) > 1_000_000 && a.bits() > 1 {
                return Err(too_large());
            }
            Value::int(a.pow(power))
        }
        Binary::LeftShift | Binary::RightShift => {
            if b.sign() == Sign::Minus {
                return Err(Error::raise("ValueError", "negative shift count"));
            }
            let shift = b.to_u64().filter(|shift| *shift <= 1_000_000).ok_or_else(too_large)?;
            if operator == Binary::LeftShift {
                session.fits(shift as usize)?;
                Value::int(a << shift)
            } else {
                Value::int(a >> shift)
            }
        }
        Binary::And => Value::int(a & b),
        Binary::Or => Value::int(a | b),
        Binary::Xor => Value::int(a ^ b),
    })
}

/// `a / b` of whole numbers: the float next to the quotient.
pub(crate) fn true_divide(a: &BigInt, b: &BigInt) -> Outcome<Value> {
    if b.is_zero() {
        return Err(Error::raise("ZeroDivisionError", "division by zero"));
    }
    // Both are floats without a loss: one division rounds once.
    if a.bits() <= 53 && b.bits() <= 53 {
        return Ok(Value::Float(a.to_f64().unwrap_or_default() / b.to_f64().unwrap_or(1.0)));
    }
    Err(Error::unsupported("a division of whole numbers of more than 53 bits"))
}

fn float_operator(operator: Binary, a: f64, b: f64) -> Outcome<Value> {
    Ok(Value::Float(match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => {
            if b == 0.0 {
                return Err(Error::raise("ZeroDivisionError", "float division by zero"));
            }
            a / b
        }
        Binary::FloorDivide | Binary::Modulo => {
            if b == 0.0 {
                return Err(Error::raise_inexact("ZeroDivisionError", "float floor division or modulo by zero"));
            }
            let (quotient, rest) = divide_floats(a, b);
            if operator == Binary::Modulo { rest } else { quotient }
        }
        Binary::Power => return power(a, b),
        _ => {
            return Err(Error::raise(
                "TypeError",
                format!("unsupported operand type(s) for {}: 'float' and 'float'", operator.sign()),
            ));
        }
    }))
}

/// Quotient and rest, with the sign of the divisor.
fn divide_floats(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(a / b), rest);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}

fn power(a: f64, b: f64) -> Outcome<Value> {
    if a == 0.0 && b < 0.0 {
        return Err(Error::raise_inexact("ZeroDivisionError", "0.0 cannot be raised to a negative power"));
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return Err(Error::unsupported("a power that is a complex number"));
    }
    let result = a.powf(b);
    if result.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(Error::raise_inexact("OverflowError", "(34, 'Numerical result out of range')"));
    }
    Ok(Value::Float(result))
}

/// `-value`, `+value`, `~value`.
pub(super) fn unary(operator: char, value: &Value) -> Outcome<Value> {
    Ok(match (operator, value) {
        ('-', Value::Float(number)) => Value::Float(-number),
        ('+', Value::Float(_)) => value.clone(),
        ('-', Value::Scalar(Scalar::Float(number))) => Value::Scalar(Scalar::Float(-number)),
        ('-', Value::Scalar(Scalar::Int(number))) if *number != i64::MIN => Value::Scalar(Scalar::Int(-number)),
        (_, Value::Scalar(_) | Value::Instance(_)) => {
            return Err(Error::unsupported(format!("`{operator}` of a `{}`", value.type_name())));
        }
        ('-', Value::Object(object)) if object.type_name() == "numpy.ndarray" => {
            return crate::modules::numpy_binary(Binary::Multiply, value, &Value::Int(-1));
        }
        ('~', Value::Object(object)) if object.type_name() == "numpy.ndarray" => {
            return crate::modules::numpy_invert(value);
        }
        (_, Value::Object(_)) => {
            return Err(Error::unsupported(format!("`{operator}` of a `{}`", value.type_name())));
        }
        _ => match (operator, int(value)) {
            ('-', Some(number)) => Value::int(-number),
            ('+', Some(number)) => Value::int(number),
            ('~', Some(number)) => Value::int(-(number + 1_u8)),
            _ => {
                let text = format!("bad operand type for unary {operator}: '{}'", value.type_name());
                return Err(Error::raise("TypeError", text));
            }
        },
    })
}

fn repeated(items: &[Value], times: usize) -> Vec<Value> {
    std::iter::repeat_n(items, times).flatten().cloned().collect()
}

fn repeat(session: &Session, sequence: &Value, times: &Value) -> Outcome<Value> {
    let Some(times) = (match times {
        Value::Int(_) | Value::Bool(_) | Value::Scalar(Scalar::Int(_)) => times.as_int(),
        _ => None,
    }) else {
        if matches!(times, Value::Big(_)) {
            return Err(session.too_large());
        }
        let text = format!("can't multiply sequence by non-int of type '{}'", times.type_name());
        return Err(Error::raise("TypeError", text));
    };
    let times = usize::try_from(times).unwrap_or_default();
    let fits = |length: usize| session.fits(length.saturating_mul(times));
    Ok(match sequence {
        Value::Str(text) => {
            fits(text.len())?;
            Value::Str(Str::from(text.repeat(times)))
        }
        Value::List(items) => {
            let items = items.borrow();
            fits(items.len())?;
            Value::list(repeated(&items, times))
        }
        Value::Tuple(items) => {
            fits(items.len())?;
            Value::tuple(repeated(items, times))
        }
        Value::Bytes(bytes) => {
            fits(bytes.len())?;
            Value::Bytes(Arc::from(bytes.repeat(times)))
        }
        other => return Err(Error::unsupported(format!("repeating a `{}`", other.type_name()))),
    })
}

fn set_operator(operator: Binary, left: &Value, right: &Value) -> Outcome<Value> {
    let members = |value: &Value| match value {
        Value::Set(set) => set.borrow().clone(),
        Value::FrozenSet(set) => (**set).clone(),
        _ => Set::new(),
    };
    let (a, b) = (members(left), members(right));
    let result = match operator {
        Binary::Subtract => a.difference(&b),
        Binary::Or => a.union(&b),
        Binary::And => a.intersection(&b),
        _ => a.symmetric_difference(&b),
    };
    Ok(match left {
        Value::FrozenSet(_) => Value::FrozenSet(std::rc::Rc::new(result)),
        _ => Value::set(result),
    })
}
