//! The part of `numpy` that functions use on short lists of numbers.
//!
//! `numpy.exp` and `numpy.log` are those of the C library. numpy has its own, whose last bit depends on the processor.

mod array;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Scalar, Value};

pub(super) use array::ATTRIBUTES;
pub(crate) use array::{binary, compare, invert};

/// What numpy 2 no longer has: using it raises an `AttributeError`.
pub(crate) const REMOVED: &[&str] = &["NAN", "NaN", "Inf", "int", "float", "bool", "object", "str"];

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "nan" => Value::Float(f64::NAN),
        "inf" => Value::Float(f64::INFINITY),
        "pi" => Value::Float(std::f64::consts::PI),
        "ndarray" => Value::Type("numpy.ndarray"),
        "float64" => Value::Type("numpy.float64"),
        "array" | "asarray" => Value::Native("numpy.array", array::make),
        "mean" => Value::Native("numpy.mean", array::reduce::mean),
        "nanmean" => Value::Native("numpy.nanmean", array::reduce::nanmean),
        "sum" => Value::Native("numpy.sum", array::reduce::sum),
        "max" => Value::Native("numpy.max", array::reduce::max),
        "min" => Value::Native("numpy.min", array::reduce::min),
        "nanmax" => Value::Native("numpy.nanmax", array::reduce::nanmax),
        "argmax" => Value::Native("numpy.argmax", array::reduce::argmax),
        "argmin" => Value::Native("numpy.argmin", array::reduce::argmin),
        "exp" => Value::Native("numpy.exp", |_, args| elementwise(args, "numpy.exp", f64::exp)),
        "log" => Value::Native("numpy.log", |_, args| elementwise(args, "numpy.log", f64::ln)),
        "isnan" => Value::Native("numpy.isnan", isnan),
        "round" => Value::Native("numpy.round", round),
        _ => return None,
    })
}

fn elementwise(args: Arguments, name: &str, function: fn(f64) -> f64) -> Outcome<Value> {
    let [value] = args.exactly(name)?;
    if let Some(number) = array::scalar(&value) {
        return Ok(Value::Scalar(Scalar::Float(function(number))));
    }
    let floats = array::floats(&value)?;
    Ok(array::of_floats(floats.into_iter().map(function).collect()))
}

fn isnan(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("numpy.isnan")?;
    match array::scalar(&value) {
        Some(number) => Ok(Value::Scalar(Scalar::Bool(number.is_nan()))),
        None => Err(Error::unsupported(format!("`numpy.isnan` of a `{}`", value.type_name()))),
    }
}

/// Rounds as numpy does: by the power of ten, to the nearest, and back.
pub(super) fn round_decimals(number: f64, decimals: i64) -> Outcome<f64> {
    match i32::try_from(decimals) {
        Ok(0) => Ok(number.round_ties_even()),
        Ok(decimals @ 1..=22) => {
            let power = 10_f64.powi(decimals);
            Ok((number * power).round_ties_even() / power)
        }
        _ => Err(Error::unsupported("rounding to so many digits with numpy")),
    }
}

fn round(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value, decimals] = args.bind("numpy.round", ["a", "decimals"], 1)?;
    let value = value.unwrap_or(Value::None);
    let decimals = decimals.map_or(Some(0), |decimals| decimals.as_int());
    let decimals = decimals.ok_or_else(|| Error::type_error("the decimals must be an integer"))?;
    match &value {
        Value::Float(number) | Value::Scalar(Scalar::Float(number)) => {
            round_decimals(*number, decimals).map(|number| Value::Scalar(Scalar::Float(number)))
        }
        other => Err(Error::unsupported(format!("`numpy.round` of a `{}`", other.type_name()))),
    }
}
