//! Values of metrics, as `values.py` writes them.

use examiner_python::{Value, from_json};
use serde_json::Value as Json;

/// The value as the aggregations of this plugin take it; none where they know nothing like it.
pub(crate) fn decoded(json: &Json) -> Option<Value> {
    let list = |items: &Json| items.as_array()?.iter().map(decoded).collect::<Option<Vec<Value>>>();
    Some(match json {
        Json::Array(_) => Value::list(list(json)?),
        Json::Object(tagged) => {
            let (kind, content) = tagged.iter().next()?;
            match (kind.as_str(), content) {
                ("tuple", items) => Value::tuple(list(items)?),
                ("float", Json::String(text)) => Value::Float(text.parse().ok()?),
                ("numpy", _) => decoded(tagged.get("value")?)?,
                _ => return None,
            }
        }
        plain => from_json(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_pairs_are_read_and_what_is_not_known_is_none() {
        let number = |json: Json| decoded(&json).and_then(|value| value.as_float());
        assert_eq!(number(json!(1)), Some(1.0));
        assert_eq!(number(json!({ "numpy": "<f8", "value": 0.25 })), Some(0.25));
        assert_eq!(number(json!({ "float": "-inf" })), Some(f64::NEG_INFINITY));
        assert!(number(json!({ "float": "nan" })).is_some_and(f64::is_nan));
        let pair = decoded(&json!({ "tuple": [-3.5, { "numpy": "<i8", "value": 7 }] }));
        let Some(Value::Tuple(items)) = pair else { panic!("expected a pair") };
        assert_eq!(items.iter().filter_map(Value::as_float).collect::<Vec<_>>(), [-3.5, 7.0]);
        assert!(decoded(&json!({ "set": [1] })).is_none());
        assert!(decoded(&json!([{ "bytes": "00" }])).is_none());
    }
}
