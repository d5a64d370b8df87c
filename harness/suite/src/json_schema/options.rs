//! The schema of a plugin's options as a part of the schema of suites.
//!
//! In a suite a reference can stand where a plugin wants a number or one of several words; the program fills it in before the
//! plugin's schema is asked. Here the schema is widened at each such place.

use serde_json::{Map, Value, json};

/// Keywords whose value is a schema by name.
const BY_NAME: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is a schema.
const SINGLE: [&str; 12] = [
    "items",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
];
/// What is said of a value, rather than what holds of it.
const ANNOTATIONS: [&str; 8] =
    ["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"];

/// The schema of options, to stand in `$defs` under `name`, with the keys of the harness in its properties, which come before the
/// plugin's of the same name. A schema that is not valid would spoil all others: of its plugin any options are taken, and `check`
/// says what is wrong with it.
pub(super) fn embedded(name: &str, options: &Value, keys: &Map<String, Value>) -> Value {
    let any = json!({ "type": "object" });
    let options = if options.is_object() && jsonschema::validator_for(options).is_ok() { options } else { &any };
    let mut schema = options.clone();
    let place = format!("#/$defs/{name}");
    relocate(&mut schema, &place);
    widen(&mut schema, &Plugins { schema: options, place: &place });
    if let Value::Object(fields) = &mut schema {
        for key in ["$schema", "$id", "title"] {
            fields.shift_remove(key);
        }
        let properties = fields.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            properties.extend(keys.clone());
        }
    }
    schema
}

/// The schema as the plugin wrote it, and where it stands now.
struct Plugins<'a> {
    schema: &'a Value,
    place: &'a str,
}

impl Plugins<'_> {
    /// What the schema refers to, or itself if it refers to nothing that is known.
    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let pointer = reference.and_then(|text| text.strip_prefix(self.place).or_else(|| text.strip_prefix('#')));
        pointer.and_then(|pointer| self.schema.pointer(pointer)).unwrap_or(schema)
    }
}

/// Lets references within the schema begin at `root`.
fn relocate(schema: &mut Value, root: &str) {
    if let Some(Value::String(reference)) = schema.get_mut("$ref")
        && let Some(rest) = reference.strip_prefix('#')
    {
        *reference = format!("{root}{rest}");
    }
    for_each_part(schema, &mut |_, part| relocate(part, root));
}

/// Calls `visit` with every schema that is directly within `schema`, and the keyword that it belongs to.
fn for_each_part(schema: &mut Value, visit: &mut dyn FnMut(&str, &mut Value)) {
    let Value::Object(fields) = schema else { return };
    for (keyword, value) in fields {
        match value {
            Value::Object(parts) if BY_NAME.contains(&keyword.as_str()) => {
                parts.values_mut().for_each(|part| visit(keyword, part));
            }
            Value::Array(parts) if LISTS.contains(&keyword.as_str()) || keyword == "items" => {
                parts.iter_mut().for_each(|part| visit(keyword, part));
            }
            Value::Object(_) if SINGLE.contains(&keyword.as_str()) => visit(keyword, value),
            _ => {}
        }
    }
}

/// Lets a reference stand for every value within what the schema is of.
fn widen(schema: &mut Value, plugins: &Plugins<'_>) {
    let told_apart = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .is_some_and(|branches| branches.iter().any(|branch| has_fixed_value(plugins.resolved(branch))));
    for_each_part(schema, &mut |keyword, part| match keyword {
        // Widened, a condition would hold of values that it is not about.
        "if" | "not" | "propertyNames" => {}
        "properties" | "patternProperties" | "items" | "prefixItems" | "additionalProperties" => {
            let wanted = stands_for(part, plugins, 0);
            widen(part, plugins);
            if let Some(form) = wanted.form() {
                stand_in(part, form);
            }
        }
        _ => widen(part, plugins),
    });
    // A reference can stand for the value by which the alternatives are told apart.
    if told_apart
        && let Value::Object(fields) = schema
        && let Some(branches) = fields.shift_remove("oneOf")
    {
        fields.insert("anyOf".to_owned(), branches);
    }
}

/// Whether a mapping has a key with one possible value.
fn has_fixed_value(schema: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|all| all.values().any(|value| value.get("const").is_some() || value.get("enum").is_some()))
}

/// Which references a place needs besides what its schema takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    /// None: no single value is taken there.
    Nothing,
    /// A text that is a variable alone, which may be a number.
    Variable,
    /// Any text with a reference.
    Reference,
    /// None: any text is taken as it is.
    AnyText,
}

impl Wanted {
    fn form(self) -> Option<&'static str> {
        match self {
            Wanted::Variable => Some("variable"),
            Wanted::Reference => Some("reference"),
            Wanted::Nothing | Wanted::AnyText => None,
        }
    }
}

fn stands_for(schema: &Value, plugins: &Plugins<'_>, depth: usize) -> Wanted {
    let Value::Object(fields) = schema else { return Wanted::AnyText };
    // A schema that refers to itself says nothing more on the second reading.
    if depth > 16 {
        return Wanted::Nothing;
    }
    let of_value = |value: &Value| match value {
        Value::String(_) => Wanted::Reference,
        Value::Number(_) | Value::Bool(_) => Wanted::Variable,
        _ => Wanted::Nothing,
    };
    let greatest = |all: &mut dyn Iterator<Item = Wanted>| all.max().unwrap_or(Wanted::Nothing);
    if let Some(Value::Array(values)) = fields.get("enum") {
        return greatest(&mut values.iter().map(of_value));
    }
    if let Some(value) = fields.get("const") {
        return of_value(value);
    }
    let below = ["anyOf", "oneOf"].into_iter().filter_map(|keyword| fields.get(keyword)?.as_array()).flatten();
    let mut below: Vec<Wanted> = below.map(|branch| stands_for(branch, plugins, depth + 1)).collect();
    if fields.contains_key("$ref") {
        let target = plugins.resolved(schema);
        below.push(if std::ptr::eq(target, schema) { Wanted::AnyText } else { stands_for(target, plugins, depth + 1) });
    }
    let is_limited = ["pattern", "minLength", "maxLength"].iter().any(|keyword| fields.contains_key(*keyword));
    let of_type = |name: &str| match name {
        "string" if is_limited => Wanted::Reference,
        "string" => Wanted::AnyText,
        "number" | "integer" | "boolean" => Wanted::Variable,
        _ => Wanted::Nothing,
    };
    let by_type = match fields.get("type") {
        Some(Value::String(name)) => Some(of_type(name)),
        Some(Value::Array(names)) => Some(greatest(&mut names.iter().filter_map(Value::as_str).map(of_type))),
        _ => None,
    };
    match (by_type, below.is_empty()) {
        // Both hold: what the alternatives say of a text is narrower than its type.
        (Some(by_type), false) => by_type.min(greatest(&mut below.into_iter())),
        (Some(by_type), true) => by_type,
        (None, false) => greatest(&mut below.into_iter()),
        (None, true) => Wanted::AnyText,
    }
}

/// Lets a reference of this form stand where the schema does not hold; what is said of the value stays outside.
fn stand_in(schema: &mut Value, form: &str) {
    let Value::Object(fields) = schema else { return };
    let all = std::mem::take(fields);
    let is_said = |key: &str| ANNOTATIONS.contains(&key) || key.starts_with("x-");
    let (said, held): (Map<_, _>, Map<_, _>) = all.into_iter().partition(|(key, _)| is_said(key));
    fields.extend(said);
    let reference = json!({ "$ref": format!("#/$defs/{form}") });
    fields.insert("anyOf".to_owned(), json!([held, reference]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_may_stand_where_it_is_filled_in_and_nowhere_else() {
        let schema = json!({
            "properties": {
                "text": { "type": "string" },
                "count": { "type": ["integer", "null"], "description": "How many.", "default": 3 },
                "way": { "$ref": "#/$defs/Way", "default": "far" },
                "list": { "type": "array", "items": { "type": "number" } },
                "either": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
                "short": { "type": "string", "maxLength": 3 },
                "shape": { "$ref": "#/$defs/Shape" }
            },
            "$defs": {
                "Way": { "oneOf": [{ "const": "far" }, { "const": "near" }] },
                "Shape": { "oneOf": [
                    { "properties": { "is": { "const": "round" }, "radius": { "type": "number" } } },
                    { "properties": { "is": { "const": "square" } } }
                ] },
                "Tree": { "type": "object", "properties": { "left": { "$ref": "#/$defs/Tree" } } }
            }
        });
        let embedded = embedded("r", &schema, &Map::from_iter([("text".to_owned(), json!(true))]));
        let (variable, reference) = (json!({ "$ref": "#/$defs/variable" }), json!({ "$ref": "#/$defs/reference" }));
        let property = |name: &str| embedded["properties"][name].clone();
        assert_eq!(property("text"), json!(true));
        let count =
            json!({ "description": "How many.", "default": 3, "anyOf": [{ "type": ["integer", "null"] }, variable] });
        assert_eq!(property("count"), count);
        let way = json!({ "default": "far", "anyOf": [{ "$ref": "#/$defs/r/$defs/Way" }, reference] });
        assert_eq!(property("way"), way);
        assert_eq!(property("list")["items"], json!({ "anyOf": [{ "type": "number" }, variable] }));
        assert_eq!(property("either"), schema["properties"]["either"]);
        assert_eq!(property("short"), json!({ "anyOf": [{ "type": "string", "maxLength": 3 }, reference] }));
        assert_eq!(property("shape"), json!({ "$ref": "#/$defs/r/$defs/Shape" }));
        assert_eq!(embedded["$defs"]["Way"], schema["$defs"]["Way"]);
        let shape = &embedded["$defs"]["Shape"]["anyOf"][0]["properties"];
        assert_eq!(shape["is"], json!({ "anyOf": [{ "const": "round" }, reference] }));
        assert_eq!(shape["radius"], json!({ "anyOf": [{ "type": "number" }, variable] }));
    }
}
