//! The types that are built in, with their methods.

mod bytes;
mod construct;
mod dict;
mod list;
mod number;
mod set;
mod sort;
mod split;
mod text;

use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::modules;
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::Value;

pub(crate) use construct::{construct, float_of_text, int_of_text};
pub(crate) use dict::{count_into, counter_operator, merge};
pub(crate) use sort::{key_function, sorted};

/// How many numbers a range has.
pub(crate) fn range_length(start: i64, stop: i64, step: i64) -> usize {
    let (start, stop, step) = (i128::from(start), i128::from(stop), i128::from(step));
    let length = match step {
        _ if step > 0 && start < stop => (stop - start - 1) / step + 1,
        _ if step < 0 && start > stop => (start - stop - 1) / -step + 1,
        _ => 0,
    };
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// All that CPython 3.11's types have, implemented or not: what else is asked for is an `AttributeError`.
fn python_attributes(value: &Value) -> Option<&'static [&'static str]> {
    Some(match value {
        Value::Str(_) => &[
            "capitalize",
            "casefold",
            "center",
            "count",
            "encode",
            "endswith",
            "expandtabs",
            "find",
            "format",
            "format_map",
            "index",
            "isalnum",
            "isalpha",
            "isascii",
            "isdecimal",
            "isdigit",
            "isidentifier",
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
            "maketrans",
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
        ],
        Value::List(_) => {
            &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"]
        }
        Value::Tuple(_) => &["count", "index"],
        Value::Dict(_) => &[
            "clear",
            "copy",
            "fromkeys",
            "get",
            "items",
            "keys",
            "pop",
            "popitem",
            "setdefault",
            "update",
            "values",
            "default_factory",
            "move_to_end",
            "most_common",
            "elements",
            "subtract",
            "total",
        ],
        Value::Set(_) => &[
            "add",
            "clear",
            "copy",
            "difference",
            "difference_update",
            "discard",
            "intersection",
            "intersection_update",
            "isdisjoint",
            "issubset",
            "issuperset",
            "pop",
            "remove",
            "symmetric_difference",
            "symmetric_difference_update",
            "union",
            "update",
        ],
        Value::FrozenSet(_) => &[
            "copy",
            "difference",
            "intersection",
            "isdisjoint",
            "issubset",
            "issuperset",
            "symmetric_difference",
            "union",
        ],
        Value::Bool(_) | Value::Int(_) | Value::Big(_) => &[
            "as_integer_ratio",
            "bit_count",
            "bit_length",
            "conjugate",
            "denominator",
            "from_bytes",
            "imag",
            "numerator",
            "real",
            "to_bytes",
        ],
        Value::Float(_) => &["as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"],
        Value::None => &[],
        _ => return None,
    })
}

/// The error of an attribute that a value does not have.
pub(crate) fn no_attribute(value: &Value, name: &str) -> Outcome<Value> {
    let type_name = value.type_name();
    let special = name.starts_with("__");
    match python_attributes(value) {
        Some(known) if !special && !known.contains(&name) => {
            Err(Error::raise("AttributeError", format!("'{type_name}' object has no attribute '{name}'")))
        }
        _ => Err(Error::unsupported(format!("`{name}` of a `{type_name}`"))),
    }
}

/// Whether an attribute or a method of this name is implemented, of whatever type.
pub(crate) fn is_attribute(name: &str) -> bool {
    let lists = [
        text::METHODS,
        list::METHODS,
        list::TUPLE_METHODS,
        dict::METHODS,
        set::METHODS,
        bytes::METHODS,
        number::METHODS,
        construct::TYPE_METHODS,
        &["__name__", "__class__", "args", "func", "start", "stop", "step", "__init__"],
    ];
    lists.iter().any(|list| list.contains(&name)) || modules::is_object_attribute(name)
}

/// Whether the methods of a value are called without being values of their own.
pub(crate) fn has_methods(value: &Value) -> bool {
    matches!(
        value,
        Value::Str(_)
            | Value::List(_)
            | Value::Dict(_)
            | Value::Set(_)
            | Value::Tuple(_)
            | Value::FrozenSet(_)
            | Value::Bytes(_)
            | Value::Object(_)
    )
}

pub(crate) fn has_method(value: &Value, name: &str) -> bool {
    let methods = match value {
        Value::Str(_) => text::METHODS,
        Value::List(_) => list::METHODS,
        Value::Tuple(_) => list::TUPLE_METHODS,
        Value::Dict(_) => dict::METHODS,
        Value::Set(_) | Value::FrozenSet(_) => set::METHODS,
        Value::Bytes(_) => bytes::METHODS,
        Value::Int(_) | Value::Bool(_) | Value::Float(_) | Value::Big(_) | Value::Scalar(_) => number::METHODS,
        _ => return false,
    };
    methods.contains(&name)
}

/// Whether a type has a method that can be taken from it: `str.lower`, `dict.fromkeys`.
pub(crate) fn has_type_method(class: &str, name: &str) -> bool {
    let methods = match class {
        "str" => text::METHODS,
        "list" => list::METHODS,
        "dict" | "OrderedDict" | "Counter" => dict::METHODS,
        "set" => set::METHODS,
        _ => &[],
    };
    methods.contains(&name) || construct::has_static(class, name)
}

/// Calls a method of a value.
pub(crate) fn call_method(session: &mut Session, object: &Value, name: &str, args: Arguments) -> Outcome<Value> {
    match object {
        Value::Str(text) => text::call(session, text, name, args),
        Value::List(list) => list::call(session, list, name, args),
        Value::Tuple(items) => list::call_tuple(items, name, args),
        Value::Dict(dict) => dict::call(session, dict, name, args),
        Value::Set(_) | Value::FrozenSet(_) => set::call(session, object, name, args),
        Value::Bytes(bytes) => bytes::call(bytes, name, args),
        Value::Int(_) | Value::Bool(_) | Value::Float(_) | Value::Big(_) | Value::Scalar(_) => {
            number::call(object, name, args)
        }
        Value::Object(known) => match known.attribute(name) {
            // An attribute that can be called.
            Some(function) => session.invoke(&function, args),
            None => Rc::clone(known).call_method(session, name, args),
        },
        Value::Type(class) => {
            if construct::has_static(class, name) {
                return construct::call_static(session, class, name, args);
            }
            let mut args = args;
            if args.positional.is_empty() {
                return Err(Error::type_error(format!("unbound method {class}.{name}() needs an argument")));
            }
            let first = args.positional.remove(0);
            if first.type_name() != *class {
                let found = first.type_name();
                let text = format!("descriptor '{name}' for '{class}' objects doesn't apply to a '{found}' object");
                return Err(Error::raise("TypeError", text));
            }
            call_method(session, &first, name, args)
        }
        other => no_attribute(other, name),
    }
}
