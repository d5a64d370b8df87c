//! The values of the harness's own keys, and what may stand in their place.

use serde_json::{Map, Value, json};

/// A name, as a part of the name of a file.
const NAME: &str = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}";

/// The forms that others refer to.
pub(super) fn reference_forms() -> Map<String, Value> {
    let text = r"(^|[^$])\$\{(?!(vars|env)\.[^}]+\})";
    let forms = json!({
        "variable": {
            "description": "The value of a variable of `vars`.",
            "type": "string",
            "pattern": r"^\$\{vars\.[^}]+\}$",
        },
        "reference": {
            "description": "A text with a reference: `${vars.NAME}`, `${env.NAME}`, `${teach.NAME}`, `${train.NAME}`, `${export.NAME}`.",
            "type": "string",
            "pattern": r"\$\{",
        },
        "text": {
            "description": "A text, in which `${vars.NAME}` and `${env.NAME}` are filled in.",
            "type": "string",
            "not": { "pattern": text },
        },
        "name": {
            "description": "A name of letters, digits, `.`, `_` and `-`.",
            "type": "string",
            "pattern": format!(r"^({NAME}|.*\$\{{.*)$"),
        },
        "entry-name": {
            "type": "string",
            "pattern": format!("^{NAME}$"),
        },
    });
    match forms {
        Value::Object(forms) => forms,
        _ => Map::new(),
    }
}

/// The schema with a description, which comes first.
pub(super) fn described(description: &str, schema: Value) -> Value {
    let mut all = Map::from_iter([("description".to_owned(), json!(description))]);
    if let Value::Object(fields) = schema {
        all.extend(fields);
    }
    Value::Object(all)
}

/// The schema, or nothing: a key without a value counts as one that is not there.
pub(super) fn optional(schema: Value) -> Value {
    let nothing = json!({ "type": "null" });
    match schema {
        Value::Object(mut fields) if fields.contains_key("anyOf") => {
            if let Some(Value::Array(branches)) = fields.get_mut("anyOf") {
                branches.push(nothing);
            }
            Value::Object(fields)
        }
        Value::Object(mut fields) if fields.get("type").is_some_and(Value::is_string) => {
            let kind = fields["type"].clone();
            fields["type"] = json!([kind, "null"]);
            Value::Object(fields)
        }
        other => json!({ "anyOf": [other, nothing] }),
    }
}

/// A value, or a list of those.
pub(super) fn one_or_several(schema: Value) -> Value {
    json!({ "anyOf": [schema.clone(), { "type": "array", "items": schema }] })
}

pub(super) fn text() -> Value {
    json!({ "$ref": "#/$defs/text" })
}

pub(super) fn name() -> Value {
    json!({ "$ref": "#/$defs/name" })
}

/// One of these words, each with what it means.
pub(super) fn words(words: &[(&str, &str)]) -> Value {
    let (names, meanings): (Vec<&str>, Vec<&str>) = words.iter().copied().unzip();
    json!({ "anyOf": [{ "enum": names, "enumDescriptions": meanings }, { "$ref": "#/$defs/reference" }] })
}

/// A whole number between `least` and `most`.
pub(super) fn whole(least: u64, most: u64) -> Value {
    json!({ "anyOf": [{ "type": "integer", "minimum": least, "maximum": most }, { "$ref": "#/$defs/variable" }] })
}

/// A number within `bounds`, which are keywords of a schema.
pub(super) fn number(bounds: Value) -> Value {
    let mut number = Map::from_iter([("type".to_owned(), json!("number"))]);
    if let Value::Object(bounds) = bounds {
        number.extend(bounds);
    }
    json!({ "anyOf": [number, { "$ref": "#/$defs/variable" }] })
}

/// A mapping that has these keys and no others.
pub(super) fn mapping(properties: Value, required: &[&str]) -> Value {
    let mut mapping = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        mapping["required"] = json!(required);
    }
    mapping
}

/// Entries by name.
pub(super) fn named(entry: Value) -> Value {
    let names = json!({ "$ref": "#/$defs/entry-name" });
    json!({ "type": "object", "propertyNames": names, "additionalProperties": entry })
}
