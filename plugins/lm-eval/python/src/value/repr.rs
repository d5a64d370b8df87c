//! `str()` and `repr()`.

use super::{DictKind, Scalar, Value, View};
use crate::error::{Error, Outcome};
use crate::run::class::Class;
use crate::unicode;

/// Python's `str()`, where it is the same in every run; else a description.
pub fn str_of(value: &Value) -> String {
    try_str(value).unwrap_or_else(|_| format!("<{}>", value.type_name()))
}

/// Python's `repr()`, where it is the same in every run; else a description.
pub fn repr_of(value: &Value) -> String {
    try_repr(value).unwrap_or_else(|_| format!("<{}>", value.type_name()))
}

/// Python's `str()` of a value that is built in.
pub(crate) fn try_str(value: &Value) -> Outcome<String> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        Value::Scalar(Scalar::Float(number)) => Ok(float_repr(*number)),
        Value::Scalar(Scalar::Int(number)) => Ok(number.to_string()),
        Value::Scalar(Scalar::Bool(flag)) => Ok(if *flag { "True" } else { "False" }.to_owned()),
        Value::Exception(exception) if exception.exact => Ok(exception.message()),
        Value::Exception(exception) => {
            let class = exception.class_name();
            Err(Error::unsupported(format!("the text of a `{class}` that CPython words")))
        }
        Value::Object(object) if object.type_name() == "numpy.ndarray" => {
            Err(Error::unsupported("the text of an array"))
        }
        _ => try_repr(value),
    }
}

/// Python's `repr()` of a value that is built in.
pub(crate) fn try_repr(value: &Value) -> Outcome<String> {
    let mut text = String::new();
    write(value, &mut text, 0)?;
    Ok(text)
}

fn write(value: &Value, to: &mut String, depth: usize) -> Outcome<()> {
    if depth > 200 {
        return Err(Error::limit("a value is nested too deep, more than 200 levels, to be printed"));
    }
    let deeper = depth + 1;
    match value {
        Value::None => to.push_str("None"),
        Value::Ellipsis => to.push_str("Ellipsis"),
        Value::Bool(flag) => to.push_str(if *flag { "True" } else { "False" }),
        Value::Int(number) => to.push_str(&number.to_string()),
        Value::Big(number) => {
            if number.bits() > 14_000 {
                return Err(Error::unsupported("the text of a number with thousands of digits"));
            }
            to.push_str(&number.to_string());
        }
        Value::Float(number) => to.push_str(&float_repr(*number)),
        Value::Scalar(Scalar::Float(number)) => {
            to.push_str("np.float64(");
            to.push_str(&float_repr(*number));
            to.push(')');
        }
        Value::Scalar(Scalar::Int(number)) => to.push_str(&format!("np.int64({number})")),
        Value::Scalar(Scalar::Bool(flag)) => to.push_str(if *flag { "np.True_" } else { "np.False_" }),
        Value::Str(text) => to.push_str(&quoted(text)),
        Value::Bytes(bytes) => to.push_str(&quoted_bytes(bytes)),
        Value::List(items) => {
            let items = items.borrow();
            sequence(&items, to, "[", "]", deeper)?;
        }
        Value::Tuple(items) => sequence(items, to, "(", if items.len() == 1 { ",)" } else { ")" }, deeper)?,
        Value::Dict(dict) => {
            let dict = dict.borrow();
            let (before, after) = match &dict.kind {
                DictKind::Plain => ("", ""),
                DictKind::Counter => {
                    return Err(Error::unsupported("the text of a `Counter`"));
                }
                DictKind::Row => return Err(Error::unsupported("the text of a row of a dataset")),
                DictKind::Ordered => return Err(Error::unsupported("the text of an `OrderedDict`")),
                DictKind::Default(_) => return Err(Error::unsupported("the text of a `defaultdict`")),
            };
            to.push_str(before);
            to.push('{');
            for (index, (key, value)) in dict.iter().enumerate() {
                if index > 0 {
                    to.push_str(", ");
                }
                write(key, to, deeper)?;
                to.push_str(": ");
                write(value, to, deeper)?;
            }
            to.push('}');
            to.push_str(after);
        }
        Value::View(dict, view) => view_text(&dict.borrow(), *view, to, deeper)?,
        Value::Set(set) => members(&set.borrow(), to, "{", "}", "set()", deeper)?,
        Value::FrozenSet(set) => members(set, to, "frozenset({", "})", "frozenset()", deeper)?,
        Value::Range(start, stop, 1) => to.push_str(&format!("range({start}, {stop})")),
        Value::Range(start, stop, step) => to.push_str(&format!("range({start}, {stop}, {step})")),
        Value::Slice(parts) => sequence(&parts[..], to, "slice(", ")", deeper)?,
        Value::Type(name) => to.push_str(&format!("<class '{name}'>")),
        Value::ExceptionType(name) => to.push_str(&format!("<class '{name}'>")),
        Value::Exception(exception) if exception.exact => {
            to.push_str(exception.class_name());
            let args = exception.args.borrow();
            sequence(&args, to, "(", ")", deeper)?;
        }
        Value::Object(object) => match object.repr() {
            Some(text) => to.push_str(&text),
            None => return Err(Error::unsupported(format!("the text of a `{}`", object.type_name()))),
        },
        Value::Class(class) => return Err(nameless(class)),
        other => return Err(Error::unsupported(format!("the text of a `{}`", other.type_name()))),
    }
    Ok(())
}

fn nameless(class: &Class) -> Error {
    Error::unsupported(format!("the text of the class `{}`", class.name()))
}

fn sequence(items: &[Value], to: &mut String, open: &str, close: &str, depth: usize) -> Outcome<()> {
    to.push_str(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            to.push_str(", ");
        }
        write(item, to, depth)?;
    }
    to.push_str(close);
    Ok(())
}

fn members(set: &super::Set, to: &mut String, open: &str, close: &str, empty: &str, depth: usize) -> Outcome<()> {
    if set.is_empty() {
        to.push_str(empty);
        return Ok(());
    }
    if set.len() > 1 {
        return Err(Error::unsupported("the text of a set, whose order is not fixed"));
    }
    let items: Vec<Value> = set.iter().cloned().collect();
    sequence(&items, to, open, close, depth)
}

fn view_text(dict: &super::Dict, view: View, to: &mut String, depth: usize) -> Outcome<()> {
    let (open, items): (_, Vec<Value>) = match view {
        View::Keys => ("dict_keys([", dict.iter().map(|(key, _)| key.clone()).collect()),
        View::Values => ("dict_values([", dict.iter().map(|(_, value)| value.clone()).collect()),
        View::Items => {
            let pair = |(key, value): (&Value, &Value)| Value::tuple(vec![key.clone(), value.clone()]);
            ("dict_items([", dict.iter().map(pair).collect())
        }
    };
    sequence(&items, to, open, "])", depth)
}

/// `repr()` of a text.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if c == quote => {
                quoted.push('\\');
                quoted.push(c);
            }
            ' '..='~' => quoted.push(c),
            _ if unicode::is_printable(c) => quoted.push(c),
            _ => {
                let code = u32::from(c);
                quoted.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    quoted.push(quote);
    quoted
}

fn quoted_bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut quoted = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\\' => quoted.push_str("\\\\"),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            b if char::from(*b) == quote => {
                quoted.push('\\');
                quoted.push(quote);
            }
            b' '..=b'~' => quoted.push(char::from(*byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push(quote);
    quoted
}

/// `repr()` of a float: the fewest digits that read back as the same number.
pub(crate) fn float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}
