//! The tests of Jinja2: what stands behind `is`.

use super::ast::Comparison;
use super::operate::{self, Failed, Found};
use examiner_python::{Session, Value};

/// The tests that are implemented.
const KNOWN: [&str; 31] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "le",
    "lessthan",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "string",
    "true",
    "undefined",
];

/// Whether a test is implemented.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// Whether a test holds of a value.
pub(super) fn holds(session: &mut Session, of: Found, name: &str, arguments: &[Value]) -> Result<bool, Failed> {
    let value = match (name, of) {
        ("defined", of) => return Ok(matches!(of, Found::Value(_))),
        ("undefined", of) => return Ok(!matches!(of, Found::Value(_))),
        // What is undefined is of no type, and looking at its type is no error.
        (
            "none" | "boolean" | "true" | "false" | "integer" | "float" | "string" | "mapping" | "number",
            Found::Missing(_),
        ) => {
            return Ok(false);
        }
        (_, found) => found.value()?,
    };
    let takes = usize::from(["divisibleby", "in"].contains(&name) || comparison(name).is_some());
    if arguments.len() != takes {
        return Err(Failed(format!("the test `{name}` takes {takes} arguments, found {}", arguments.len())));
    }
    if let (Some(comparison), [other]) = (comparison(name), arguments) {
        return operate::compare(session, comparison, &value, other);
    }
    Ok(match name {
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "integer" => matches!(value, Value::Int(_) | Value::Big(_)),
        "float" => matches!(value, Value::Float(_)),
        "number" => matches!(value, Value::Int(_) | Value::Big(_) | Value::Float(_) | Value::Bool(_)),
        "string" => matches!(value, Value::Str(_)),
        "mapping" => matches!(value, Value::Dict(_)),
        "sequence" => {
            matches!(value, Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Range(..))
        }
        "odd" | "even" | "divisibleby" => {
            let divisor = arguments.first().cloned().unwrap_or(Value::Int(2));
            let rest = operate::binary(session, super::ast::Binary::Mod, &value, &divisor)?;
            let wanted = Value::Int(i64::from(name == "odd"));
            operate::compare(session, Comparison::Eq, &rest, &wanted)?
        }
        _ => return Err(Failed(format!("the test `{name}`"))),
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "==" | "eq" | "equalto" => Comparison::Eq,
        "!=" | "ne" => Comparison::Ne,
        "<" | "lt" | "lessthan" => Comparison::Lt,
        "<=" | "le" => Comparison::Le,
        ">" | "gt" | "greaterthan" => Comparison::Gt,
        ">=" | "ge" => Comparison::Ge,
        "in" => Comparison::In,
        _ => return None,
    })
}
