//! Methods of texts.

mod search;

use self::search::Window;
use super::split;
use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::unicode;
use crate::value::{Dict, Str, Value};

pub(super) const METHODS: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

fn text(value: impl Into<Str>) -> Value {
    Value::Str(value.into())
}

/// The text that an argument must be.
pub(super) fn expect_text<'v>(value: &'v Value, method: &str) -> Outcome<&'v Str> {
    match value {
        Value::Str(text) => Ok(text),
        other => {
            let name = other.type_name();
            Err(Error::type_error(format!("{method}() argument must be str, not {name}")))
        }
    }
}

pub(super) fn call(session: &mut Session, own: &Str, name: &str, args: Arguments) -> Outcome<Value> {
    let flag = |test: fn(char) -> bool| Ok(Value::Bool(!own.is_empty() && own.chars().all(test)));
    match name {
        "strip" | "lstrip" | "rstrip" => strip(own, name, args),
        "lower" => args.exactly::<0>(name).map(|_| text(unicode::lower(own))),
        "upper" => args.exactly::<0>(name).map(|_| text(unicode::upper(own))),
        "casefold" => args.exactly::<0>(name).map(|_| text(unicode::fold(own))),
        "title" => args.exactly::<0>(name).map(|_| text(title(own))),
        "capitalize" => {
            args.exactly::<0>(name)?;
            let mut chars = own.chars();
            let mut result = String::new();
            if let Some(first) = chars.next() {
                unicode::title(first, &mut result);
            }
            // A sigma at the end is lowered by its place in the whole text.
            let rest = unicode::lower(chars.as_str());
            if own.contains('Σ') {
                return Err(Error::unsupported("`capitalize` of a text with a capital sigma"));
            }
            result.push_str(&rest);
            Ok(text(result))
        }
        "swapcase" => {
            args.exactly::<0>(name)?;
            if !own.is_ascii() {
                return Err(Error::unsupported("`swapcase` of a text with other characters than those of ASCII"));
            }
            let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            Ok(text(own.chars().map(swap).collect::<String>()))
        }
        "replace" => {
            let [old, new, count] = args.bind(name, ["old", "new", "count"], 2)?;
            let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
            let (old, new) = (expect_text(&old, name)?, expect_text(&new, name)?);
            let count = match count {
                Some(count) => count.as_int().ok_or_else(|| Error::type_error("the count must be an integer"))?,
                None => -1,
            };
            let result = match usize::try_from(count) {
                Ok(count) => own.replacen(&**old, new, count),
                Err(_) => own.replace(&**old, new),
            };
            session.fits(result.len())?;
            Ok(text(result))
        }
        "split" | "rsplit" | "splitlines" | "partition" | "rpartition" => split::call(own, name, args),
        "join" => {
            let [items] = args.exactly(name)?;
            join(session, own, &items)
        }
        "startswith" | "endswith" | "find" | "rfind" | "index" | "rindex" | "count" => search::call(own, name, args),
        "removeprefix" | "removesuffix" => {
            let [part] = args.exactly(name)?;
            let part = expect_text(&part, name)?;
            let stripped = if name == "removeprefix" { own.strip_prefix(&**part) } else { own.strip_suffix(&**part) };
            Ok(stripped.map_or_else(|| text(own.clone()), text))
        }
        "format" => session.fill_template(own, &args).map(text),
        "encode" => {
            let [encoding, errors] = args.bind(name, ["encoding", "errors"], 0)?;
            let encoding = encoding.as_ref().and_then(Value::as_str).unwrap_or("utf-8").to_lowercase();
            match (encoding.as_str(), errors) {
                ("utf-8" | "utf8", _) => Ok(Value::Bytes(own.as_bytes().into())),
                ("ascii", None) if own.is_ascii() => Ok(Value::Bytes(own.as_bytes().into())),
                ("ascii", Some(errors)) if errors.as_str() == Some("ignore") => {
                    Ok(Value::Bytes(own.bytes().filter(u8::is_ascii).collect::<Vec<u8>>().into()))
                }
                (other, _) => Err(Error::unsupported(format!("the encoding `{other}`"))),
            }
        }
        "ljust" | "rjust" | "center" => justify(session, own, name, args),
        "zfill" => {
            let [width] = args.exactly(name)?;
            let width = width.as_int().ok_or_else(|| Error::type_error("the width must be an integer"))?;
            let missing = usize::try_from(width).unwrap_or_default().saturating_sub(own.length());
            session.fits(missing)?;
            let (sign, digits) = match own.strip_prefix(['+', '-']) {
                Some(rest) => own.split_at(own.len() - rest.len()),
                None => ("", &**own),
            };
            Ok(text(format!("{sign}{}{digits}", "0".repeat(missing))))
        }
        "translate" => {
            let [table] = args.exactly(name)?;
            translate(own, &table)
        }
        "isascii" => args.exactly::<0>(name).map(|_| Value::Bool(own.is_ascii())),
        "isalpha" => args.exactly::<0>(name).and_then(|_| flag(unicode::is_alpha)),
        "isalnum" => args.exactly::<0>(name).and_then(|_| flag(unicode::is_alnum)),
        "isdecimal" => args.exactly::<0>(name).and_then(|_| flag(unicode::is_decimal)),
        "isdigit" => args.exactly::<0>(name).and_then(|_| flag(unicode::is_digit)),
        "isnumeric" => args.exactly::<0>(name).and_then(|_| flag(unicode::is_numeric)),
        "isspace" => args.exactly::<0>(name).and_then(|_| flag(unicode::is_space)),
        "isprintable" => args.exactly::<0>(name).map(|_| Value::Bool(own.chars().all(unicode::is_printable))),
        "islower" => {
            args.exactly::<0>(name)?;
            let other = |c: char| unicode::is_upper(c) || unicode::is_title_case(c);
            Ok(Value::Bool(own.chars().any(unicode::is_lower) && !own.chars().any(other)))
        }
        "isupper" => {
            args.exactly::<0>(name)?;
            let other = |c: char| unicode::is_lower(c) || unicode::is_title_case(c);
            Ok(Value::Bool(own.chars().any(unicode::is_upper) && !own.chars().any(other)))
        }
        "istitle" => args.exactly::<0>(name).map(|_| Value::Bool(is_title(own))),
        _ => super::no_attribute(&Value::Str(own.clone()), name),
    }
}

fn strip(own: &Str, name: &str, args: Arguments) -> Outcome<Value> {
    let [chars] = args.bind(name, ["chars"], 0)?;
    let set: Option<Vec<char>> = match chars {
        None | Some(Value::None) => None,
        Some(Value::Str(chars)) => Some(chars.chars().collect()),
        Some(other) => {
            let text = format!("{name} arg must be None or str");
            let _ = other;
            return Err(Error::raise("TypeError", text));
        }
    };
    let strips = |c: char| match &set {
        Some(set) => set.contains(&c),
        None => unicode::is_space(c),
    };
    let mut result: &str = own;
    if name != "rstrip" {
        result = result.trim_start_matches(strips);
    }
    if name != "lstrip" {
        result = result.trim_end_matches(strips);
    }
    Ok(if result.len() == own.len() { Value::Str(own.clone()) } else { text(result) })
}

fn title(own: &Str) -> String {
    let mut result = String::new();
    let mut after_cased = false;
    for c in own.chars() {
        if after_cased {
            result.push_str(&unicode::lower(c.encode_utf8(&mut [0; 4])))
        } else {
            unicode::title(c, &mut result)
        }
        after_cased = unicode::is_cased(c);
    }
    result
}

fn is_title(own: &Str) -> bool {
    let (mut any, mut after_cased) = (false, false);
    for c in own.chars() {
        let starts = unicode::is_upper(c) || unicode::is_title_case(c);
        if starts && after_cased || unicode::is_lower(c) && !after_cased {
            return false;
        }
        after_cased = unicode::is_cased(c);
        any |= after_cased;
    }
    any
}

fn join(session: &mut Session, own: &Str, items: &Value) -> Outcome<Value> {
    if !matches!(items, Value::List(_) | Value::Tuple(_)) && session.iterate(items).is_err() {
        if let Value::Object(_) | Value::Instance(_) = items {
            return Err(Error::unsupported(format!("joining a `{}`", items.type_name())));
        }
        return Err(Error::raise("TypeError", "can only join an iterable"));
    }
    let items = session.collect(items)?;
    let mut result = String::new();
    for (index, item) in items.iter().enumerate() {
        let Value::Str(part) = item else {
            let name = item.type_name();
            let text = format!("sequence item {index}: expected str instance, {name} found");
            return Err(Error::raise("TypeError", text));
        };
        if index > 0 {
            result.push_str(own);
        }
        result.push_str(part);
        session.fits(result.len())?;
    }
    Ok(text(result))
}

fn justify(session: &Session, own: &Str, name: &str, args: Arguments) -> Outcome<Value> {
    let [width, fill] = args.bind(name, ["width", "fillchar"], 1)?;
    let width =
        width.as_ref().and_then(Value::as_int).ok_or_else(|| Error::type_error("the width must be an integer"))?;
    let fill = match &fill {
        None => ' ',
        Some(fill) => {
            let fill = expect_text(fill, name)?;
            let mut chars = fill.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => c,
                _ => {
                    let text = "The fill character must be exactly one character long";
                    return Err(Error::raise("TypeError", text));
                }
            }
        }
    };
    let width = usize::try_from(width).unwrap_or_default();
    let missing = width.saturating_sub(own.length());
    session.fits(missing)?;
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        // CPython puts the odd one to the left when the width is odd.
        _ => missing / 2 + (missing & width & 1),
    };
    let pad = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Ok(text(format!("{}{own}{}", pad(left), pad(missing - left))))
}

fn translate(own: &Str, table: &Value) -> Outcome<Value> {
    let Value::Dict(table) = table else {
        return Err(Error::unsupported("`translate` with another table than a dictionary"));
    };
    let table = table.borrow();
    let mut result = String::new();
    for c in own.chars() {
        match table.get(&Value::Int(i64::from(u32::from(c))))? {
            None => result.push(c),
            Some(Value::None) => {}
            Some(Value::Str(text)) => result.push_str(text),
            Some(Value::Int(code)) => match u32::try_from(*code).ok().and_then(char::from_u32) {
                Some(c) => result.push(c),
                None => return Err(Error::unsupported("`translate` to this code point")),
            },
            Some(_) => {
                let text = "character mapping must return integer, None or str";
                return Err(Error::raise("TypeError", text));
            }
        }
    }
    Ok(text(result))
}

/// `str.maketrans`.
pub(super) fn maketrans(session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [from, to, delete] = args.bind("maketrans", ["x", "y", "z"], 1)?;
    let mut table = Dict::new();
    let code = |c: char| Value::Int(i64::from(u32::from(c)));
    match (from, to) {
        (Some(Value::Str(from)), Some(Value::Str(to))) => {
            if from.length() != to.length() {
                let text = "the first two maketrans arguments must have equal length";
                return Err(Error::raise("ValueError", text));
            }
            for (a, b) in from.chars().zip(to.chars()) {
                table.insert(code(a), code(b))?;
            }
            if let Some(delete) = delete {
                for c in expect_text(&delete, "maketrans")?.chars() {
                    table.insert(code(c), Value::None)?;
                }
            }
        }
        (Some(mapping @ Value::Dict(_)), None) => {
            for (key, value) in session.entries(&mapping)? {
                let key = match &key {
                    Value::Str(text) => match (text.length(), text.chars().next()) {
                        (1, Some(c)) => code(c),
                        _ => {
                            let text = "string keys in translate table must be of length 1";
                            return Err(Error::raise("ValueError", text));
                        }
                    },
                    Value::Int(_) => key,
                    _ => {
                        let text = "keys in translate table must be strings or integers";
                        return Err(Error::raise("TypeError", text));
                    }
                };
                table.insert(key, value)?;
            }
        }
        _ => return Err(Error::type_error("maketrans() needs a dictionary, or two or three texts")),
    }
    Ok(Value::Dict(std::rc::Rc::new(std::cell::RefCell::new(table))))
}

/// For methods that look at a part of a text only.
fn window(own: &Str, start: Option<&Value>, stop: Option<&Value>) -> Outcome<Option<Window>> {
    Window::new(own, start, stop)
}
