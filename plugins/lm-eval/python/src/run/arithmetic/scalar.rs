//! Arithmetic of numpy's scalars.

use super::small;
use crate::error::{Error, Outcome};
use crate::program::ir::Binary;
use crate::value::{Scalar, Value};

/// Arithmetic with at least one scalar of numpy.
pub(super) fn scalar_operator(operator: Binary, left: &Value, right: &Value) -> Outcome<Value> {
    let refuse = || {
        let (a, b) = (left.type_name(), right.type_name());
        Err(Error::unsupported(format!("`{}` between `{a}` and `{b}`", operator.sign())))
    };
    let is_bool = |value: &Value| matches!(value, Value::Bool(_) | Value::Scalar(Scalar::Bool(_)));
    if is_bool(left) && is_bool(right) {
        let (a, b) = (crate::truth(left), crate::truth(right));
        return match operator {
            Binary::And => Ok(Value::Scalar(Scalar::Bool(a & b))),
            Binary::Or => Ok(Value::Scalar(Scalar::Bool(a | b))),
            _ => refuse(),
        };
    }
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        let result = match operator {
            Binary::Divide if b != 0 && a.unsigned_abs() < 1 << 53 && b.unsigned_abs() < 1 << 53 => {
                return Ok(Value::Scalar(Scalar::Float(a as f64 / b as f64)));
            }
            Binary::Add | Binary::Subtract | Binary::Multiply => small(operator, a, b),
            Binary::FloorDivide | Binary::Modulo => small(operator, a, b),
            _ => None,
        };
        return match result {
            Some(result) => Ok(Value::Scalar(Scalar::Int(result))),
            None => refuse(),
        };
    }
    let (Some(a), Some(b)) = (left.as_float(), right.as_float()) else { return refuse() };
    let result = match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Power if b == 2.0 => a * a,
        _ => return refuse(),
    };
    Ok(Value::Scalar(Scalar::Float(result)))
}
