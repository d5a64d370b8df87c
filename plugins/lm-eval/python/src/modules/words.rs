//! `string`, `unicodedata`, `ast` and `sys`.

use std::any::Any;

use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::unicode;
use crate::value::{Object, Str, Value};

pub(super) fn string(name: &str) -> Option<Value> {
    Some(Value::str(match name {
        "ascii_lowercase" => "abcdefghijklmnopqrstuvwxyz",
        "ascii_uppercase" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "ascii_letters" => "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "digits" => "0123456789",
        "hexdigits" => "0123456789abcdefABCDEF",
        "octdigits" => "01234567",
        "punctuation" => "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
        "whitespace" => " \t\n\r\u{b}\u{c}",
        _ => return None,
    }))
}

pub(super) fn unicodedata(name: &str) -> Option<Value> {
    Some(match name {
        "category" => Value::Native("unicodedata.category", category),
        "normalize" => Value::Native("unicodedata.normalize", normalize),
        "combining" => Value::Native("unicodedata.combining", combining),
        _ => return None,
    })
}

pub(super) fn ast(name: &str) -> Option<Value> {
    (name == "literal_eval").then_some(Value::Native("ast.literal_eval", literal_eval))
}

pub(super) fn sys(name: &str) -> Option<Value> {
    Some(match name {
        "maxunicode" => Value::Int(0x10_ffff),
        "maxsize" => Value::Int(i64::MAX),
        _ => return None,
    })
}

fn literal_eval(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [text] = args.exactly("literal_eval")?;
    match &text {
        Value::Str(text) => crate::literal_eval(text),
        Value::Bytes(_) => Err(Error::unsupported("`literal_eval` of bytes")),
        _ => Err(Error::raise_inexact("ValueError", "malformed node or string")),
    }
}

fn one(value: &Value, name: &str) -> Outcome<char> {
    let text = value.as_str().unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(c),
        _ => Err(Error::type_error(format!("{name}() argument must be a unicode character"))),
    }
}

/// Half a surrogate pair: a text of Python that no text here can hold. It has a category, and nothing else.
#[derive(Debug)]
pub(super) struct Surrogate;

impl Object for Surrogate {
    fn type_name(&self) -> &'static str {
        "half a surrogate pair"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn category(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [c] = args.exactly("category")?;
    if let Value::Object(object) = &c
        && object.as_any().is::<Surrogate>()
    {
        return Ok(Value::str("Cs"));
    }
    Ok(Value::str(unicode::category(one(&c, "category")?)))
}

fn combining(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [c] = args.exactly("combining")?;
    let c = one(&c, "combining")?;
    let class = if unicode::is_assigned(c) { unicode_normalization::char::canonical_combining_class(c) } else { 0 };
    Ok(Value::Int(i64::from(class)))
}

fn normalize(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [form, text] = args.exactly("normalize")?;
    let (Value::Str(form), Value::Str(text)) = (&form, &text) else {
        return Err(Error::type_error("normalize() arguments must be str"));
    };
    if text.is_ascii() && matches!(&**form, "NFC" | "NFD" | "NFKC" | "NFKD") {
        return Ok(Value::Str(text.clone()));
    }
    if !text.chars().all(unicode::is_assigned) {
        return Err(Error::unsupported("normalizing characters that Unicode 14 does not have"));
    }
    let normalized: String = match &**form {
        "NFC" => text.nfc().collect(),
        "NFD" => text.nfd().collect(),
        "NFKC" => text.nfkc().collect(),
        "NFKD" => text.nfkd().collect(),
        _ => return Err(Error::raise("ValueError", "invalid normalization form")),
    };
    Ok(Value::Str(Str::from(normalized)))
}
