//! `format(value, spec)`.

use num_bigint::BigInt;

use super::Session;
use crate::error::{Error, Outcome};
use crate::value::{Scalar, Value, float_repr};

/// A format specification.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) fill: char,
    pub(super) align: Option<char>,
    pub(super) sign: char,
    pub(super) alternate: bool,
    pub(super) width: usize,
    pub(super) group: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

fn invalid(spec: &str) -> Error {
    Error::value_error(format!("Invalid format specifier '{spec}'"))
}

fn parse(session: &Session, spec: &str) -> Outcome<Spec> {
    let chars: Vec<char> = spec.chars().collect();
    let mut at = 0;
    let mut parsed = Spec {
        fill: ' ',
        align: None,
        sign: '-',
        alternate: false,
        width: 0,
        group: None,
        precision: None,
        kind: None,
    };
    let is_align = |c: Option<&char>| c.is_some_and(|c| matches!(c, '<' | '>' | '=' | '^'));
    if is_align(chars.get(1)) {
        (parsed.fill, parsed.align) = (chars[0], Some(chars[1]));
        at = 2;
    } else if is_align(chars.first()) {
        parsed.align = Some(chars[0]);
        at = 1;
    }
    if let Some(sign @ ('+' | '-' | ' ')) = chars.get(at) {
        parsed.sign = *sign;
        at += 1;
    }
    if chars.get(at) == Some(&'z') {
        return Err(Error::unsupported("`z` in a format"));
    }
    if chars.get(at) == Some(&'#') {
        parsed.alternate = true;
        at += 1;
    }
    if chars.get(at) == Some(&'0') {
        at += 1;
        if parsed.align.is_none() {
            (parsed.fill, parsed.align) = ('0', Some('0'));
        }
    }
    let number = |at: &mut usize| {
        let start = *at;
        while chars.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
        let digits: String = chars[start..*at].iter().collect();
        (!digits.is_empty()).then(|| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    if let Some(width) = number(&mut at) {
        session.fits(width)?;
        parsed.width = width;
    }
    if let Some(group @ (',' | '_')) = chars.get(at) {
        parsed.group = Some(*group);
        at += 1;
    }
    if chars.get(at) == Some(&'.') {
        at += 1;
        let precision =
            number(&mut at).ok_or_else(|| Error::raise("ValueError", "Format specifier missing precision"))?;
        session.fits(precision)?;
        parsed.precision = Some(precision);
    }
    match chars.get(at..) {
        Some([]) | None => {}
        Some([kind]) => parsed.kind = Some(*kind),
        Some(_) => return Err(invalid(spec)),
    }
    Ok(parsed)
}

/// `format(value, spec)`.
pub(crate) fn format_value(session: &mut Session, value: &Value, spec: &str) -> Outcome<String> {
    if let Value::Instance(instance) = value
        && instance.class.find("__format__").is_some()
    {
        return Err(Error::unsupported("a class with `__format__`"));
    }
    if spec.is_empty() {
        return session.str(value);
    }
    let float = |number: f64, session: &mut Session| {
        let spec = parse(session, spec)?;
        format_float(number, &spec)
    };
    match value {
        Value::Str(text) => {
            let spec = parse(session, spec)?;
            if !matches!(spec.kind, None | Some('s')) {
                let kind = spec.kind.unwrap_or(' ');
                return Err(Error::raise("ValueError", unknown_code(kind, "str")));
            }
            if spec.sign != '-' || spec.alternate || spec.group.is_some() || spec.align == Some('=') {
                return Err(Error::value_error("this format is not allowed for a string"));
            }
            let text: String = match spec.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text.to_string(),
            };
            Ok(pad("", &text, &spec, '<'))
        }
        Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Scalar(Scalar::Int(_)) => {
            let parsed = parse(session, spec)?;
            format_int(value, &parsed)
        }
        Value::Float(number) | Value::Scalar(Scalar::Float(number)) => float(*number, session),
        Value::Scalar(Scalar::Bool(_)) | Value::Instance(_) | Value::Object(_) | Value::Exception(_) => {
            Err(Error::unsupported(format!("a format for a `{}`", value.type_name())))
        }
        other => {
            let text = format!("unsupported format string passed to {}.__format__", other.type_name());
            Err(Error::raise("TypeError", text))
        }
    }
}

fn unknown_code(kind: char, of: &str) -> String {
    format!("Unknown format code '{kind}' for object of type '{of}'")
}

/// Fills up to the width. The prefix is what a sign or `0x` is.
pub(super) fn pad(prefix: &str, body: &str, spec: &Spec, default: char) -> String {
    let length = prefix.chars().count() + body.chars().count();
    let missing = spec.width.saturating_sub(length);
    let fill = |count: usize| std::iter::repeat_n(spec.fill, count).collect::<String>();
    match spec.align.unwrap_or(default) {
        '<' => format!("{prefix}{body}{}", fill(missing)),
        '^' => format!("{}{prefix}{body}{}", fill(missing / 2), fill(missing - missing / 2)),
        '=' => format!("{prefix}{}{body}", fill(missing)),
        '0' if default == '>' => format!("{prefix}{}{body}", fill(missing)),
        '0' => format!("{prefix}{body}{}", fill(missing)),
        _ => format!("{}{prefix}{body}", fill(missing)),
    }
}

fn sign_of(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, '+') => "+",
        (false, ' ') => " ",
        _ => "",
    }
}

/// Digits in groups.
pub(crate) fn group_digits(digits: &str, sign: char, size: usize) -> String {
    let length = digits.len();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (length - index).is_multiple_of(size) {
            text.push(sign);
        }
        text.push(digit);
    }
    text
}

fn refuse_filled_groups(spec: &Spec) -> Outcome<()> {
    let zeros = spec.align == Some('0') || spec.align == Some('=') && spec.fill == '0';
    if spec.group.is_some() && zeros && spec.width > 0 {
        return Err(Error::unsupported("groups of digits with zeros before them in a format"));
    }
    Ok(())
}

pub(super) fn format_int(value: &Value, spec: &Spec) -> Outcome<String> {
    let number = match value {
        Value::Big(number) => (**number).clone(),
        other => BigInt::from(other.as_int().unwrap_or_default()),
    };
    let kind = spec.kind.unwrap_or('d');
    if matches!(kind, 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') {
        return match value.as_float() {
            Some(float) => format_float(float, spec),
            None => Err(Error::raise("OverflowError", "int too large to convert to float")),
        };
    }
    if spec.precision.is_some() {
        return Err(Error::raise("ValueError", "Precision not allowed in integer format specifier"));
    }
    let (radix, prefix) = match kind {
        'd' => (10, ""),
        'b' => (2, "0b"),
        'o' => (8, "0o"),
        'x' => (16, "0x"),
        'X' => (16, "0X"),
        'c' | 'n' => return Err(Error::unsupported(format!("the format code `{kind}`"))),
        other => return Err(Error::raise("ValueError", unknown_code(other, value.type_name()))),
    };
    refuse_filled_groups(spec)?;
    let negative = number.sign() == num_bigint::Sign::Minus;
    let mut digits = number.magnitude().to_str_radix(radix);
    if kind == 'X' {
        digits.make_ascii_uppercase();
    }
    if let Some(group) = spec.group {
        if radix != 10 && group == ',' {
            return Err(Error::value_error(format!("Cannot specify ',' with '{kind}'.")));
        }
        digits = group_digits(&digits, group, if radix == 10 { 3 } else { 4 });
    }
    let prefix = format!("{}{}", sign_of(negative, spec), if spec.alternate { prefix } else { "" });
    Ok(pad(&prefix, &digits, spec, '>'))
}

pub(super) fn format_float(number: f64, spec: &Spec) -> Outcome<String> {
    refuse_filled_groups(spec)?;
    if spec.alternate {
        return Err(Error::unsupported("`#` in the format of a float"));
    }
    let kind = spec.kind.unwrap_or(' ');
    let magnitude = number.abs();
    let mut body = if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        "inf".to_owned()
    } else {
        match kind {
            'f' | 'F' => format!("{magnitude:.*}", spec.precision.unwrap_or(6)),
            'e' | 'E' => scientific(magnitude, spec.precision.unwrap_or(6)),
            'g' | 'G' => general(magnitude, spec.precision.unwrap_or(6), false),
            '%' => format!("{:.*}", spec.precision.unwrap_or(6), magnitude * 100.0),
            ' ' => match spec.precision {
                None => float_repr(magnitude),
                Some(precision) => general(magnitude, precision, true),
            },
            'n' => return Err(Error::unsupported("the format code `n`")),
            other => return Err(Error::raise("ValueError", unknown_code(other, "float"))),
        }
    };
    if kind.is_ascii_uppercase() {
        body.make_ascii_uppercase();
    }
    if let Some(group) = spec.group
        && number.is_finite()
    {
        let whole = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
        let rest = body.split_off(whole);
        body = group_digits(&body, group, 3) + &rest;
    }
    if kind == '%' {
        body.push('%');
    }
    let negative = number.is_sign_negative() && !number.is_nan();
    Ok(pad(sign_of(negative, spec), &body, spec, '>'))
}

/// `1.5e+00`.
fn scientific(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// The shorter of both notations, without zeros at the end.
fn general(number: f64, precision: usize, with_point: bool) -> String {
    let precision = precision.max(1);
    let rounded = format!("{number:.*e}", precision - 1);
    let exponent: i64 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or_default();
    let precision_signed = i64::try_from(precision).unwrap_or(i64::MAX);
    let strip = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    if exponent < -4 || exponent >= precision_signed - i64::from(with_point) {
        let text = scientific(number, precision - 1);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", strip(mantissa));
    }
    let decimals = usize::try_from(precision_signed - 1 - exponent).unwrap_or_default();
    let text = strip(&format!("{number:.decimals$}"));
    if with_point && !text.contains('.') { format!("{text}.0") } else { text }
}
