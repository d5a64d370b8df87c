//! Types as functions: `int("1")`, `dict(a=1)`; and what else is called on a type.

use std::cell::RefCell;
use std::rc::Rc;

use num_bigint::BigInt;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::unicode;
use crate::value::{Dict, DictKind, Scalar, Set, Str, Value, int_of_float};

/// What is called on types themselves.
pub(super) const TYPE_METHODS: &[&str] = &["fromkeys", "maketrans", "from_iterable"];

pub(super) fn has_static(class: &str, name: &str) -> bool {
    matches!((class, name), ("dict" | "OrderedDict", "fromkeys") | ("str", "maketrans"))
}

pub(super) fn call_static(session: &mut Session, class: &'static str, name: &str, args: Arguments) -> Outcome<Value> {
    match (class, name) {
        ("str", "maketrans") => super::text::maketrans(session, args),
        ("dict" | "OrderedDict", "fromkeys") => {
            let [keys, value] = args.bind(name, ["iterable", "value"], 1)?;
            let mut dict = Dict::of_kind(if class == "dict" { DictKind::Plain } else { DictKind::Ordered });
            let value = value.unwrap_or(Value::None);
            for key in session.collect(&keys.unwrap_or(Value::None))? {
                dict.insert(key, value.clone())?;
            }
            Ok(Value::Dict(Rc::new(RefCell::new(dict))))
        }
        _ => Err(Error::unsupported(format!("`{class}.{name}`"))),
    }
}

/// Calls a type.
pub(crate) fn construct(session: &mut Session, class: &'static str, args: Arguments) -> Outcome<Value> {
    match class {
        "str" => {
            let [object, encoding] = args.bind(class, ["object", "encoding"], 0)?;
            if encoding.is_some() {
                return Err(Error::unsupported("`str` with an encoding"));
            }
            match object {
                None => Ok(Value::str("")),
                Some(text @ Value::Str(_)) => Ok(text),
                Some(object) => Ok(Value::Str(Str::from(session.str(&object)?))),
            }
        }
        "int" => {
            let [value, base] = args.bind(class, ["x", "base"], 0)?;
            int(value, base)
        }
        "float" => {
            let [value] = args.exactly_or_none(class)?;
            float(value)
        }
        "bool" => {
            let [value] = args.exactly_or_none(class)?;
            Ok(Value::Bool(match value {
                Some(value) => session.truth(&value)?,
                None => false,
            }))
        }
        "list" => {
            let [items] = args.exactly_or_none(class)?;
            Ok(Value::list(items.map_or(Ok(Vec::new()), |items| session.collect(&items))?))
        }
        "tuple" => {
            let [items] = args.exactly_or_none(class)?;
            Ok(Value::tuple(items.map_or(Ok(Vec::new()), |items| session.collect(&items))?))
        }
        "set" | "frozenset" => {
            let [items] = args.exactly_or_none(class)?;
            let mut set = Set::new();
            for item in items.map_or(Ok(Vec::new()), |items| session.collect_unordered(&items))? {
                set.insert(item)?;
            }
            Ok(if class == "set" { Value::set(set) } else { Value::FrozenSet(Rc::new(set)) })
        }
        "dict" | "OrderedDict" => {
            dict(session, if class == "dict" { DictKind::Plain } else { DictKind::Ordered }, args)
        }
        "defaultdict" => {
            let mut args = args;
            let factory = if args.positional.is_empty() { Value::None } else { args.positional.remove(0) };
            dict(session, DictKind::Default(factory), args)
        }
        "Counter" => {
            let [items] = args.exactly_or_none(class)?;
            let counter = Rc::new(RefCell::new(Dict::of_kind(DictKind::Counter)));
            if let Some(items) = items.filter(|items| !matches!(items, Value::None)) {
                super::count_into(session, &counter, &items)?;
            }
            Ok(Value::Dict(counter))
        }
        "type" => {
            let [value] = args.exactly(class)?;
            type_of(&value)
        }
        "range" => range(args),
        "slice" => {
            let [a, b, c] = args.bind(class, ["start", "stop", "step"], 1)?;
            let none = |value: Option<Value>| value.unwrap_or(Value::None);
            let parts = if b.is_none() { [Value::None, none(a), Value::None] } else { [none(a), none(b), none(c)] };
            Ok(Value::Slice(Rc::new(parts)))
        }
        "object" => Err(Error::unsupported("`object()`")),
        _ => Err(Error::unsupported(format!("making a `{class}`"))),
    }
}

/// Python's `type()` of one value.
fn type_of(value: &Value) -> Outcome<Value> {
    Ok(match value {
        Value::Bool(_) => Value::Type("bool"),
        Value::Int(_) | Value::Big(_) => Value::Type("int"),
        Value::Float(_) => Value::Type("float"),
        Value::Str(_) => Value::Type("str"),
        Value::Bytes(_) => Value::Type("bytes"),
        Value::List(_) => Value::Type("list"),
        Value::Tuple(_) => Value::Type("tuple"),
        Value::Set(_) => Value::Type("set"),
        Value::FrozenSet(_) => Value::Type("frozenset"),
        Value::None => Value::Type("NoneType"),
        Value::Dict(dict) => Value::Type(dict.borrow().kind.type_name()),
        Value::Instance(_) | Value::Exception(_) => crate::run::class::class_of(value),
        other => return Err(Error::unsupported(format!("`type` of a `{}`", other.type_name()))),
    })
}

fn range(args: Arguments) -> Outcome<Value> {
    let [a, b, c] = args.bind("range", ["start", "stop", "step"], 1)?;
    let int = |value: &Value| match value {
        Value::Int(_) | Value::Bool(_) | Value::Scalar(Scalar::Int(_)) => Ok(value.as_int().unwrap_or_default()),
        Value::Big(_) => Err(Error::unsupported("a range of numbers of more than 64 bits")),
        other => {
            let text = format!("'{}' object cannot be interpreted as an integer", other.type_name());
            Err(Error::raise("TypeError", text))
        }
    };
    let step = c.as_ref().map_or(Ok(1), int)?;
    if step == 0 {
        return Err(Error::raise("ValueError", "range() arg 3 must not be zero"));
    }
    let first = a.as_ref().map_or(Ok(0), int)?;
    Ok(match &b {
        Some(stop) => Value::Range(first, int(stop)?, step),
        None => Value::Range(0, first, 1),
    })
}

fn dict(session: &mut Session, kind: DictKind, args: Arguments) -> Outcome<Value> {
    if args.positional.len() > 1 {
        return Err(Error::type_error("dict expected at most 1 argument"));
    }
    let made = Rc::new(RefCell::new(Dict::of_kind(kind)));
    if let Some(other) = args.positional.first() {
        super::merge(session, &made, other)?;
    }
    for (key, value) in args.keywords {
        made.borrow_mut().insert_str(key, value);
    }
    Ok(Value::Dict(made))
}

fn int(value: Option<Value>, base: Option<Value>) -> Outcome<Value> {
    let base = match base {
        None => 10,
        Some(base) => match base.as_int().and_then(|base| u32::try_from(base).ok()) {
            Some(base @ 2..=36) if matches!(value, Some(Value::Str(_))) => base,
            _ => return Err(Error::unsupported("`int` with this base")),
        },
    };
    match value {
        None => Ok(Value::Int(0)),
        Some(Value::Str(text)) => int_of_text(&text, base),
        Some(Value::Float(number) | Value::Scalar(Scalar::Float(number))) => {
            if number.is_nan() {
                return Err(Error::raise("ValueError", "cannot convert float NaN to integer"));
            }
            int_of_float(number.trunc())
                .ok_or_else(|| Error::raise("OverflowError", "cannot convert float infinity to integer"))
        }
        Some(big @ Value::Big(_)) => Ok(big),
        Some(other) => match other.as_int() {
            Some(number) => Ok(Value::Int(number)),
            None if matches!(other, Value::Bytes(_) | Value::Instance(_) | Value::Object(_)) => {
                Err(Error::unsupported(format!("`int` of a `{}`", other.type_name())))
            }
            None => {
                let name = other.type_name();
                let text =
                    format!("int() argument must be a string, a bytes-like object or a real number, not '{name}'");
                Err(Error::raise("TypeError", text))
            }
        },
    }
}

/// Digits with at most one `_` between two of them.
fn plain_digits(text: &str) -> Option<String> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    Some(text.replace('_', ""))
}

/// Digits of all writing systems as those of ASCII, without white space around them.
fn normalized(text: &str) -> String {
    let trimmed = text.trim_matches(unicode::is_space);
    let digit = |c: char| unicode::decimal(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(c);
    trimmed.chars().map(digit).collect()
}

/// `int(text, base)`.
pub(crate) fn int_of_text(text: &str, base: u32) -> Outcome<Value> {
    let invalid = || {
        let quoted = crate::value::quoted(text);
        Error::raise("ValueError", format!("invalid literal for int() with base {base}: {quoted}"))
    };
    let normalized = normalized(text);
    let (negative, digits) = match normalized.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, normalized.strip_prefix('+').unwrap_or(&normalized)),
    };
    let lower = digits.to_lowercase();
    let digits = match base {
        16 => lower.strip_prefix("0x").map_or(&*lower, |rest| rest.strip_prefix('_').unwrap_or(rest)),
        8 => lower.strip_prefix("0o").map_or(&*lower, |rest| rest.strip_prefix('_').unwrap_or(rest)),
        2 => lower.strip_prefix("0b").map_or(&*lower, |rest| rest.strip_prefix('_').unwrap_or(rest)),
        _ => digits,
    };
    let digits = plain_digits(digits).ok_or_else(invalid)?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Err(invalid());
    }
    if base == 10 && digits.len() > 4300 {
        return Err(Error::raise_inexact("ValueError", "the number has more than 4300 digits"));
    }
    let number = BigInt::parse_bytes(digits.as_bytes(), base).ok_or_else(invalid)?;
    Ok(Value::int(if negative { -number } else { number }))
}

fn float(value: Option<Value>) -> Outcome<Value> {
    match value {
        None => Ok(Value::Float(0.0)),
        Some(Value::Str(text)) => float_of_text(&text).map(Value::Float).ok_or_else(|| {
            let quoted = crate::value::quoted(&text);
            Error::raise("ValueError", format!("could not convert string to float: {quoted}"))
        }),
        Some(other) => match other.as_float() {
            Some(number) => Ok(Value::Float(number)),
            None if matches!(other, Value::Big(_)) => {
                Err(Error::raise("OverflowError", "int too large to convert to float"))
            }
            None if matches!(other, Value::Bytes(_) | Value::Instance(_) | Value::Object(_)) => {
                Err(Error::unsupported(format!("`float` of a `{}`", other.type_name())))
            }
            None => {
                let text = format!("float() argument must be a string or a real number, not '{}'", other.type_name());
                Err(Error::raise("TypeError", text))
            }
        },
    }
}

/// `float(text)`; none where the text is no number.
pub(crate) fn float_of_text(text: &str) -> Option<f64> {
    let text = normalized(text).to_lowercase();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    // An underscore stands between two digits.
    let bytes = unsigned.as_bytes();
    let digit = |index: Option<usize>| index.and_then(|index| bytes.get(index)).is_some_and(u8::is_ascii_digit);
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == b'_' && !(digit(index.checked_sub(1)) && digit(Some(index + 1))) {
            return None;
        }
    }
    let plain = unsigned.replace('_', "");
    let allowed = plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-'));
    if !allowed || plain.starts_with(['+', '-']) || !plain.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    plain.parse::<f64>().ok().map(|number| sign * number)
}
