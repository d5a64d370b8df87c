//! The types of columns of JSON, as Arrow's reader finds them.

use super::super::features::{Columns, Feature};
use regex::Regex;
use serde_json::{Map, Number, Value};
use std::sync::LazyLock;

/// The type of texts that all look like times.
const TIMES: &str = "a time (`timestamp[s]`), which has no form in JSON";

/// The types of the columns of some rows.
pub(super) fn types(rows: &[Map<String, Value>]) -> Columns {
    let mut columns = Columns::new();
    for row in rows {
        fields(&mut columns, row);
    }
    columns
}

fn fields(columns: &mut Columns, values: &Map<String, Value>) {
    for (place, (name, value)) in values.iter().enumerate() {
        // Fields mostly stand in the same order.
        let found = match columns.get(place) {
            Some((known, _)) if known == name => Some(place),
            _ => columns.iter().position(|(known, _)| known == name),
        };
        match found {
            Some(index) => widen(&mut columns[index].1, value),
            None => {
                let mut feature = Feature::Null;
                widen(&mut feature, value);
                columns.push((name.clone(), feature));
            }
        }
    }
}

/// Makes a type one that this value is of, too.
fn widen(feature: &mut Feature, value: &Value) {
    match (&mut *feature, value) {
        (_, Value::Null) | (Feature::Json, _) => {}
        (Feature::List(item, _), Value::Array(values)) => values.iter().for_each(|value| widen(item, value)),
        (Feature::Struct(known), Value::Object(values)) => fields(known, values),
        (Feature::Null, Value::Array(values)) => {
            let mut item = Feature::Null;
            values.iter().for_each(|value| widen(&mut item, value));
            *feature = Feature::List(Box::new(item), None);
        }
        (Feature::Null, Value::Object(values)) => {
            let mut known = Columns::new();
            fields(&mut known, values);
            *feature = Feature::Struct(known);
        }
        (_, Value::Array(_) | Value::Object(_)) => *feature = Feature::Json,
        (known, value) => {
            let found = scalar(value);
            *feature = match (known, found) {
                (Feature::Null, found) => found,
                (Feature::Int(..), Feature::Float(_)) | (Feature::Float(_), Feature::Int(..)) => Feature::FLOAT,
                (Feature::Other(_), found @ Feature::Text(_)) => found,
                (known @ Feature::Text(_), Feature::Other(_)) => known.clone(),
                (known, found) if *known == found => found,
                _ => Feature::Json,
            };
        }
    }
}

fn scalar(value: &Value) -> Feature {
    match value {
        Value::Bool(_) => Feature::Bool,
        Value::Number(number) if number.is_i64() => Feature::INT,
        Value::Number(_) => Feature::FLOAT,
        Value::String(text) if is_time(text) => Feature::Other(TIMES.to_owned()),
        _ => Feature::TEXT,
    }
}

/// Whether Arrow takes a text for a time: a day, maybe with hours, minutes, seconds and a zone. Some that it does not take are
/// among them, as the 31st of February.
fn is_time(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let time = r"[ T]\d\d(:\d\d(:\d\d)?)?(Z|[+-]\d\d(:?\d\d)?)?";
        Regex::new(&format!(r"\A[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])({time})?\z")).ok()
    });
    text.len() >= 10 && text.as_bytes()[4] == b'-' && TIME.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Makes floats of the whole numbers in what has the type of a float.
pub(super) fn unify(value: &mut Value, feature: &Feature) {
    match (value, feature) {
        (Value::Array(values), Feature::List(item, _)) => values.iter_mut().for_each(|value| unify(value, item)),
        (Value::Object(values), Feature::Struct(fields)) => {
            for (name, field) in fields {
                if let Some(value) = values.get_mut(name) {
                    unify(value, field);
                }
            }
        }
        (Value::Number(number), Feature::Float(_)) => {
            if let Some(float) = number.as_f64().and_then(Number::from_f64) {
                *number = float;
            }
        }
        _ => {}
    }
}

/// Turns the types into JSON of all that holds structs with different fields, or structs and lists among other values: so the
/// library does with the first rows of a dataset.
pub(super) fn mark_mixed(columns: &mut Columns, rows: &[Map<String, Value>]) {
    for (name, feature) in columns {
        let values: Vec<&Value> = rows.iter().filter_map(|row| row.get(name)).collect();
        mark(feature, values);
    }
}

fn mark(feature: &mut Feature, values: Vec<&Value>) {
    let values: Vec<&Value> = values.into_iter().filter(|value| !value.is_null()).collect();
    let Some(first) = values.first() else { return };
    if values.iter().all(|value| value.is_object()) {
        let objects: Vec<&Map<String, Value>> = values.iter().filter_map(|value| value.as_object()).collect();
        let first = objects[0];
        let is_same =
            |other: &&Map<String, Value>| other.len() == first.len() && other.keys().all(|key| first.contains_key(key));
        if first.is_empty() || !objects.iter().all(is_same) {
            *feature = Feature::Json;
        } else if let Feature::Struct(fields) = feature {
            for (name, field) in fields {
                mark(field, objects.iter().filter_map(|object| object.get(name)).collect());
            }
        }
    } else if values.iter().all(|value| value.is_array()) {
        if let Feature::List(item, _) = feature {
            mark(item, values.iter().filter_map(|value| value.as_array()).flatten().collect());
        }
    } else if first.is_object() || first.is_array() || values.iter().any(|value| value.is_object() || value.is_array())
    {
        *feature = Feature::Json;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::features::to_description;
    use serde_json::json;

    fn of(rows: Value) -> Columns {
        let rows: Vec<Map<String, Value>> = serde_json::from_value(rows).unwrap();
        types(&rows)
    }

    #[test]
    fn types_are_those_of_arrow() {
        let columns = of(json!([
            { "i": 1, "f": 1, "t": "x", "n": null, "l": [], "s": { "a": 1 }, "d": "2020-01-01", "e": "2020-01-01", "b": true, "m": 1 },
            { "f": 2.5, "l": [null, 3], "s": { "b": "y" }, "d": "2020-01-02T03:04Z", "e": "x", "m": "1", "u": u64::MAX },
        ]));
        let value = |dtype: &str| json!({ "dtype": dtype, "_type": "Value" });
        let expected = json!({
            "i": value("int64"), "f": value("float64"), "t": value("string"), "n": value("null"),
            "l": { "feature": value("int64"), "_type": "List" }, "s": { "a": value("int64"), "b": value("string") },
            "d": value(TIMES), "e": value("string"), "b": value("bool"), "m": { "_type": "Json" }, "u": value("float64"),
        });
        assert_eq!(Value::Object(to_description(&columns)), expected);
    }

    #[test]
    fn times_are_what_arrow_takes_for_them() {
        for time in
            ["2020-01-01", "2020-01-01 10", "2020-01-01T10:11", "2020-01-01T10:11:12Z", "0001-12-31T10:11:12+02:00"]
        {
            assert!(is_time(time), "{time}");
        }
        for text in [
            "2020-01-01T10:11:12.5",
            "2020-1-1",
            "20200101",
            "2020-13-01",
            " 2020-01-01",
            "2020-01-01t00",
            "2020-01-01Z",
            "é20-01-01",
        ] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn structs_with_different_fields_are_json() {
        let rows: Vec<Map<String, Value>> = serde_json::from_value(json!([
            { "same": { "a": 1 }, "other": { "a": 1 }, "list": [{ "a": 1 }], "mixed": [1], "deep": { "x": { "a": 1 } }, "empty": {} },
            { "same": { "a": null }, "other": { "b": 1 }, "list": [{ "a": 1, "b": 2 }], "mixed": 1, "deep": { "x": { "b": 1 } }, "more": 1 },
        ]))
        .unwrap();
        let mut columns = types(&rows);
        mark_mixed(&mut columns, &rows);
        let json = |name: &str| {
            let feature = columns.iter().find(|(known, _)| known == name).map(|(_, feature)| feature.clone());
            feature.unwrap()
        };
        assert_eq!(json("same"), Feature::Struct(vec![("a".to_owned(), Feature::INT)]));
        assert_eq!(json("list"), Feature::List(Box::new(Feature::Json), None));
        assert_eq!(json("deep"), Feature::Struct(vec![("x".to_owned(), Feature::Json)]));
        assert!(["other", "mixed", "empty"].iter().all(|name| json(name) == Feature::Json));
    }
}
