//! Operations on the values of Python, as templates use them.

use super::ast::{Binary, Comparison};
use examiner_python::{Dict, Error, Object, Session, Value, repr_of, str_of};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// Why a template cannot be filled: a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed(pub(super) String);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed(error.to_string())
    }
}

/// A value, or that there is none, with the name of what is missing.
pub(super) enum Found {
    Value(Value),
    Missing(String),
}

impl Found {
    /// The value; what is undefined is an error.
    pub(super) fn value(self) -> Result<Value, Failed> {
        match self {
            Found::Value(value) => Ok(value),
            Found::Missing(name) => Err(Failed(format!("`{name}` is undefined"))),
        }
    }
}

/// What the filters give that are generators in Python: it can be gone through once, and not be printed.
#[derive(Debug)]
pub(super) struct Generator {
    items: RefCell<Vec<Value>>,
}

impl Generator {
    /// Items as a generator.
    pub(super) fn value(items: Vec<Value>) -> Value {
        Value::Object(Rc::new(Generator { items: RefCell::new(items) }))
    }
}

impl Object for Generator {
    fn type_name(&self) -> &'static str {
        "generator"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.items.take())
    }
}

/// Adds a value to a text as Python's `str` writes it.
pub(super) fn print(value: &Value, text: &mut String) -> Result<(), Failed> {
    match value {
        Value::Str(written) => text.push_str(written),
        _ => text.push_str(&text_of(value)?),
    }
    Ok(())
}

/// A value as Python's `str` writes it.
pub(super) fn text_of(value: &Value) -> Result<String, Failed> {
    match is_plain(value) {
        true => Ok(str_of(value)),
        false => Err(Failed(format!("a `{}` as a text", value.type_name()))),
    }
}

/// Whether a value is data, whose text is the same in every run.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) | Value::Scalar(_) | Value::Str(_) => true,
        Value::Bytes(_) | Value::Range(..) => true,
        Value::List(items) => items.borrow().iter().all(is_plain),
        Value::Tuple(items) => items.iter().all(is_plain),
        Value::Dict(dict) => dict.borrow().iter().all(|(key, value)| is_plain(key) && is_plain(value)),
        _ => false,
    }
}

/// A value in a message.
pub(super) fn shown(value: &Value) -> String {
    if is_plain(value) { repr_of(value) } else { value.type_name().to_owned() }
}

/// A field of a document.
pub(super) fn field(document: &Value, name: &str) -> Option<Value> {
    match document {
        Value::Dict(fields) => fields.borrow().get_str(name).cloned(),
        _ => None,
    }
}

/// A dictionary of these pairs.
pub(super) fn dict(pairs: Vec<(Value, Value)>) -> Result<Value, Failed> {
    let mut dict = Dict::new();
    for (key, value) in pairs {
        dict.insert(key, value)?;
    }
    Ok(Value::Dict(Rc::new(RefCell::new(dict))))
}
