//! Values of one type as values of another, as Arrow and `datasets` change them, where that is sure.

use super::super::features::{Columns, Feature};
use super::Refusal;
use serde_json::{Map, Number, Value};

/// The largest magnitude up to which every whole number is a float.
const EXACT: i128 = 1 << 53;

/// Why a column of this type has no values here; none where it has.
pub(in crate::dataset) fn unsupported(feature: &Feature) -> Option<String> {
    match feature {
        Feature::Other(name) => Some(no_form(name)),
        Feature::List(item, _) => unsupported(item),
        Feature::Struct(fields) => fields.iter().find_map(|(_, field)| unsupported(field)),
        _ => None,
    }
}

/// Why values of this type are not given: its name, or a reason instead of one.
fn no_form(name: &str) -> String {
    if name.contains(' ') { name.to_owned() } else { format!("`{name}` has no form in JSON") }
}

/// Whether the values of a batch can be given the type of their column.
pub(in crate::dataset) fn castable(column: &str, from: &Feature, to: &Feature) -> Result<(), Refusal> {
    let left_out = |why: &str| Refusal::LeftOut { column: column.to_owned(), why: why.to_owned() };
    match (from, to) {
        (Feature::Null, _) | (_, Feature::Json) => Ok(()),
        (Feature::Other(name), _) => Err(Refusal::LeftOut { column: column.to_owned(), why: name.clone() }),
        (Feature::Json, _) => Err(left_out("some of its values are of another type than the rest")),
        (Feature::List(from, _), Feature::List(to, _)) => castable(column, from, to),
        (Feature::Struct(from), Feature::Struct(to)) => {
            from.iter().try_for_each(|(name, from)| match to.iter().find(|(known, _)| known == name) {
                Some((_, to)) => castable(column, from, to),
                None => Err(Refusal::Broken(format!("`{column}` has a field `{name}` that its type lacks"))),
            })
        }
        (Feature::Bool | Feature::Text(_), Feature::Float(_))
        | (Feature::Text(_), Feature::Int(..) | Feature::Bool) => {
            Err(left_out("its values are of another type than the columns say, and would have to be read again"))
        }
        (Feature::List(..) | Feature::Struct(_), Feature::Text(_)) => {
            Err(left_out("lists or structs would have to become texts"))
        }
        (Feature::List(..) | Feature::Struct(_), _) | (_, Feature::List(..) | Feature::Struct(_) | Feature::Null) => {
            Err(Refusal::Broken(format!("`{column}` holds {from}, expected {to}")))
        }
        _ => Ok(()),
    }
}

/// A value of a column, as a value of the column's type.
pub(in crate::dataset) fn cast(column: &str, value: Value, to: &Feature) -> Result<Value, Refusal> {
    let left_out = |why: String| Refusal::LeftOut { column: column.to_owned(), why };
    let wrong = |value: &Value| Refusal::Broken(format!("`{column}`: expected {to}, found `{}`", short(value)));
    match (to, value) {
        (Feature::Json, value) => json(value).map_err(left_out),
        (_, Value::Null) => Ok(Value::Null),
        (Feature::Other(name), _) => Err(left_out(no_form(name))),
        // Of a batch without any value nothing is known but that its nulls are numbers.
        (Feature::Text(_), Value::Number(number)) if number.is_f64() => {
            Err(left_out("numbers with a point would have to become texts".to_owned()))
        }
        (Feature::Bool, Value::Bool(truth)) => Ok(Value::Bool(truth)),
        (Feature::Bool, Value::Number(number)) => Ok(Value::Bool(number.as_f64() != Some(0.0))),
        (Feature::Int(bits, signed), Value::Bool(truth)) => {
            int(i128::from(truth), *bits, *signed).ok_or_else(|| wrong(&truth.into()))
        }
        (Feature::Int(bits, signed), Value::Number(number)) => {
            whole(&number).and_then(|whole| int(whole, *bits, *signed)).ok_or_else(|| wrong(&Value::Number(number)))
        }
        (Feature::Float(bits), Value::Number(number)) => {
            float(&number, *bits).ok_or_else(|| wrong(&Value::Number(number)))
        }
        (Feature::Text(_), Value::String(text)) => Ok(Value::String(text)),
        (Feature::Text(_), Value::Bool(truth)) => Ok(Value::String(truth.to_string())),
        (Feature::Text(_), Value::Number(number)) => Ok(Value::String(number.to_string())),
        (Feature::ClassLabel(names), Value::String(text)) => {
            class(names, &text).map(Value::from).ok_or_else(|| wrong(&Value::String(text)))
        }
        (Feature::ClassLabel(names), Value::Number(number)) => {
            match whole(&number).and_then(|id| i64::try_from(id).ok()) {
                Some(id) if id < names.len() as i64 => Ok(Value::from(id)),
                _ => Err(wrong(&Value::Number(number))),
            }
        }
        (Feature::List(item, length), Value::Array(items)) => {
            if length.is_some_and(|length| length != items.len() as u64) {
                return Err(wrong(&Value::Array(items)));
            }
            items.into_iter().map(|value| cast(column, value, item)).collect::<Result<_, _>>().map(Value::Array)
        }
        (Feature::Struct(fields), Value::Object(values)) => structure(column, values, fields).map(Value::Object),
        (_, value) => Err(wrong(&value)),
    }
}

/// The fields of a struct, in the order of its type; those that are missing are null.
fn structure(column: &str, mut values: Map<String, Value>, fields: &Columns) -> Result<Map<String, Value>, Refusal> {
    let mut found = Map::with_capacity(fields.len());
    for (name, field) in fields {
        found.insert(name.clone(), cast(column, values.remove(name).unwrap_or_default(), field)?);
    }
    match values.keys().next() {
        Some(name) => Err(Refusal::Broken(format!("`{column}` has a field `{name}` that its type lacks"))),
        None => Ok(found),
    }
}

fn whole(number: &Number) -> Option<i128> {
    if let Some(whole) = number.as_i128() {
        return Some(whole);
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    (float.abs() < 1.8e19).then_some(float as i128)
}

fn int(whole: i128, bits: u8, is_signed: bool) -> Option<Value> {
    let (least, most) = match is_signed {
        true => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        false => (0, (1_i128 << bits) - 1),
    };
    if whole < least || whole > most {
        return None;
    }
    i64::try_from(whole).map(Value::from).or_else(|_| u64::try_from(whole).map(Value::from)).ok()
}

fn float(number: &Number, bits: u8) -> Option<Value> {
    if let Some(whole) = number.as_i128()
        && whole.abs() > if bits == 32 { 1 << 24 } else { EXACT }
    {
        return None;
    }
    let float = number.as_f64()?;
    let float = if bits == 32 { f64::from(float as f32) } else { float };
    Number::from_f64(float).map(Value::Number)
}

/// The number of a class: by its name, by its name without spaces around it, or by its number as a text.
fn class(names: &[String], text: &str) -> Option<i64> {
    let named = |text: &str| names.iter().position(|name| name == text).map(|index| index as i64);
    named(text).or_else(|| named(text.trim())).or_else(|| {
        let digits = text.trim();
        let is_plain = digits.strip_prefix('-').unwrap_or(digits).bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|id| is_plain && *id >= -1 && *id < names.len() as i64)
    })
}

/// A value of a column of JSON, which the library writes and reads once more: texts that are JSON themselves become what they say.
fn json(value: Value) -> Result<Value, String> {
    match value {
        Value::String(text) => {
            let trimmed = text.trim();
            match serde_json::from_str::<Value>(trimmed) {
                Ok(inner) => survives(&inner).map(|()| inner),
                Err(_) if !may_be_json(trimmed) => Ok(Value::String(text)),
                Err(_) => Err(format!("the text `{}` may be JSON or not", short(&Value::String(text.clone())))),
            }
        }
        value => survives(&value).map(|()| value),
    }
}

/// Whether a lenient reader might take a text for JSON.
fn may_be_json(text: &str) -> bool {
    let is_number = text.starts_with(['-', '+', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        && text.chars().all(|c| c.is_ascii_digit() || "+-.eE \t".contains(c));
    let words = ["nan", "-nan", "inf", "-inf", "infinity", "-infinity", "null", "true", "false"];
    is_number || text.starts_with(['[', '{', '"']) || words.contains(&text.to_lowercase().as_str())
}

/// Whether a value stays what it is where the library writes it as text with ten decimals.
pub(super) fn survives(value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            let rounded = format!("{float:.10}").parse::<f64>().ok();
            let is_sure = (float.abs() < 1e5 && rounded == Some(float)) || (float.fract() == 0.0 && float.abs() < 1e15);
            if is_sure { Ok(()) } else { Err(format!("the library rounds `{float}` to ten decimals")) }
        }
        Value::Number(number) if number.as_i64().is_none() => Err(format!("`{number}` is larger than 64 bits hold")),
        Value::Array(items) => items.iter().try_for_each(survives),
        Value::Object(fields) => fields.values().try_for_each(survives),
        _ => Ok(()),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value, to: &Feature) -> Result<Value, Refusal> {
        cast("c", value, to)
    }

    #[test]
    fn numbers_and_texts_are_changed_as_arrow_does() {
        let class = Feature::ClassLabel(vec!["no".to_owned(), "yes".to_owned()]);
        for (value, to, expected) in [
            (json!(3), Feature::FLOAT, json!(3.0)),
            (json!(3.0), Feature::INT, json!(3)),
            (json!(0.1), Feature::Float(32), json!(0.10000000149011612)),
            (json!(7), Feature::TEXT, json!("7")),
            (json!(true), Feature::TEXT, json!("true")),
            (json!(true), Feature::INT, json!(1)),
            (json!(2), Feature::Bool, json!(true)),
            (json!("yes"), class.clone(), json!(1)),
            (json!(" yes "), class.clone(), json!(1)),
            (json!("0"), class.clone(), json!(0)),
            (json!(-1), class.clone(), json!(-1)),
            (json!(null), Feature::Struct(vec![]), json!(null)),
            (json!(u64::MAX), Feature::Int(64, false), json!(u64::MAX)),
        ] {
            let found = of(value.clone(), &to).unwrap();
            assert_eq!(found.to_string(), expected.to_string(), "{value} as {to}");
        }
        for (value, to) in [
            (json!(3.5), Feature::INT),
            (json!(300), Feature::Int(8, true)),
            (json!(-1), Feature::Int(8, false)),
            (json!(9_007_199_254_740_993_u64), Feature::FLOAT),
            (json!("maybe"), class.clone()),
            (json!(2), class),
            (json!("x"), Feature::Null),
        ] {
            assert!(matches!(of(value.clone(), &to), Err(Refusal::Broken(_))), "{value} as {to}");
        }
    }

    #[test]
    fn numbers_with_a_point_do_not_become_texts() {
        assert!(matches!(of(json!(1.5), &Feature::TEXT), Err(Refusal::LeftOut { .. })));
        assert_eq!(of(json!(null), &Feature::TEXT), Ok(json!(null)));
    }

    #[test]
    fn structs_have_the_order_of_their_type() {
        let to = Feature::Struct(vec![("a".to_owned(), Feature::INT), ("b".to_owned(), Feature::TEXT)]);
        assert_eq!(of(json!({ "b": "x" }), &to).unwrap().to_string(), r#"{"a":null,"b":"x"}"#);
        assert!(matches!(of(json!({ "c": 1 }), &to), Err(Refusal::Broken(_))));
    }

    #[test]
    fn texts_among_json_are_read_where_they_are_json() {
        for (value, expected) in [
            (json!("5"), json!(5)),
            (json!("five"), json!("five")),
            (json!("{\"a\": [1]}"), json!({ "a": [1] })),
            (json!([1, "2"]), json!([1, "2"])),
            (json!("no"), json!("no")),
            (json!(0.25), json!(0.25)),
        ] {
            assert_eq!(of(value, &Feature::Json).unwrap(), expected);
        }
        for value in [json!("01"), json!("NaN"), json!("[x"), json!(1.0 / 3.0), json!({ "a": 1e300 })] {
            assert!(matches!(of(value.clone(), &Feature::Json), Err(Refusal::LeftOut { .. })), "{value}");
        }
    }
}
