//! `text % values`.

use super::Session;
use super::format::{Spec, format_float, format_int, pad};
use crate::error::{Error, Outcome};
use crate::value::{Scalar, Str, Value, int_of_float};

/// `text % values`.
pub(super) fn percent(session: &mut Session, text: &Str, values: &Value) -> Outcome<Value> {
    let chars: Vec<char> = text.chars().collect();
    let single = [values.clone()];
    let tuple: &[Value] = match values {
        Value::Tuple(items) => items,
        _ => &single,
    };
    let (mut next, mut named) = (0, false);
    let mut result = String::new();
    let mut at = 0;
    let incomplete = || Error::raise("ValueError", "incomplete format");
    while let Some(c) = chars.get(at) {
        at += 1;
        if *c != '%' {
            result.push(*c);
            continue;
        }
        let mut key = None;
        if chars.get(at) == Some(&'(') {
            let start = at + 1;
            let mut depth = 1;
            at = start;
            while depth > 0 {
                match chars.get(at) {
                    Some('(') => depth += 1,
                    Some(')') => depth -= 1,
                    Some(_) => {}
                    None => return Err(Error::raise("ValueError", "incomplete format key")),
                }
                at += 1;
            }
            key = Some(chars[start..at - 1].iter().collect::<String>());
        }
        let mut spec = Spec {
            fill: ' ',
            align: Some('>'),
            sign: '-',
            alternate: false,
            width: 0,
            group: None,
            precision: None,
            kind: None,
        };
        let (mut left, mut zero) = (false, false);
        loop {
            match chars.get(at) {
                Some('-') => left = true,
                Some('0') => zero = true,
                Some('+') => spec.sign = '+',
                Some(' ') if spec.sign == '-' => spec.sign = ' ',
                Some(' ') => {}
                Some('#') => return Err(Error::unsupported("`#` in a format with `%`")),
                _ => break,
            }
            at += 1;
        }
        let number = |at: &mut usize| {
            let start = *at;
            while chars.get(*at).is_some_and(char::is_ascii_digit) {
                *at += 1;
            }
            chars[start..*at].iter().collect::<String>().parse::<usize>().unwrap_or_default()
        };
        if chars.get(at) == Some(&'*') {
            return Err(Error::unsupported("`*` in a format with `%`"));
        }
        spec.width = number(&mut at);
        if chars.get(at) == Some(&'.') {
            at += 1;
            if chars.get(at) == Some(&'*') {
                return Err(Error::unsupported("`*` in a format with `%`"));
            }
            spec.precision = Some(number(&mut at));
        }
        session.fits(spec.width.max(spec.precision.unwrap_or_default()))?;
        while matches!(chars.get(at), Some('h' | 'l' | 'L')) {
            at += 1;
        }
        let kind = *chars.get(at).ok_or_else(incomplete)?;
        at += 1;
        if kind == '%' {
            result.push('%');
            continue;
        }
        let value = match key {
            Some(key) => {
                named = true;
                if !matches!(values, Value::Dict(_)) {
                    return Err(Error::raise("TypeError", "format requires a mapping"));
                }
                session.item(values, &Value::str(&key))?
            }
            None => {
                let value = tuple.get(next).cloned();
                next += 1;
                value.ok_or_else(|| Error::raise("TypeError", "not enough arguments for format string"))?
            }
        };
        if left {
            spec.align = Some('<');
        } else if zero {
            (spec.fill, spec.align) = ('0', Some('0'));
        }
        result.push_str(&one(session, &value, kind, spec)?);
    }
    let all_used = named || next == tuple.len() || next == 0 && matches!(values, Value::Dict(_) | Value::List(_));
    if !all_used {
        return Err(Error::raise("TypeError", "not all arguments converted during string formatting"));
    }
    Ok(Value::Str(Str::from(result)))
}

fn one(session: &mut Session, value: &Value, kind: char, mut spec: Spec) -> Outcome<String> {
    match kind {
        's' | 'r' => {
            let text = if kind == 's' { session.str(value)? } else { session.repr(value)? };
            let text: String = match spec.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text,
            };
            if spec.fill == '0' {
                (spec.fill, spec.align) = (' ', Some('>'));
            }
            Ok(pad("", &text, &spec, '>'))
        }
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let whole = match value {
                Value::Float(number) | Value::Scalar(Scalar::Float(number)) if matches!(kind, 'd' | 'i' | 'u') => {
                    int_of_float(number.trunc())
                        .ok_or_else(|| Error::raise_inexact("ValueError", "cannot convert float to integer"))?
                }
                Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Scalar(Scalar::Int(_)) => value.clone(),
                other => {
                    let name = other.type_name();
                    let needed = if matches!(kind, 'd' | 'i' | 'u') { "a real number is" } else { "an integer is" };
                    return Err(Error::raise("TypeError", format!("%{kind} format: {needed} required, not {name}")));
                }
            };
            if spec.precision.is_some() {
                return Err(Error::unsupported("a precision of a whole number in a format with `%`"));
            }
            spec.kind = Some(if matches!(kind, 'i' | 'u') { 'd' } else { kind });
            format_int(&whole, &spec)
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => match value.as_float() {
            Some(number) if !matches!(value, Value::Scalar(Scalar::Bool(_))) => {
                spec.kind = Some(kind);
                format_float(number, &spec)
            }
            _ => Err(Error::raise("TypeError", format!("must be real number, not {}", value.type_name()))),
        },
        'c' | 'a' => Err(Error::unsupported(format!("`%{kind}`"))),
        _ => Err(Error::raise_inexact("ValueError", format!("unsupported format character '{kind}'"))),
    }
}
