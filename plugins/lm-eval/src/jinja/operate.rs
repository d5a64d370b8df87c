//! Operations on the values of Python, as templates use them.

use super::ast::{Binary, Comparison};
use examiner_python::{Arguments, Dict, Error, Object, Operator, Relation, Session, Value, repr_of, str_of};
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

/// A value, or that there is none.
pub(super) enum Found {
    Value(Value),
    /// What is missing has this name.
    Missing(String),
    /// What a choice by `if` without `else` gives: it is undefined, and yet no error to write.
    Nothing,
}

impl Found {
    /// The value; what is undefined is an error.
    pub(super) fn value(self) -> Result<Value, Failed> {
        match self {
            Found::Value(value) => Ok(value),
            Found::Missing(name) => Err(Failed(format!("`{name}` is undefined"))),
            Found::Nothing => Err(Failed("a choice by `if` without `else`, of which nothing is chosen".to_owned())),
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
        Value::None
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Big(_)
        | Value::Float(_)
        | Value::Scalar(_)
        | Value::Str(_) => true,
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

/// What an operation gives, none where it raises one of Python's usual exceptions for what is not there.
fn unless_missing(result: Result<Value, Error>) -> Result<Option<Value>, Failed> {
    unless_raised(result, &["AttributeError", "TypeError", "LookupError"])
}

fn unless_raised(result: Result<Value, Error>, classes: &[&str]) -> Result<Option<Value>, Failed> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Exception(raised)) if classes.iter().any(|class| raised.exception.is_a(class)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The value of a call, none where it raises `TypeError` or `ValueError`, as filters with a default pass over it.
pub(super) fn attempt(result: Result<Value, Failed>) -> Result<Option<Value>, Failed> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failed) if ["TypeError", "ValueError", "OverflowError"].iter().any(|class| failed.0.starts_with(class)) => {
            Ok(None)
        }
        Err(failed) => Err(failed),
    }
}

/// All that iterating over a value gives.
pub(super) fn iterate(session: &mut Session, value: &Value) -> Result<Vec<Value>, Failed> {
    Ok(session.collect(value)?)
}

/// `value.name`, or `value[name]` where there is no such attribute.
pub(super) fn attribute_or_item(session: &mut Session, value: &Value, name: &str) -> Result<Option<Value>, Failed> {
    // What a document holds has no attributes but the methods of dictionaries.
    match unless_raised(session.attribute_of(value, name), &["AttributeError"])? {
        Some(found) => Ok(Some(found)),
        None => unless_missing(session.item_of(value, &Value::str(name))),
    }
}

/// `value[index]`, or `value.index` where there is no such item and the index is a text.
pub(super) fn item_or_attribute(session: &mut Session, value: &Value, index: &Value) -> Result<Option<Value>, Failed> {
    match (unless_missing(session.item_of(value, index))?, index.as_str()) {
        (None, Some(name)) => unless_raised(session.attribute_of(value, name), &["AttributeError"]),
        (found, _) => Ok(found),
    }
}

/// `value[start:stop:step]`.
pub(super) fn slice(session: &mut Session, value: &Value, bounds: [Value; 3]) -> Result<Value, Failed> {
    Ok(session.item_of(value, &Value::Slice(Rc::new(bounds)))?)
}

/// `range(...)`.
pub(super) fn range(bounds: &[Value]) -> Result<Value, Failed> {
    // Jinja2 itself has no bound; a text of so many rounds is none that anybody means.
    const LENGTH_MAX: i64 = 1_000_000;
    let bounds: Option<Vec<i64>> = bounds
        .iter()
        .map(|bound| match bound {
            Value::Int(_) | Value::Bool(_) => bound.as_int(),
            _ => None,
        })
        .collect();
    let (start, stop, step) = match bounds.as_deref() {
        Some([stop]) => (0, *stop, 1),
        Some([start, stop]) => (*start, *stop, 1),
        Some([start, stop, step]) if *step != 0 => (*start, *stop, *step),
        _ => return Err(Failed("`range` of other than one to three whole numbers".to_owned())),
    };
    match stop.checked_sub(start).is_some_and(|length| length.saturating_abs() <= LENGTH_MAX) {
        true => Ok(Value::Range(start, stop, step)),
        false => Err(Failed(format!("a `range` of more than {LENGTH_MAX} numbers"))),
    }
}

/// A call.
pub(super) fn call(
    session: &mut Session,
    callee: Value,
    values: Vec<Value>,
    named: Vec<(String, Value)>,
) -> Result<Value, Failed> {
    let keywords = named.into_iter().map(|(name, value)| (name.as_str().into(), value)).collect();
    Ok(session.call_value(&callee, Arguments { positional: values, keywords })?)
}

/// A call of a method.
pub(super) fn method(session: &mut Session, value: &Value, name: &str, values: Vec<Value>) -> Result<Value, Failed> {
    let method = session.attribute_of(value, name)?;
    call(session, method, values, Vec::new())
}

/// `int(...)` or `float(...)`.
pub(super) fn convert(session: &mut Session, class: &'static str, values: Vec<Value>) -> Result<Value, Failed> {
    call(session, Value::Type(class), values, Vec::new())
}

/// `len(value)`.
pub(super) fn length(value: &Value) -> Result<Value, Failed> {
    let length = match value {
        Value::Str(text) => text.length(),
        Value::List(items) => items.borrow().len(),
        Value::Tuple(items) => items.len(),
        Value::Dict(fields) => fields.borrow().len(),
        Value::Set(items) => items.borrow().len(),
        other => return Err(Failed(format!("the length of a `{}`", other.type_name()))),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// `abs(value)`.
pub(super) fn absolute(value: &Value) -> Result<Value, Failed> {
    match value {
        Value::Float(number) => Ok(Value::Float(number.abs())),
        Value::Int(_) | Value::Bool(_) => {
            let number = value.as_int().and_then(i64::checked_abs);
            number.map(Value::Int).ok_or_else(|| Failed("a number that is too large".to_owned()))
        }
        other => Err(Failed(format!("the filter `abs` of a `{}`", other.type_name()))),
    }
}

/// `-value`.
pub(super) fn negative(session: &mut Session, value: &Value) -> Result<Value, Failed> {
    match value {
        Value::Float(number) => Ok(Value::Float(-number)),
        Value::Int(_) | Value::Bool(_) | Value::Big(_) => binary(session, Binary::Sub, &Value::Int(0), value),
        other => Err(Failed(format!("`-` before a `{}`", other.type_name()))),
    }
}

/// `+value`.
pub(super) fn positive(session: &mut Session, value: &Value) -> Result<Value, Failed> {
    match value {
        Value::Float(number) => Ok(Value::Float(*number)),
        Value::Int(_) | Value::Bool(_) | Value::Big(_) => binary(session, Binary::Add, &Value::Int(0), value),
        other => Err(Failed(format!("`+` before a `{}`", other.type_name()))),
    }
}

/// An operator between two values.
pub(super) fn binary(session: &mut Session, operator: Binary, left: &Value, right: &Value) -> Result<Value, Failed> {
    let operator = match operator {
        Binary::Add => Operator::Add,
        Binary::Sub => Operator::Subtract,
        Binary::Mul => Operator::Multiply,
        Binary::Div => Operator::Divide,
        Binary::FloorDiv => Operator::FloorDivide,
        Binary::Mod => Operator::Modulo,
        Binary::Pow => Operator::Power,
    };
    Ok(session.operate(operator, left, right)?)
}

/// A comparison.
pub(super) fn compare(
    session: &mut Session,
    comparison: Comparison,
    left: &Value,
    right: &Value,
) -> Result<bool, Failed> {
    let relation = match comparison {
        Comparison::Eq => Relation::Equal,
        Comparison::Ne => Relation::NotEqual,
        Comparison::Lt => Relation::Less,
        Comparison::Le => Relation::LessEqual,
        Comparison::Gt => Relation::Greater,
        Comparison::Ge => Relation::GreaterEqual,
        Comparison::In => Relation::In,
        Comparison::NotIn => Relation::NotIn,
    };
    Ok(session.relate(relation, left, right)?)
}

/// The value at a path of names and numbers with dots between them; what is missing is the default, if there is one.
pub(super) fn path(
    session: &mut Session,
    value: Value,
    path: &Value,
    default: Option<&Value>,
) -> Result<Value, Failed> {
    let mut value = value;
    for part in parts(path) {
        value = match (item_or_attribute(session, &value, &part)?, default) {
            (Some(found), _) => found,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(Failed(format!("`{}` is undefined", shown(&part)))),
        };
    }
    Ok(value)
}

/// The value at a path, none where its last part is missing.
pub(super) fn path_found(session: &mut Session, value: Value, path: &Value) -> Result<Option<Value>, Failed> {
    let mut value = Some(value);
    for part in parts(path) {
        let Some(before) = value else { return Err(Failed(format!("`{}` of what is undefined", shown(&part)))) };
        value = item_or_attribute(session, &before, &part)?;
    }
    Ok(value)
}

fn parts(path: &Value) -> Vec<Value> {
    match path.as_str() {
        None => vec![path.clone()],
        Some(text) => {
            let part = |part: &str| match part.parse() {
                Ok(number) if part.bytes().all(|byte| byte.is_ascii_digit()) => Value::Int(number),
                _ => Value::str(part),
            };
            text.split('.').map(part).collect()
        }
    }
}

/// `re.sub(pattern, replacement, text, count)`.
pub(super) fn regex_replace(
    session: &mut Session,
    text: Value,
    pattern: Value,
    replacement: Value,
    count: Value,
) -> Result<Value, Failed> {
    let substitute = session.attribute_of(&Value::Module("re".into()), "sub")?;
    call(session, substitute, vec![pattern, replacement, text], vec![("count".to_owned(), count)])
}

/// `json.dumps` with sorted keys, with what HTML would read escaped.
pub(super) fn json(session: &mut Session, value: &Value) -> Result<String, Failed> {
    let dumps = session.attribute_of(&Value::Module("json".into()), "dumps")?;
    let text = call(session, dumps, vec![value.clone()], vec![("sort_keys".to_owned(), Value::Bool(true))])?;
    let escapes = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\'', "\\u0027")];
    let mut text = text_of(&text)?;
    for (character, escape) in escapes {
        text = text.replace(character, escape);
    }
    Ok(text)
}
