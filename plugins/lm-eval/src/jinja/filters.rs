//! The filters of Jinja2, and `regex_replace` of lm-evaluation-harness.

use super::operate::{self, Failed, Found, Generator};
use super::tests_of_values;
use examiner_python::{Session, Value, truth};

/// The filters that are implemented.
const KNOWN: [&str; 27] = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "regex_replace",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "select",
    "selectattr",
    "string",
    "tojson",
    "trim",
    "unique",
    "upper",
];

/// Whether a filter is implemented.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// A filter applied to a value, with the arguments that it is given.
pub(super) fn apply(
    session: &mut Session,
    found: Found,
    name: &str,
    values: Vec<Value>,
    named: Vec<(String, Value)>,
) -> Result<Found, Failed> {
    if let ("d" | "default", _) = (name, &found) {
        let [default, boolean] = Given { filter: name, values, named }.bind(["default_value", "boolean"])?;
        let default = default.unwrap_or_else(|| Value::str(""));
        return Ok(Found::Value(match found {
            Found::Missing(_) | Found::Nothing => default,
            Found::Value(value) if boolean.is_some_and(|boolean| truth(&boolean)) && !truth(&value) => default,
            Found::Value(value) => value,
        }));
    }
    applied(session, found.value()?, name, Given { filter: name, values, named })
}

/// What a filter is given besides the value.
struct Given<'n> {
    filter: &'n str,
    values: Vec<Value>,
    named: Vec<(String, Value)>,
}

impl Given<'_> {
    /// The arguments in the order of their names.
    fn bind<const N: usize>(self, names: [&str; N]) -> Result<[Option<Value>; N], Failed> {
        let mut bound = [const { None }; N];
        if self.values.len() > N {
            return Err(Failed(format!("the filter `{}` takes at most {N} arguments", self.filter)));
        }
        for (place, value) in bound.iter_mut().zip(self.values) {
            *place = Some(value);
        }
        for (name, value) in self.named {
            match names.iter().position(|known| *known == name) {
                Some(index) if bound[index].is_none() => bound[index] = Some(value),
                _ => return Err(Failed(format!("the filter `{}` takes no argument `{name}`", self.filter))),
            }
        }
        Ok(bound)
    }

    fn none(self) -> Result<(), Failed> {
        self.bind::<0>([]).map(|_| ())
    }
}

fn applied(session: &mut Session, value: Value, name: &str, given: Given<'_>) -> Result<Found, Failed> {
    let text = |value: &Value| operate::text_of(value);
    let value = match name {
        "string" => {
            given.none()?;
            match value {
                Value::Str(_) => value,
                other => Value::str(&text(&other)?),
            }
        }
        "length" | "count" => {
            given.none()?;
            operate::length(&value)?
        }
        "list" => {
            given.none()?;
            Value::list(operate::iterate(session, &value)?)
        }
        "abs" => {
            given.none()?;
            operate::absolute(&value)?
        }
        "int" => {
            let [default, base] = given.bind(["default", "base"])?;
            let base = base.unwrap_or(Value::Int(10));
            let first = match &value {
                Value::Str(_) => operate::attempt(operate::convert(session, "int", vec![value.clone(), base]))?,
                _ => operate::attempt(operate::convert(session, "int", vec![value.clone()]))?,
            };
            match first {
                Some(number) => number,
                None => {
                    let float = operate::attempt(operate::convert(session, "float", vec![value]))?;
                    let number = match float {
                        Some(float) => operate::attempt(operate::convert(session, "int", vec![float]))?,
                        None => None,
                    };
                    number.or(default).unwrap_or(Value::Int(0))
                }
            }
        }
        "float" => {
            let [default] = given.bind(["default"])?;
            let float = operate::attempt(operate::convert(session, "float", vec![value]))?;
            float.or(default).unwrap_or(Value::Float(0.0))
        }
        "upper" | "lower" | "capitalize" => {
            given.none()?;
            let text = Value::str(&text(&value)?);
            operate::method(session, &text, name, Vec::new())?
        }
        "trim" => {
            let [characters] = given.bind(["chars"])?;
            let text = Value::str(&text(&value)?);
            operate::method(session, &text, "strip", characters.into_iter().collect())?
        }
        "replace" => {
            let [old, new, count] = given.bind(["old", "new", "count"])?;
            let (Some(old), Some(new)) = (old, new) else {
                return Err(Failed("the filter `replace` takes an old and a new text".to_owned()));
            };
            let count = count.filter(|count| !matches!(count, Value::None)).unwrap_or(Value::Int(-1));
            let arguments = vec![Value::str(&text(&old)?), Value::str(&text(&new)?), count];
            let text = Value::str(&text(&value)?);
            operate::method(session, &text, "replace", arguments)?
        }
        "join" => {
            let [separator, attribute] = given.bind(["d", "attribute"])?;
            let separator = separator.map_or_else(|| Ok(String::new()), |separator| text(&separator))?;
            let mut joined = String::new();
            for (index, item) in operate::iterate(session, &value)?.into_iter().enumerate() {
                let item = match attribute.as_ref().filter(|attribute| !matches!(attribute, Value::None)) {
                    Some(attribute) => operate::path(session, item, attribute, None)?,
                    None => item,
                };
                if index > 0 {
                    joined.push_str(&separator);
                }
                operate::print(&item, &mut joined)?;
            }
            Value::str(&joined)
        }
        "first" => {
            given.none()?;
            let first = operate::iterate(session, &value)?.into_iter().next();
            return Ok(first.map_or_else(|| Found::Missing("the first of nothing".to_owned()), Found::Value));
        }
        "last" => {
            given.none()?;
            if matches!(value, Value::Object(_) | Value::Iterator(_) | Value::Set(_) | Value::FrozenSet(_)) {
                return Err(Failed(format!("the filter `last` of a `{}`", value.type_name())));
            }
            let last = operate::iterate(session, &value)?.pop();
            return Ok(last.map_or_else(|| Found::Missing("the last of nothing".to_owned()), Found::Value));
        }
        "reverse" => {
            given.none()?;
            match &value {
                Value::Str(_) => operate::slice(session, &value, [Value::None, Value::None, Value::Int(-1)])?,
                Value::Object(_) | Value::Iterator(_) | Value::Set(_) | Value::FrozenSet(_) => {
                    return Err(Failed(format!("the filter `reverse` of a `{}`", value.type_name())));
                }
                _ => {
                    let mut items = operate::iterate(session, &value)?;
                    items.reverse();
                    Generator::value(items)
                }
            }
        }
        "items" => {
            given.none()?;
            let Value::Dict(_) = &value else {
                return Err(Failed("the filter `items` of what is no mapping".to_owned()));
            };
            let items = operate::method(session, &value, "items", Vec::new())?;
            Generator::value(operate::iterate(session, &items)?)
        }
        "unique" => {
            let [case_sensitive, attribute] = given.bind(["case_sensitive", "attribute"])?;
            let ignores_case = !case_sensitive.is_some_and(|case| truth(&case));
            let mut kept: Vec<(Value, Value)> = Vec::new();
            for item in operate::iterate(session, &value)? {
                let mut key = match attribute.as_ref().filter(|attribute| !matches!(attribute, Value::None)) {
                    Some(attribute) => operate::path(session, item.clone(), attribute, None)?,
                    None => item.clone(),
                };
                if ignores_case && matches!(key, Value::Str(_)) {
                    key = operate::method(session, &key, "lower", Vec::new())?;
                }
                if !kept.iter().any(|(known, _)| examiner_python::equal(known, &key)) {
                    kept.push((key, item));
                }
            }
            Generator::value(kept.into_iter().map(|(_, item)| item).collect())
        }
        "map" => map(session, &value, given)?,
        "select" | "reject" | "selectattr" | "rejectattr" => chosen(session, &value, name, given)?,
        "regex_replace" => {
            let [pattern, replacement, count] = given.bind(["pattern", "repl", "count"])?;
            let (Some(pattern), Some(replacement)) = (pattern, replacement) else {
                return Err(Failed("the filter `regex_replace` takes a pattern and what replaces it".to_owned()));
            };
            operate::regex_replace(session, value, pattern, replacement, count.unwrap_or(Value::Int(0)))?
        }
        "tojson" => {
            let [indent] = given.bind(["indent"])?;
            if indent.is_some_and(|indent| !matches!(indent, Value::None)) {
                return Err(Failed("the filter `tojson` with `indent`".to_owned()));
            }
            Value::str(&operate::json(session, &value)?)
        }
        _ => return Err(Failed(format!("the filter `{name}`"))),
    };
    Ok(Found::Value(value))
}

fn map(session: &mut Session, value: &Value, mut given: Given<'_>) -> Result<Value, Failed> {
    let items = operate::iterate(session, value)?;
    let mut mapped = Vec::with_capacity(items.len());
    if given.values.is_empty() {
        let [attribute, default] = given.bind(["attribute", "default"])?;
        let Some(attribute) = attribute else {
            return Err(Failed("the filter `map` without an attribute or a filter".to_owned()));
        };
        let default = default.filter(|default| !matches!(default, Value::None));
        for item in items {
            mapped.push(operate::path(session, item, &attribute, default.as_ref())?);
        }
        return Ok(Generator::value(mapped));
    }
    let filter = given.values.remove(0);
    let Some(filter) = filter.as_str().filter(|filter| is_known(filter)) else {
        return Err(Failed(format!("the filter `{}` under `map`", operate::shown(&filter))));
    };
    for item in items {
        let given = Given { filter, values: given.values.clone(), named: given.named.clone() };
        mapped.push(applied(session, item, filter, given)?.value()?);
    }
    Ok(Generator::value(mapped))
}

/// The items that a test holds of, or the others.
fn chosen(session: &mut Session, value: &Value, name: &str, mut given: Given<'_>) -> Result<Value, Failed> {
    if !given.named.is_empty() {
        return Err(Failed(format!("the filter `{name}` with a named argument")));
    }
    let attribute = match name.ends_with("attr") {
        true if given.values.is_empty() => return Err(Failed(format!("the filter `{name}` without an attribute"))),
        true => Some(given.values.remove(0)),
        false => None,
    };
    let test = if given.values.is_empty() { None } else { Some(given.values.remove(0)) };
    let mut kept = Vec::new();
    for item in operate::iterate(session, value)? {
        let tested = match &attribute {
            Some(attribute) => operate::path_found(session, item.clone(), attribute)?,
            None => Some(item.clone()),
        };
        let tested = tested.map_or_else(|| Found::Missing("an attribute".to_owned()), Found::Value);
        let holds = match (&test, tested) {
            (None, tested) => truth(&tested.value()?),
            (Some(test), tested) => {
                let Some(test) = test.as_str().filter(|test| tests_of_values::is_known(test)) else {
                    return Err(Failed(format!("the test `{}`", operate::shown(test))));
                };
                tests_of_values::holds(session, tested, test, &given.values)?
            }
        };
        if holds == name.starts_with("select") {
            kept.push(item);
        }
    }
    Ok(Generator::value(kept))
}
