//! Features in the form of `Features.to_dict()`, which stands in the metadata of Parquet files and in `dataset_infos.json`.

use super::{Columns, Feature};
use serde_json::{Map, Value, json};

/// The columns of a description; what is wrong with it where it is none.
pub(in crate::dataset) fn from_description(description: &Value) -> Result<Columns, String> {
    match feature(description)? {
        Feature::Struct(columns) => Ok(columns),
        other => Err(format!("expected columns, found {other}")),
    }
}

fn feature(description: &Value) -> Result<Feature, String> {
    let fields = match description {
        Value::Array(items) => {
            let item = items.first().ok_or("a list without the type of its values")?;
            return Ok(Feature::List(Box::new(feature(item)?), None));
        }
        Value::Object(fields) => fields,
        other => return Err(format!("expected the type of a column, found `{other}`")),
    };
    let Some(kind) = fields.get("_type").and_then(Value::as_str) else {
        let columns = fields.iter().map(|(name, field)| Ok((name.clone(), feature(field)?)));
        return Ok(Feature::Struct(columns.collect::<Result<_, String>>()?));
    };
    let item = || fields.get("feature").ok_or_else(|| format!("`{kind}` without `feature`")).and_then(feature);
    let length = fields.get("length").and_then(Value::as_i64).and_then(|length| u64::try_from(length).ok());
    let texts = |key: &str| -> Vec<String> {
        let texts = fields.get(key).and_then(Value::as_array).into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    Ok(match kind {
        "Value" => Feature::of_dtype(fields.get("dtype").and_then(Value::as_str).unwrap_or_default()),
        "ClassLabel" => Feature::ClassLabel(class_names(fields, texts("names"))),
        "Json" => Feature::Json,
        "List" | "LargeList" => Feature::List(Box::new(item()?), length),
        "Sequence" => item()?.sequence(length),
        "Translation" => Feature::Struct(texts("languages").into_iter().map(|name| (name, Feature::TEXT)).collect()),
        "TranslationVariableLanguages" => Feature::Struct(
            ["language", "translation"]
                .map(|name| (name.to_owned(), Feature::List(Box::new(Feature::TEXT), None)))
                .to_vec(),
        ),
        other => Feature::Other(other.to_owned()),
    })
}

fn class_names(fields: &Map<String, Value>, names: Vec<String>) -> Vec<String> {
    let count = fields.get("num_classes").and_then(Value::as_u64).unwrap_or(0);
    match names.is_empty() {
        true => (0..count.min(1 << 20)).map(|index| index.to_string()).collect(),
        false => names,
    }
}

/// A description of columns.
pub(in crate::dataset) fn to_description(columns: &Columns) -> Map<String, Value> {
    columns.iter().map(|(name, feature)| (name.clone(), describe(feature))).collect()
}

fn describe(feature: &Feature) -> Value {
    match feature {
        Feature::Null | Feature::Bool | Feature::Int(..) | Feature::Float(_) => {
            json!({ "dtype": feature.to_string(), "_type": "Value" })
        }
        Feature::Text(dtype) => json!({ "dtype": dtype, "_type": "Value" }),
        Feature::ClassLabel(names) => json!({ "names": names, "_type": "ClassLabel" }),
        Feature::Json => json!({ "_type": "Json" }),
        Feature::List(item, None) => json!({ "feature": describe(item), "_type": "List" }),
        Feature::List(item, Some(length)) => json!({ "feature": describe(item), "length": length, "_type": "List" }),
        Feature::Struct(fields) => Value::Object(to_description(fields)),
        Feature::Other(name) if name.starts_with(|first: char| first.is_ascii_uppercase()) => json!({ "_type": name }),
        Feature::Other(dtype) => json!({ "dtype": dtype, "_type": "Value" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_and_written() {
        let description = json!({
            "question": { "dtype": "string", "_type": "Value" },
            "label": { "names": ["no", "yes"], "_type": "ClassLabel" },
            "choices": { "feature": { "dtype": "string", "_type": "Value" }, "_type": "List" },
            "facts": { "text": { "dtype": "large_string", "_type": "Value" }, "weight": { "dtype": "float32", "_type": "Value" } },
            "picture": { "_type": "Image" },
            "when": { "dtype": "timestamp[s]", "_type": "Value" },
        });
        let columns = from_description(&description).unwrap();
        assert_eq!(Value::Object(to_description(&columns)), description);
    }

    #[test]
    fn a_sequence_of_a_struct_is_a_struct_of_lists() {
        let text = json!({ "dtype": "string", "_type": "Value" });
        let columns = from_description(&json!({
            "a": { "feature": { "t": text }, "length": -1, "_type": "Sequence" },
            "b": { "feature": text, "length": 2, "_type": "Sequence" },
            "c": [{ "t": text }],
        }));
        let list = |item, length| Feature::List(Box::new(item), length);
        let of_text = Feature::Struct(vec![("t".to_owned(), list(Feature::TEXT, None))]);
        let structs = list(Feature::Struct(vec![("t".to_owned(), Feature::TEXT)]), None);
        let expected = [("a", of_text), ("b", list(Feature::TEXT, Some(2))), ("c", structs)];
        assert_eq!(columns.unwrap(), expected.map(|(name, feature)| (name.to_owned(), feature)));
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for bad in [
            json!(3),
            json!({ "a": [] }),
            json!({ "a": { "_type": "List" } }),
            json!({ "dtype": "int8", "_type": "Value" }),
        ] {
            assert!(from_description(&bad).is_err(), "{bad}");
        }
    }
}
