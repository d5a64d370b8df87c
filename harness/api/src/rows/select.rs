//! Finding values in rows, and choosing rows by them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The value at a dotted path: `question.choices.0.text` goes into objects by name and into arrays by place, from 0. A
/// field whose own name holds the dots comes first.
pub fn lookup<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = fields.get(path) {
        return Some(value);
    }
    let (name, rest) = path.split_once('.')?;
    descend(fields.get(name)?, rest)
}

fn descend<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => lookup(fields, path),
        Value::Array(values) => {
            let (place, rest) = path.split_once('.').map_or((path, None), |(place, rest)| (place, Some(rest)));
            let value = values.get(place.parse::<usize>().ok()?)?;
            rest.map_or(Some(value), |rest| descend(value, rest))
        }
        _ => None,
    }
}

/// A scalar as the text by which it is compared, so that 3 and 3.0 of one file match the string `3` of a CSV file.
/// `None` for null, arrays and objects.
pub fn scalar_text(value: &Value) -> Option<String> {
    // The largest magnitude up to which every integer is a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
                Some((float as i64).to_string())
            }
            _ => Some(number.to_string()),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Chooses rows by the values of their fields: each named field (a dotted path) must have the given value, or one of
/// the values in a list. A missing field counts as null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Filter(pub Map<String, Value>);

impl Filter {
    /// Whether a row is chosen. Scalars are compared by [`scalar_text`].
    pub fn matches(&self, fields: &Map<String, Value>) -> bool {
        self.0.iter().all(|(path, wanted)| {
            let found = lookup(fields, path).unwrap_or(&Value::Null);
            match wanted {
                Value::Array(any) => any.iter().any(|wanted| same(wanted, found)),
                wanted => same(wanted, found),
            }
        })
    }
}

fn same(wanted: &Value, found: &Value) -> bool {
    match (scalar_text(wanted), scalar_text(found)) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => wanted == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn looks_into_objects_and_arrays() {
        let row = object(json!({"q": {"choices": [{"text": "a"}, {"text": "b"}]}, "x.y": 1, "x": {"y": 2}}));
        assert_eq!(lookup(&row, "q.choices.1.text"), Some(&json!("b")));
        assert_eq!(lookup(&row, "q.choices.1"), Some(&json!({"text": "b"})));
        assert_eq!(lookup(&row, "x.y"), Some(&json!(1)), "a name with a dot comes first");
        assert_eq!(lookup(&row, "q.choices.2.text"), None);
        assert_eq!(lookup(&row, "q.choices.first"), None);
        assert_eq!(lookup(&row, "x.y.z"), None);
    }

    #[test]
    fn numbers_match_their_text() {
        assert_eq!(scalar_text(&json!(3)), scalar_text(&json!("3")));
        assert_eq!(scalar_text(&json!(3.0)), scalar_text(&json!(3)));
        assert_eq!(scalar_text(&json!(-0.5)).unwrap(), "-0.5");
        assert_eq!(scalar_text(&json!(u64::MAX)).unwrap(), u64::MAX.to_string());
        assert_ne!(scalar_text(&json!("03")), scalar_text(&json!(3)));
        assert_eq!(scalar_text(&json!(null)), None);
    }

    #[test]
    fn every_field_must_match_and_one_value_of_a_list() {
        let filter: Filter = serde_json::from_value(json!({"model": ["a", "b"], "meta.n": 3})).unwrap();
        assert!(filter.matches(&object(json!({"model": "b", "meta": {"n": "3"}}))));
        assert!(!filter.matches(&object(json!({"model": "c", "meta": {"n": 3}}))));
        assert!(!filter.matches(&object(json!({"model": "b"}))));
        let none: Filter = serde_json::from_value(json!({"flag": null})).unwrap();
        assert!(none.matches(&object(json!({}))));
        assert!(!none.matches(&object(json!({"flag": false}))));
    }
}
