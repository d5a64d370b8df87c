//! Features in the form of `dataset_info` in the head of a README.

use super::{Columns, Feature};
use serde_json::{Map, Value};

/// The columns of a list of `{name, dtype}`, `{name, list}`, `{name, sequence}` and `{name, struct}`; what is wrong where it is none.
pub(in crate::dataset) fn from_yaml(list: &Value) -> Result<Columns, String> {
    let fields = list.as_array().ok_or_else(|| format!("expected a list of columns, found `{list}`"))?;
    fields
        .iter()
        .map(|field| {
            let field = field.as_object().ok_or_else(|| format!("expected a column, found `{field}`"))?;
            let name = field.get("name").and_then(scalar).ok_or("a column without a name")?;
            Ok((name, feature(field)?))
        })
        .collect()
}

/// The type of a column: its first key but the name says which kind it is.
fn feature(field: &Map<String, Value>) -> Result<Feature, String> {
    let Some((kind, value)) = field.iter().find(|(key, _)| *key != "name") else {
        return Ok(Feature::Struct(Columns::new()));
    };
    let length = field.get("length").and_then(Value::as_i64).and_then(|length| u64::try_from(length).ok());
    match kind.as_str() {
        "struct" => from_yaml(value).map(Feature::Struct),
        "list" | "large_list" => Ok(Feature::List(Box::new(item(value)?), length)),
        "sequence" => match value {
            // Only a struct that is written as a bare list becomes a struct of lists.
            Value::Array(_) => Ok(from_yaml(value).map(Feature::Struct)?.sequence(length)),
            _ => Ok(Feature::List(Box::new(item(value)?), length)),
        },
        "dtype" => match value {
            Value::String(dtype) => Ok(Feature::of_dtype(dtype).or_type(dtype)),
            Value::Object(inner) => feature(inner),
            other => Err(format!("expected the name of a type, found `{other}`")),
        },
        "class_label" => class_label(value),
        "translation" => {
            let languages = value["languages"].as_array().into_iter().flatten().filter_map(scalar);
            Ok(Feature::Struct(languages.map(|name| (name, Feature::TEXT)).collect()))
        }
        other => Ok(Feature::Other(camel_case(other))),
    }
}

/// The type of a list's values.
fn item(value: &Value) -> Result<Feature, String> {
    match value {
        Value::String(dtype) => Ok(Feature::of_dtype(dtype).or_type(dtype)),
        Value::Array(_) => from_yaml(value).map(Feature::Struct),
        Value::Object(inner) => feature(inner),
        other => Err(format!("expected the type of a list's values, found `{other}`")),
    }
}

fn class_label(value: &Value) -> Result<Feature, String> {
    let names = match &value["names"] {
        Value::Array(names) => names.iter().filter_map(scalar).collect(),
        Value::Object(names) => {
            let mut numbered = Vec::new();
            for (id, name) in names {
                let id: usize = id.parse().map_err(|_| format!("`{id}` is no number of a class"))?;
                numbered.push((id, scalar(name).ok_or_else(|| format!("class {id} has no name"))?));
            }
            numbered.sort();
            if let Some(index) = (0..numbered.len()).find(|index| numbered[*index].0 != *index) {
                return Err(format!("the names of classes lack number {index}"));
            }
            numbered.into_iter().map(|(_, name)| name).collect()
        }
        _ => (0..value["num_classes"].as_u64().unwrap_or(0).min(1 << 20)).map(|id| id.to_string()).collect(),
    };
    Ok(Feature::ClassLabel(names))
}

/// A text, or a number or truth that YAML made of one.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

impl Feature {
    /// The feature itself, where a name in lower case may be that of a type of its own: `image`.
    fn or_type(self, dtype: &str) -> Feature {
        let of_arrow = ["timestamp", "date", "time", "duration", "decimal", "binary", "large_binary", "float16"];
        match self {
            Feature::Other(_) if dtype == "json" => Feature::Json,
            Feature::Other(_) if !of_arrow.iter().any(|name| dtype.starts_with(name)) => {
                Feature::Other(camel_case(dtype))
            }
            feature => feature,
        }
    }
}

fn camel_case(text: &str) -> String {
    let upper = |part: &str| part.chars().take(1).flat_map(char::to_uppercase).chain(part.chars().skip(1)).collect();
    text.split('_').map(upper).collect::<Vec<String>>().concat()
}

#[cfg(test)]
mod tests {
    use super::super::to_description;
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_is_read() {
        let columns = from_yaml(&json!([
            { "name": "question", "dtype": "string" },
            { "name": "label", "dtype": { "class_label": { "names": { "1": "yes", "0": "no" } } } },
            { "name": "choices", "sequence": "string" },
            { "name": "facts", "sequence": [{ "name": "text", "dtype": "string" }] },
            { "name": "parts", "list": [{ "name": "text", "dtype": "int8" }] },
            { "name": "nested", "struct": [{ "name": "deep", "list": { "list": "float32" } }] },
            { "name": "labels", "sequence": { "class_label": { "names": ["a"] } } },
            { "name": "picture", "dtype": "image" },
            { "name": "day", "dtype": "date32" },
            { "name": "any", "dtype": "json" },
            { "name": "said", "dtype": { "translation": { "languages": ["de", "en"] } } },
        ]));
        let text = json!({ "dtype": "string", "_type": "Value" });
        let list = |item: Value| json!({ "feature": item, "_type": "List" });
        let float = json!({ "dtype": "float32", "_type": "Value" });
        let expected = json!({
            "question": text,
            "label": { "names": ["no", "yes"], "_type": "ClassLabel" },
            "choices": list(text.clone()),
            "facts": { "text": list(text.clone()) },
            "parts": list(json!({ "text": { "dtype": "int8", "_type": "Value" } })),
            "nested": { "deep": list(list(float)) },
            "labels": list(json!({ "names": ["a"], "_type": "ClassLabel" })),
            "picture": { "_type": "Image" },
            "day": { "dtype": "date32", "_type": "Value" },
            "any": { "_type": "Json" },
            "said": { "de": text, "en": text },
        });
        assert_eq!(Value::Object(to_description(&columns.unwrap())), expected);
    }

    #[test]
    fn classes_without_a_number_are_refused() {
        let label = json!([{ "name": "label", "dtype": { "class_label": { "names": { "0": "no", "2": "yes" } } } }]);
        assert_eq!(from_yaml(&label).unwrap_err(), "the names of classes lack number 1");
    }
}
