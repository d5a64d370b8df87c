//! The options of a role as a list, made from the JSON Schema that its plugin publishes: what people are shown of a schema.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A list of more values than this is not shown as a type.
const VALUES_MAX: usize = 10;
/// Schemas that lead to themselves are followed no deeper.
const DEPTH_MAX: usize = 8;
/// Nested options are listed no deeper.
const NESTING_MAX: usize = 4;

/// An option, or a field of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionInfo {
    /// Its name; a field of a nested option has the option's before it: `scratch.n_layer`.
    pub name: String,
    /// Its type, or its values in backticks: `integer`, `` `sum`, `chars` ``.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// What holds without it, as a suite would write it; none where that is nothing.
    pub default: Option<String>,
    /// What it does, with a sentence for each of its values; empty where the plugin says nothing.
    pub description: String,
}

/// The options of a schema in its order; fields of nested options follow them.
pub fn option_list(schema: &Value) -> Vec<OptionInfo> {
    let mut options = Vec::new();
    Reader { root: schema }.add(schema, "", 0, &mut options);
    options
}

/// Reads the parts of a schema, which refer to definitions at its root.
struct Reader<'a> {
    root: &'a Value,
}

impl<'a> Reader<'a> {
    fn add(&self, object: &Value, prefix: &str, depth: usize, options: &mut Vec<OptionInfo>) {
        let required: Vec<&str> =
            object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in object["properties"].as_object().into_iter().flatten() {
            let definition = self.resolve(property, 0);
            let has_fields = definition["properties"].is_object();
            let own = property["description"].as_str().or(definition["description"].as_str()).unwrap_or_default();
            let sentences = std::iter::once(own.to_owned()).chain(self.values(definition, 0));
            let required = required.contains(&name.as_str());
            let default = match &property["default"] {
                Value::Null => None,
                value => (!required && !has_fields).then(|| text_of(value)),
            };
            let kind = if has_fields { "mapping".to_owned() } else { self.type_of(property, 0) };
            let sentences: Vec<String> = sentences.filter(|sentence| !sentence.is_empty()).collect();
            let name = format!("{prefix}{name}");
            let nested = self.with_fields(definition).filter(|_| depth < NESTING_MAX);
            let description = sentences.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
            options.push(OptionInfo { name: name.clone(), kind, required, default, description });
            if let Some(nested) = nested {
                self.add(nested, &format!("{name}."), depth + 1, options);
            }
        }
    }

    /// The schema whose fields are options of their own: the definition itself, or the one alternative that has described fields.
    fn with_fields(&self, definition: &'a Value) -> Option<&'a Value> {
        let is_described = |schema: &Value| {
            let fields = schema["properties"].as_object();
            fields.is_some_and(|fields| fields.values().all(|field| field["description"].is_string()))
        };
        let candidates = std::iter::once(definition).chain(alternatives(definition));
        candidates.map(|schema| self.resolve(schema, 0)).find(|schema| {
            is_described(schema) || (schema["properties"].is_object() && std::ptr::eq(*schema, definition))
        })
    }

    /// What a schema refers to: through `$ref`, and through `anyOf` with null, which is how an option that may be left out looks.
    fn resolve(&self, schema: &'a Value, depth: usize) -> &'a Value {
        if depth > DEPTH_MAX {
            return schema;
        }
        if let Some(path) = schema["$ref"].as_str() {
            let target = self.root.pointer(path.trim_start_matches('#'));
            return target.map_or(schema, |target| self.resolve(target, depth + 1));
        }
        match alternatives(schema).as_slice() {
            [one] => self.resolve(one, depth + 1),
            _ => schema,
        }
    }

    /// A sentence for each value of an enumeration.
    fn values(&self, schema: &'a Value, depth: usize) -> Vec<String> {
        let mut values = Vec::new();
        for schema in alternatives(schema).into_iter().filter(|_| depth <= DEPTH_MAX) {
            let definition = self.resolve(schema, 0);
            let what = schema["description"].as_str().or(definition["description"].as_str());
            match definition["const"].as_str() {
                Some(value) => values.extend(what.map(|what| format!("`{value}`: {}", lower_first(what)))),
                None if !alternatives(definition).is_empty() => values.extend(self.values(definition, depth + 1)),
                None => {
                    let kind = self.type_of(definition, 0);
                    values.extend(what.map(|what| format!("As {kind}: {}", lower_first(what))));
                }
            }
        }
        values
    }

    fn type_of(&self, schema: &'a Value, depth: usize) -> String {
        let schema = self.resolve(schema, 0);
        if let Some(value) = schema["const"].as_str() {
            return format!("`{value}`");
        }
        let alternatives = alternatives(schema);
        if !alternatives.is_empty() && depth <= DEPTH_MAX {
            let types = alternatives.into_iter().map(|schema| self.type_of(schema, depth + 1));
            return types.collect::<Vec<_>>().join(", ");
        }
        if let Some(values) = schema["enum"].as_array().filter(|values| values.len() <= VALUES_MAX) {
            return values.iter().map(|value| format!("`{}`", text_of(value))).collect::<Vec<_>>().join(", ");
        }
        let names: Vec<&str> = match &schema["type"] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
            _ => vec!["any value"],
        };
        let name = |name: &str| match name {
            "array" if depth <= DEPTH_MAX => format!("list of {}", self.type_of(&schema["items"], depth + 1)),
            "object" => match schema["properties"].as_object().filter(|_| schema["required"].is_array()) {
                // An alternative that is recognized by its field, such as `{ k-best: 2 }`.
                Some(fields) if fields.len() == 1 => {
                    format!("`{{ {}: ... }}`", fields.keys().next().map_or("", |key| key))
                }
                _ => "mapping".to_owned(),
            },
            name => name.to_owned(),
        };
        names.into_iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

/// The schemas of `anyOf` or `oneOf`, without null.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let all = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    all.filter(|schema| schema["type"] != "null").collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn required_optional_enumerated_and_nested_options_are_listed() {
        let schema = json!({
            "properties": {
                "path": { "type": "string", "description": "The file." },
                "seed": { "type": ["integer", "null"], "description": "A|B", "default": null },
                "lr": { "type": "number", "description": "Rate.", "default": 1e-5 },
                "way": { "$ref": "#/$defs/Way", "description": "Which\nway.", "default": "far" },
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
        let option = |name: &str, kind: &str, default: Option<&str>, description: &str| OptionInfo {
            name: name.to_owned(),
            kind: kind.to_owned(),
            required: default == Some("required"),
            default: default.filter(|default| *default != "required").map(str::to_owned),
            description: description.to_owned(),
        };
        let expected = [
            option("path", "string", Some("required"), "The file."),
            option("seed", "integer", None, "A|B"),
            option("lr", "number", Some("1e-5"), "Rate."),
            option("way", "`far`, `near`", Some("far"), "Which way. `far`: the long one. `near`: the short one."),
            option("shape", "mapping", None, "The shape."),
            option("shape.width", "integer", Some("required"), "Width."),
            option("stop", "list of string", Some("[\"\\n\"]"), "Ends."),
        ];
        assert_eq!(option_list(&schema), expected);
        assert_eq!(option_list(&json!({})), []);
    }

    #[test]
    fn a_schema_that_leads_to_itself_or_nowhere_is_listed_all_the_same() {
        let schema = json!({
            "properties": {
                "tree": { "$ref": "#/$defs/Tree", "description": "A tree." },
                "lost": { "$ref": "#/$defs/None" },
                "loop": { "$ref": "#/$defs/Loop" }
            },
            "$defs": {
                "Tree": { "type": "object", "properties": { "left": { "$ref": "#/$defs/Tree", "description": "A part." } } },
                "Loop": { "$ref": "#/$defs/Loop" }
            }
        });
        let options = option_list(&schema);
        assert_eq!(options.len(), NESTING_MAX + 3);
        assert!(options.iter().any(|option| option.name == "tree.left.left"), "{options:?}");
        let lost = options.iter().find(|option| option.name == "lost").unwrap();
        assert_eq!((lost.kind.as_str(), lost.description.as_str()), ("any value", ""));
    }
}
