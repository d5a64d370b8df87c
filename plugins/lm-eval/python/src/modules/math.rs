//! `math`.

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Value, int_of_float};

pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "pi" => Value::Float(std::f64::consts::PI),
        "e" => Value::Float(std::f64::consts::E),
        "inf" => Value::Float(f64::INFINITY),
        "nan" => Value::Float(f64::NAN),
        "floor" => Value::Native("math.floor", floor),
        "ceil" => Value::Native("math.ceil", ceil),
        "trunc" => Value::Native("math.trunc", trunc),
        "sqrt" => Value::Native("math.sqrt", sqrt),
        "exp" => Value::Native("math.exp", exp),
        "log" => Value::Native("math.log", log),
        "log2" => Value::Native("math.log2", log2),
        "log10" => Value::Native("math.log10", log10),
        "fabs" => Value::Native("math.fabs", fabs),
        "isnan" => Value::Native("math.isnan", isnan),
        "isinf" => Value::Native("math.isinf", isinf),
        "isclose" => Value::Native("math.isclose", isclose),
        _ => return None,
    })
}

fn number(args: Arguments, name: &str) -> Outcome<f64> {
    let [value] = args.exactly(name)?;
    as_number(&value)
}

fn as_number(value: &Value) -> Outcome<f64> {
    match value.as_float() {
        Some(number) => Ok(number),
        None if matches!(value, Value::Big(_)) => {
            Err(Error::raise("OverflowError", "int too large to convert to float"))
        }
        None if matches!(value, Value::Instance(_) | Value::Object(_)) => {
            Err(Error::unsupported(format!("a `{}` as a number", value.type_name())))
        }
        None => Err(Error::raise("TypeError", format!("must be real number, not {}", value.type_name()))),
    }
}

fn rounded(args: Arguments, name: &str, round: fn(f64) -> f64) -> Outcome<Value> {
    let [value] = args.exactly(name)?;
    if matches!(value, Value::Int(_) | Value::Big(_) | Value::Bool(_)) {
        return Ok(value.as_int().map_or(value, Value::Int));
    }
    let float = as_number(&value)?;
    if float.is_nan() {
        return Err(Error::raise("ValueError", "cannot convert float NaN to integer"));
    }
    int_of_float(round(float)).ok_or_else(|| Error::raise("OverflowError", "cannot convert float infinity to integer"))
}

fn floor(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    rounded(args, "math.floor", f64::floor)
}

fn ceil(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    rounded(args, "math.ceil", f64::ceil)
}

fn trunc(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    rounded(args, "math.trunc", f64::trunc)
}

fn domain() -> Error {
    Error::raise("ValueError", "math domain error")
}

fn sqrt(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let float = number(args, "math.sqrt")?;
    if float < 0.0 { Err(domain()) } else { Ok(Value::Float(float.sqrt())) }
}

fn exp(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let float = number(args, "math.exp")?;
    let result = float.exp();
    if result.is_infinite() && float.is_finite() {
        return Err(Error::raise("OverflowError", "math range error"));
    }
    Ok(Value::Float(result))
}

fn logarithm(value: &Value, log: fn(f64) -> f64) -> Outcome<f64> {
    if matches!(value, Value::Big(_)) {
        return Err(Error::unsupported("the logarithm of a whole number of more than 64 bits"));
    }
    let float = as_number(value)?;
    if float <= 0.0 { Err(domain()) } else { Ok(log(float)) }
}

fn log(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value, base] = args.exactly_or_none("math.log")?;
    let value = value.ok_or_else(|| Error::type_error("log expected at least 1 argument"))?;
    let result = logarithm(&value, f64::ln)?;
    match base {
        None => Ok(Value::Float(result)),
        Some(base) => {
            let base = logarithm(&base, f64::ln)?;
            if base == 0.0 {
                return Err(Error::raise("ZeroDivisionError", "float division by zero"));
            }
            Ok(Value::Float(result / base))
        }
    }
}

fn log2(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("math.log2")?;
    logarithm(&value, f64::log2).map(Value::Float)
}

fn log10(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("math.log10")?;
    logarithm(&value, f64::log10).map(Value::Float)
}

fn fabs(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    number(args, "math.fabs").map(|float| Value::Float(float.abs()))
}

fn isnan(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    number(args, "math.isnan").map(|float| Value::Bool(float.is_nan()))
}

fn isinf(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    number(args, "math.isinf").map(|float| Value::Bool(float.is_infinite()))
}

fn isclose(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [a, b, relative, absolute] = args.bind("math.isclose", ["a", "b", "rel_tol", "abs_tol"], 2)?;
    let float = |value: Option<Value>, default: f64| value.map_or(Ok(default), |value| as_number(&value));
    let (a, b) = (float(a, 0.0)?, float(b, 0.0)?);
    let (relative, absolute) = (float(relative, 1e-9)?, float(absolute, 0.0)?);
    if relative < 0.0 || absolute < 0.0 {
        return Err(Error::raise("ValueError", "tolerances must be non-negative"));
    }
    if a == b {
        return Ok(Value::Bool(true));
    }
    if a.is_infinite() || b.is_infinite() {
        return Ok(Value::Bool(false));
    }
    let difference = (b - a).abs();
    let close = difference <= (relative * b).abs() || difference <= (relative * a).abs() || difference <= absolute;
    Ok(Value::Bool(close))
}
