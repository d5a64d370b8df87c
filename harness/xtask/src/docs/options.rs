//! A JSON schema of options as a table.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A list of more values than this is not printed.
const VALUES_MAX: usize = 10;

/// The table of a role's options; fields of nested options have rows of their own.
pub(super) fn table(schema: &Value) -> Result<String> {
    let mut rows = String::new();
    add_rows(schema, schema, "", &mut rows)?;
    if rows.is_empty() {
        return Ok("It has no options.\n".to_owned());
    }
    Ok(format!("| option | type | what | default |\n|---|---|---|---|\n{rows}"))
}

fn add_rows(root: &Value, object: &Value, prefix: &str, rows: &mut String) -> Result<()> {
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in object["properties"].as_object().into_iter().flatten() {
        let option = format!("{prefix}{name}");
        let definition = resolve(root, property)?;
        let nested = with_fields(root, definition)?;
        let own = property["description"].as_str().or(definition["description"].as_str());
        let own = own.with_context(|| format!("the option `{option}` has no description"))?;
        let what = std::iter::once(own.to_owned()).chain(values(root, definition)?);
        let default = match &property["default"] {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            _ if definition["properties"].is_object() => String::new(),
            value => format!("`{}`", text_of(value)),
        };
        let kind = if definition["properties"].is_object() { "mapping".to_owned() } else { type_of(root, property)? };
        let cells = [format!("`{option}`"), kind, what.collect::<Vec<_>>().join(" "), default];
        rows.push_str(&format!("| {} |\n", cells.map(|cell| escape(&cell)).join(" | ")));
        if let Some(nested) = nested {
            add_rows(root, nested, &format!("{option}."), rows)?;
        }
    }
    Ok(())
}

/// The schema whose fields have rows of their own: the definition itself, or the one alternative that has described fields.
fn with_fields<'a>(root: &'a Value, definition: &'a Value) -> Result<Option<&'a Value>> {
    let is_described = |schema: &Value| {
        let fields = schema["properties"].as_object();
        fields.is_some_and(|fields| fields.values().all(|field| field["description"].is_string()))
    };
    for schema in std::iter::once(definition).chain(alternatives(definition)) {
        let schema = resolve(root, schema)?;
        if is_described(schema) || (schema["properties"].is_object() && std::ptr::eq(schema, definition)) {
            return Ok(Some(schema));
        }
    }
    Ok(None)
}

/// What a schema refers to: through `$ref`, and through `anyOf` with null, which is how an option that may be left out looks.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> Result<&'a Value> {
    if let Some(path) = schema["$ref"].as_str() {
        let target = root.pointer(path.trim_start_matches('#'));
        return resolve(root, target.with_context(|| format!("`{path}` is not in the schema"))?);
    }
    match alternatives(schema).as_slice() {
        [one] => resolve(root, one),
        _ => Ok(schema),
    }
}

/// The schemas of `anyOf` or `oneOf`, without null.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let all = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    all.filter(|schema| schema["type"] != "null").collect()
}

/// A sentence for each value of an enumeration.
fn values(root: &Value, schema: &Value) -> Result<Vec<String>> {
    let mut values = Vec::new();
    for schema in alternatives(schema) {
        let definition = resolve(root, schema)?;
        let what = schema["description"].as_str().or(definition["description"].as_str());
        match definition["const"].as_str() {
            Some(value) => values.extend(what.map(|what| format!("`{value}`: {}", lower_first(what)))),
            None if !alternatives(definition).is_empty() => values.extend(self::values(root, definition)?),
            None => {
                let kind = type_of(root, definition)?;
                values.extend(what.map(|what| format!("As {kind}: {}", lower_first(what))));
            }
        }
    }
    Ok(values)
}

fn type_of(root: &Value, schema: &Value) -> Result<String> {
    let schema = resolve(root, schema)?;
    if let Some(value) = schema["const"].as_str() {
        return Ok(format!("`{value}`"));
    }
    let alternatives = alternatives(schema);
    if !alternatives.is_empty() {
        let types = alternatives.into_iter().map(|schema| type_of(root, schema)).collect::<Result<Vec<_>>>()?;
        return Ok(types.join(", "));
    }
    if let Some(values) = schema["enum"].as_array().filter(|values| values.len() <= VALUES_MAX) {
        return Ok(values.iter().map(|value| format!("`{}`", text_of(value))).collect::<Vec<_>>().join(", "));
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        _ => vec!["any value"],
    };
    ensure!(!names.is_empty(), "a schema without a type: {schema}");
    let name = |name: &str| -> Result<String> {
        Ok(match name {
            "array" => format!("list of {}", type_of(root, &schema["items"])?),
            "object" => match schema["properties"].as_object().filter(|_| schema["required"].is_array()) {
                // An alternative that is recognized by its field, such as `{ k-best: 2 }`.
                Some(fields) if fields.len() == 1 => {
                    format!("`{{ {}: ... }}`", fields.keys().next().map_or("", |key| key))
                }
                _ => "mapping".to_owned(),
            },
            name => name.to_owned(),
        })
    };
    Ok(names.into_iter().map(name).collect::<Result<Vec<_>>>()?.join(", "))
}

/// A value as it would be written in a suite.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && text.trim() == text && !text.contains('\n') => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() && float != 0.0 && float.abs() < 1e-3 => {
                format!("{float:e}")
            }
            _ => number.to_string(),
        },
        value => value.to_string(),
    }
}

/// Within a sentence; a word in capitals stays.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain([second]).chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// Within a cell of a table.
fn escape(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn required_optional_enumerated_and_nested_options_have_rows() {
        let schema = json!({
            "properties": {
                "path": { "type": "string", "description": "The file." },
                "seed": { "type": ["integer", "null"], "description": "A|B", "default": null },
                "lr": { "type": "number", "description": "Rate.", "default": 1e-5 },
                "way": { "$ref": "#/$defs/Way", "description": "Which way.", "default": "far" },
                "shape": { "anyOf": [{ "$ref": "#/$defs/Shape" }, { "type": "null" }], "description": "The shape.", "default": null },
                "stop": { "type": "array", "items": { "type": "string" }, "description": "Ends.", "default": ["\n"] }
            },
            "required": ["path"],
            "$defs": {
                "Way": { "oneOf": [
                    { "const": "far", "description": "The long one." }, { "const": "near", "description": "The short one." }
                ] },
                "Shape": { "properties": { "width": { "type": "integer", "description": "Width." } }, "required": ["width"], "type": "object" }
            }
        });
        let expected = "\
            | option | type | what | default |\n|---|---|---|---|\n\
            | `path` | string | The file. | required |\n\
            | `seed` | integer | A\\|B |  |\n\
            | `lr` | number | Rate. | `1e-5` |\n\
            | `way` | `far`, `near` | Which way. `far`: the long one. `near`: the short one. | `far` |\n\
            | `shape` | mapping | The shape. |  |\n\
            | `shape.width` | integer | Width. | required |\n\
            | `stop` | list of string | Ends. | `[\"\\n\"]` |\n";
        assert_eq!(table(&schema).unwrap(), expected);
        let error = table(&json!({ "properties": { "x": { "type": "string" } } })).unwrap_err();
        assert!(error.to_string().contains("`x` has no description"), "{error}");
        assert_eq!(table(&json!({})).unwrap(), "It has no options.\n");
    }
}
