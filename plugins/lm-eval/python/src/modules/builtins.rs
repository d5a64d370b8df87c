//! Functions that need no import.

use std::rc::Rc;

use num_bigint::BigInt;

use super::{iteration, order};
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::program::ir::Binary;
use crate::run::class::Descriptor;
use crate::run::{Session, binary, format_value};
use crate::value::{DictKind, Scalar, Str, Value, int_of_float, is_subclass_name};

/// A name of Python's builtins.
pub(super) fn item(name: &str) -> Option<Value> {
    Some(match name {
        "str" => Value::Type("str"),
        "int" => Value::Type("int"),
        "float" => Value::Type("float"),
        "bool" => Value::Type("bool"),
        "list" => Value::Type("list"),
        "tuple" => Value::Type("tuple"),
        "dict" => Value::Type("dict"),
        "set" => Value::Type("set"),
        "frozenset" => Value::Type("frozenset"),
        "type" => Value::Type("type"),
        "object" => Value::Type("object"),
        "range" => Value::Type("range"),
        "slice" => Value::Type("slice"),
        "Ellipsis" => Value::Ellipsis,
        "abs" => Value::Native("abs", abs),
        "all" => Value::Native("all", iteration::all),
        "any" => Value::Native("any", iteration::any),
        "bin" => Value::Native("bin", bin),
        "oct" => Value::Native("oct", oct),
        "hex" => Value::Native("hex", hex),
        "callable" => Value::Native("callable", callable),
        "chr" => Value::Native("chr", chr),
        "classmethod" => Value::Native("classmethod", classmethod),
        "divmod" => Value::Native("divmod", divmod),
        "enumerate" => Value::Native("enumerate", iteration::enumerate),
        "filter" => Value::Native("filter", iteration::filter),
        "format" => Value::Native("format", format),
        "getattr" => Value::Native("getattr", getattr),
        "hasattr" => Value::Native("hasattr", hasattr),
        "isinstance" => Value::Native("isinstance", isinstance),
        "issubclass" => Value::Native("issubclass", issubclass),
        "iter" => Value::Native("iter", iteration::iter),
        "len" => Value::Native("len", len),
        "map" => Value::Native("map", iteration::map),
        "max" => Value::Native("max", order::max),
        "min" => Value::Native("min", order::min),
        "next" => Value::Native("next", iteration::next),
        "ord" => Value::Native("ord", ord),
        "pow" => Value::Native("pow", pow),
        "print" => Value::Native("print", print),
        "property" => Value::Native("property", property),
        "repr" => Value::Native("repr", repr),
        "reversed" => Value::Native("reversed", iteration::reversed),
        "round" => Value::Native("round", round),
        "setattr" => Value::Native("setattr", setattr),
        "sorted" => Value::Native("sorted", order::sorted),
        "staticmethod" => Value::Native("staticmethod", staticmethod),
        "sum" => Value::Native("sum", order::sum),
        "super" => Value::Native("super", super_of),
        "zip" => Value::Native("zip", iteration::zip),
        _ => return None,
    })
}

fn super_of(_session: &mut Session, _args: Arguments) -> Outcome<Value> {
    Err(Error::unsupported("`super` with arguments"))
}

fn print(session: &mut Session, args: Arguments) -> Outcome<Value> {
    // Nothing is printed, but what cannot be printed is an error.
    for value in &args.positional {
        if let Err(error @ Error::Exception(_)) = session.str(value) {
            return Err(error);
        }
    }
    Ok(Value::None)
}

fn len(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("len")?;
    let length = match &value {
        Value::Str(text) => text.length(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.borrow().len(),
        Value::Tuple(items) => items.len(),
        Value::Dict(dict) | Value::View(dict, _) => dict.borrow().len(),
        Value::Set(set) => set.borrow().len(),
        Value::FrozenSet(set) => set.len(),
        Value::Range(start, stop, step) => crate::types::range_length(*start, *stop, *step),
        Value::Object(object) => match object.length() {
            Some(length) => length,
            None => return Err(Error::unsupported(format!("`len` of a `{}`", object.type_name()))),
        },
        Value::Instance(_) => return Err(Error::unsupported("`len` of an instance")),
        other => {
            return Err(Error::raise("TypeError", format!("object of type '{}' has no len()", other.type_name())));
        }
    };
    let _ = session;
    Ok(Value::count(length))
}

fn abs(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("abs")?;
    Ok(match &value {
        Value::Float(number) => Value::Float(number.abs()),
        Value::Scalar(Scalar::Float(number)) => Value::Scalar(Scalar::Float(number.abs())),
        Value::Scalar(Scalar::Int(number)) if *number != i64::MIN => Value::Scalar(Scalar::Int(number.abs())),
        Value::Big(number) => Value::int(BigInt::from(number.magnitude().clone())),
        Value::Int(_) | Value::Bool(_) => {
            let number = value.as_int().unwrap_or_default();
            Value::int(BigInt::from(BigInt::from(number).magnitude().clone()))
        }
        Value::Scalar(_) | Value::Instance(_) | Value::Object(_) => {
            return Err(Error::unsupported(format!("`abs` of a `{}`", value.type_name())));
        }
        other => {
            return Err(Error::raise("TypeError", format!("bad operand type for abs(): '{}'", other.type_name())));
        }
    })
}

fn based(args: Arguments, name: &str, prefix: &str, radix: u32) -> Outcome<Value> {
    let [value] = args.exactly(name)?;
    let number = match &value {
        Value::Big(number) => (**number).clone(),
        Value::Int(_) | Value::Bool(_) => BigInt::from(value.as_int().unwrap_or_default()),
        other => {
            let text = format!("'{}' object cannot be interpreted as an integer", other.type_name());
            return Err(Error::raise("TypeError", text));
        }
    };
    let sign = if number.sign() == num_bigint::Sign::Minus { "-" } else { "" };
    Ok(Value::Str(Str::from(format!("{sign}{prefix}{}", number.magnitude().to_str_radix(radix)))))
}

fn bin(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    based(args, "bin", "0b", 2)
}

fn oct(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    based(args, "oct", "0o", 8)
}

fn hex(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    based(args, "hex", "0x", 16)
}

fn callable(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("callable")?;
    Ok(Value::Bool(match &value {
        Value::Function(_) | Value::Native(..) | Value::Hook(_) | Value::Method(_) | Value::Bound(_) => true,
        Value::Partial(_) | Value::Type(_) | Value::ExceptionType(_) | Value::Class(_) => true,
        Value::Instance(instance) => instance.class.find("__call__").is_some(),
        Value::Object(object) => {
            return Err(Error::unsupported(format!("`callable` of a `{}`", object.type_name())));
        }
        _ => false,
    }))
}

fn chr(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("chr")?;
    let Some(code) = value.as_int() else {
        let text = format!("'{}' object cannot be interpreted as an integer", value.type_name());
        return Err(Error::raise("TypeError", text));
    };
    match u32::try_from(code) {
        Ok(code) if code <= 0x10_ffff => match char::from_u32(code) {
            Some(c) => Ok(Value::str(c.encode_utf8(&mut [0; 4]))),
            None => Ok(Value::Object(Rc::new(super::words::Surrogate))),
        },
        _ => Err(Error::raise("ValueError", "chr() arg not in range(0x110000)")),
    }
}

fn ord(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("ord")?;
    let Value::Str(text) = &value else {
        let text = format!("ord() expected string of length 1, but {} found", value.type_name());
        return Err(Error::raise("TypeError", text));
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Value::Int(i64::from(u32::from(c)))),
        _ => {
            let text = format!("ord() expected a character, but string of length {} found", text.length());
            Err(Error::raise("TypeError", text))
        }
    }
}

fn divmod(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [a, b] = args.exactly("divmod")?;
    let quotient = binary(session, Binary::FloorDivide, &a, &b)?;
    Ok(Value::tuple(vec![quotient, binary(session, Binary::Modulo, &a, &b)?]))
}

fn pow(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [a, b] = args.exactly("pow")?;
    binary(session, Binary::Power, &a, &b)
}

fn format(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value, spec] = args.bind("format", ["value", "format_spec"], 1)?;
    let spec = spec.unwrap_or_else(|| Value::str(""));
    let Value::Str(spec) = spec else { return Err(Error::type_error("format() argument 2 must be str")) };
    Ok(Value::Str(Str::from(format_value(session, &value.unwrap_or(Value::None), &spec)?)))
}

fn repr(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value] = args.exactly("repr")?;
    Ok(Value::Str(Str::from(session.repr(&value)?)))
}

fn descriptor(kind: &'static str, args: Arguments) -> Outcome<Value> {
    let [function] = args.exactly(kind)?;
    Ok(Value::Object(Rc::new(Descriptor { kind, function })))
}

fn staticmethod(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    descriptor("staticmethod", args)
}

fn classmethod(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    descriptor("classmethod", args)
}

fn property(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    descriptor("property", args)
}

fn attribute_name(value: &Value) -> Outcome<Str> {
    match value {
        Value::Str(name) => Ok(name.clone()),
        _ => Err(Error::type_error("the name of an attribute must be a string")),
    }
}

fn getattr(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [object, name, default] = args.bind("getattr", ["object", "name", "default"], 2)?;
    let name = attribute_name(&name.unwrap_or(Value::None))?;
    match session.attribute(&object.unwrap_or(Value::None), &name) {
        Err(Error::Exception(raised)) if raised.exception.is_a("AttributeError") => {
            default.ok_or(Error::Exception(raised))
        }
        other => other,
    }
}

fn hasattr(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [object, name] = args.exactly("hasattr")?;
    match session.attribute(&object, &attribute_name(&name)?) {
        Ok(_) => Ok(Value::Bool(true)),
        Err(Error::Exception(raised)) if raised.exception.is_a("AttributeError") => Ok(Value::Bool(false)),
        Err(other) => Err(other),
    }
}

fn setattr(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [object, name, value] = args.exactly("setattr")?;
    session.set_attribute(&object, &attribute_name(&name)?, value)?;
    Ok(Value::None)
}

fn isinstance(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [value, class] = args.exactly("isinstance")?;
    is_of(&value, &class).map(Value::Bool)
}

fn is_of(value: &Value, class: &Value) -> Outcome<bool> {
    Ok(match class {
        Value::Tuple(classes) => {
            for class in classes.iter() {
                if is_of(value, class)? {
                    return Ok(true);
                }
            }
            false
        }
        Value::Class(wanted) => match crate::run::class::class_of(value) {
            Value::Class(class) => class.is_below(wanted),
            _ => false,
        },
        Value::ExceptionType(name) => match value {
            Value::Exception(exception) => exception.is_a(name),
            _ => false,
        },
        Value::Type(name) => match (*name, value) {
            ("object", _) => true,
            ("int", Value::Bool(_) | Value::Int(_) | Value::Big(_)) => true,
            ("float", Value::Float(_) | Value::Scalar(Scalar::Float(_))) => true,
            ("dict", Value::Dict(dict)) => !matches!(dict.borrow().kind, DictKind::Row),
            (
                "str" | "bool" | "list" | "tuple" | "set" | "frozenset" | "float" | "int" | "dict" | "range"
                | "NoneType" | "bytes" | "Counter" | "OrderedDict" | "defaultdict" | "slice" | "numpy.ndarray"
                | "numpy.float64" | "Dataset",
                value,
            ) => value.type_name() == *name,
            (other, _) => return Err(Error::unsupported(format!("`isinstance` with `{other}`"))),
        },
        other => return Err(Error::unsupported(format!("`isinstance` with a `{}`", other.type_name()))),
    })
}

fn issubclass(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [class, above] = args.exactly("issubclass")?;
    Ok(Value::Bool(match (&class, &above) {
        (Value::Class(class), Value::Class(above)) => class.is_below(above),
        (Value::Class(class), Value::ExceptionType(above)) => {
            class.exception_base().is_some_and(|base| is_subclass_name(base, above))
        }
        (Value::ExceptionType(class), Value::ExceptionType(above)) => is_subclass_name(class, above),
        _ => return Err(Error::unsupported("`issubclass` of types that are built in")),
    }))
}

/// `round(value, digits)`: to the even one of two that are equally near.
fn round(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [number, digits] = args.bind("round", ["number", "ndigits"], 1)?;
    let number = number.unwrap_or(Value::None);
    let digits = match digits {
        None | Some(Value::None) => None,
        Some(digits) => Some(digits.as_int().ok_or_else(|| Error::type_error("the digits must be an integer"))?),
    };
    match (&number, digits) {
        (Value::Float(float), None) => {
            if float.is_nan() {
                return Err(Error::raise("ValueError", "cannot convert float NaN to integer"));
            }
            int_of_float(float.round_ties_even())
                .ok_or_else(|| Error::raise("OverflowError", "cannot convert float infinity to integer"))
        }
        (Value::Float(float), Some(digits)) => Ok(Value::Float(round_float(*float, digits)?)),
        (Value::Scalar(Scalar::Float(float)), None) => int_of_float(float.round_ties_even())
            .ok_or_else(|| Error::unsupported("rounding a scalar of numpy that is not finite")),
        (Value::Scalar(Scalar::Float(float)), Some(digits)) => {
            super::numpy::round_decimals(*float, digits).map(|float| Value::Scalar(Scalar::Float(float)))
        }
        (Value::Bool(_), None) => Ok(Value::Int(number.as_int().unwrap_or_default())),
        (Value::Int(_) | Value::Big(_), None) => Ok(number),
        (Value::Int(_) | Value::Big(_), Some(digits)) if digits >= 0 => Ok(number),
        (Value::Int(_) | Value::Big(_) | Value::Bool(_) | Value::Scalar(_) | Value::Instance(_), _) => {
            Err(Error::unsupported(format!("rounding a `{}` like this", number.type_name())))
        }
        (other, _) => {
            let text = format!("type {} doesn't define __round__ method", other.type_name());
            Err(Error::raise("TypeError", text))
        }
    }
}

fn round_float(number: f64, digits: i64) -> Outcome<f64> {
    if !number.is_finite() || digits > 323 {
        return Ok(number);
    }
    let Ok(digits) = usize::try_from(digits) else {
        return Err(Error::unsupported("rounding a float to tens or hundreds"));
    };
    // The decimal digits of a float are exact, so that formatting rounds as CPython does.
    Ok(format!("{number:.digits$}").parse().unwrap_or(number))
}
