//! Methods of numbers.

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::value::{Scalar, Value};

pub(super) const METHODS: &[&str] = &["is_integer", "bit_length", "item"];

pub(super) fn call(own: &Value, name: &str, args: Arguments) -> Outcome<Value> {
    match (name, own) {
        ("is_integer", Value::Float(number) | Value::Scalar(Scalar::Float(number))) => {
            args.exactly::<0>(name)?;
            Ok(Value::Bool(number.is_finite() && number.fract() == 0.0))
        }
        ("bit_length", Value::Int(number)) => {
            args.exactly::<0>(name)?;
            Ok(Value::Int(i64::from(u64::BITS - number.unsigned_abs().leading_zeros())))
        }
        ("item", Value::Scalar(scalar)) => {
            args.exactly::<0>(name)?;
            Ok(match scalar {
                Scalar::Float(number) => Value::Float(*number),
                Scalar::Int(number) => Value::Int(*number),
                Scalar::Bool(flag) => Value::Bool(*flag),
            })
        }
        (_, Value::Scalar(_)) => Err(Error::unsupported(format!("`{name}` of a `{}`", own.type_name()))),
        _ => super::no_attribute(own, name),
    }
}
