//! The format of suites as one JSON Schema, by which editors complete, explain and check what is typed.
//!
//! What the program takes, the schema takes; it refuses unknown keys and wrong types as the program does. What depends on more
//! than the form of a value is the program's alone: which names there are, what a reference leads to, what files hold.

mod options;
mod roles;
mod sections;
mod values;

use examiner_api::PluginInfo;
use serde_json::{Map, Value, json};
use values::{described, one_or_several, optional, reference_forms};

/// The schema of suites (JSON Schema, draft 2020-12). With plugins, their roles have to be among those, and options are held against the
/// schemas that they publish; without, options are whatever they are. `rule` is the schema of an entry of `gate`.
pub fn json_schema(plugins: Option<&[PluginInfo]>, rule: Value) -> Value {
    let mut defs = Map::new();
    defs.extend(reference_forms());
    let mut properties = sections::properties(plugins, &mut defs);
    let rule = options::embedded("rule", &rule, &Map::new());
    defs.insert("rule".to_owned(), rule);
    let gate = described(
        "Rules that the results must keep, judged after each run.",
        optional(one_or_several(json!({ "$ref": "#/$defs/rule" }))),
    );
    properties.insert("gate".to_owned(), gate);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A suite of Examiner",
        "description": "Which models are examined on which datasets, and what is made on the way.",
        "type": "object",
        "required": ["name"],
        "properties": properties,
        "additionalProperties": false,
        "$defs": defs,
    })
}

#[cfg(test)]
mod tests;
