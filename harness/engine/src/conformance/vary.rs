//! Other legal values of options, found by their schema.

use examiner_api::Metadata;
use serde_json::{Value, json};

/// The mark of an option that changes no result: `#[schemars(extend("x-no-effect" = true))]`.
pub(super) const NO_EFFECT: &str = "x-no-effect";

/// The schema of an option, with what it refers to.
pub(super) struct Property<'a> {
    pub(super) name: &'a str,
    schema: &'a Value,
    root: &'a Value,
}

/// The options of a role, in the order of its schema.
pub(super) fn properties(root: &Value) -> impl Iterator<Item = Property<'_>> {
    let properties = root.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(move |(name, schema)| Property { name, schema, root })
}

impl Property<'_> {
    /// Why the option is left as it is, if it is.
    pub(super) fn left_alone(&self, checkpoint_option: Option<&str>) -> Option<&'static str> {
        let all = self.alternatives();
        if all.iter().any(|schema| schema.get(NO_EFFECT) == Some(&json!(true))) {
            Some("it is marked `x-no-effect`")
        } else if all.iter().any(|schema| is_address(schema)) {
            Some("it is a path or an address")
        } else if checkpoint_option == Some(self.name) {
            Some("it names a checkpoint")
        } else if self.name.ends_with("_env") {
            Some("it names a variable of the environment")
        } else {
            None
        }
    }

    /// The value that the schema says it has where none is given.
    pub(super) fn default(&self) -> Option<&Value> {
        self.schema.get("default")
    }

    /// Values of its type, as far from `current` as the schema allows; the best ones first. They need not be legal: bounds and
    /// patterns are left to the validator.
    pub(super) fn others(&self, current: Option<&Value>) -> Vec<Value> {
        let current = current.or(self.default());
        if current.and_then(Value::as_str).is_some_and(|text| text.contains(['/', '\\']) || text.contains("://")) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for schema in self.alternatives() {
            others_of(schema, current, &mut found);
        }
        found.retain(|value| Some(value) != current && !value.is_null());
        found
    }

    /// Values of types that the option does not have.
    pub(super) fn of_wrong_type(&self) -> Vec<Value> {
        [json!("examiner"), json!(7), json!(true), json!(["examiner"]), json!({ "examiner": 7 })].into()
    }

    /// The schema itself, what it refers to, and the branches of its choices.
    fn alternatives(&self) -> Vec<&Value> {
        let mut all = Vec::new();
        self.collect(self.schema, 0, &mut all);
        all
    }

    fn collect<'s>(&'s self, schema: &'s Value, depth: usize, all: &mut Vec<&'s Value>) {
        // A schema may refer to itself.
        if depth > 6 {
            return;
        }
        all.push(schema);
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
            && let Some(target) = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer))
        {
            self.collect(target, depth + 1, all);
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            for branch in schema.get(choice).and_then(Value::as_array).into_iter().flatten() {
                self.collect(branch, depth + 1, all);
            }
        }
    }
}

/// Whether a schema is that of a text with a format, a path for example. Numbers have formats, too: `uint32`, `double`.
fn is_address(schema: &Value) -> bool {
    let format = schema.get("format").and_then(Value::as_str);
    format.is_some_and(|format| !["int", "uint", "float", "double"].iter().any(|number| format.starts_with(number)))
}

fn others_of(schema: &Value, current: Option<&Value>, found: &mut Vec<Value>) {
    found.extend(schema.get("const").cloned());
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        found.extend(values.iter().cloned());
        return;
    }
    if schema.get("const").is_some() {
        return;
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    for name in types {
        match name {
            "boolean" => found.extend([json!(true), json!(false)]),
            "integer" => {
                let now = current.and_then(Value::as_i64);
                found.extend(now.map(|now| json!(now + 1)));
                found.extend(now.filter(|now| *now > 0).map(|now| json!(now - 1)));
                found.extend([json!(1), json!(2), json!(3)]);
                let bounds = [bound("minimum"), bound("maximum")].into_iter().flatten();
                found.extend(bounds.map(|bound| json!(bound as i64)));
            }
            "number" => {
                let now = current.and_then(Value::as_f64);
                found.extend(now.map(|now| json!(now * 0.5 + 0.125)));
                found.extend([json!(0.25), json!(0.75), json!(2.5)]);
                found.extend([bound("minimum"), bound("maximum")].into_iter().flatten().map(|bound| json!(bound)));
            }
            "string" => {
                let now = current.and_then(Value::as_str).unwrap_or_default();
                found.extend([json!(format!("{now}examiner")), json!("examiner"), json!("e")]);
            }
            _ => {}
        }
    }
}

/// Options in which one has another value.
pub(super) fn with(options: &Metadata, name: &str, value: Value) -> Metadata {
    let mut options = options.clone();
    options.insert(name.to_owned(), value);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_from_types_bounds_and_choices() {
        let root = json!({
            "properties": {
                "on": { "type": "boolean", "default": true },
                "count": { "type": ["integer", "null"], "format": "uint32", "minimum": 1, "maximum": 9, "default": 3 },
                "share": { "type": "number", "default": 0.5 },
                "kind": { "$ref": "#/$defs/Kind", "default": "one" },
                "text": { "type": "string" },
                "file": { "type": "string", "format": "path" },
                "key_env": { "type": "string" },
                "threads": { "type": "integer", "x-no-effect": true },
                "list": { "type": "array" },
            },
            "$defs": { "Kind": { "oneOf": [{ "const": "one" }, { "enum": ["two", "three"] }] } },
        });
        let all: Vec<(&str, Option<&str>, Value)> = properties(&root)
            .map(|option| (option.name, option.left_alone(None), Value::Array(option.others(None))))
            .collect();
        let others = |name: &str| all.iter().find(|(found, ..)| *found == name).unwrap().2.to_string();
        assert_eq!(others("on"), "[false]");
        assert_eq!(others("count"), "[4,2,1,2,1,9]");
        assert!(others("share").starts_with("[0.375"));
        assert_eq!(others("kind"), r#"["two","three"]"#);
        assert!(others("text").contains("examiner"));
        assert_eq!(others("list"), "[]");
        let alone: Vec<&str> = all.iter().filter(|(_, why, _)| why.is_some()).map(|(name, ..)| *name).collect();
        assert_eq!(alone, ["file", "key_env", "threads"]);
        let option = properties(&root).find(|option| option.name == "text").unwrap();
        assert_eq!(option.others(Some(&json!("http://here"))), Vec::<Value>::new(), "an address is left alone");
    }
}
