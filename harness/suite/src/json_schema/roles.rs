//! Which role an entry is of, and the options that follow from it.

use super::options::embedded;
use super::values::{described, name, optional};
use crate::fields::check_name;
use examiner_api::{PluginInfo, RoleInfo, RoleKind};
use serde_json::{Map, Value, json};

/// The roles of one kind that a suite can ask for, each with its plugin.
struct Roles<'a>(Vec<(&'a PluginInfo, &'a RoleInfo)>);

impl<'a> Roles<'a> {
    fn of_kind(plugins: &'a [PluginInfo], kind: RoleKind) -> Self {
        let all = plugins.iter().flat_map(|plugin| plugin.roles.iter().map(move |role| (plugin, role)));
        Roles(all.filter(|(_, role)| role.kind == kind && check_name(&role.name).is_ok()).collect())
    }

    /// Whether the name alone says which role is meant.
    fn is_only(&self, role: &RoleInfo) -> bool {
        self.0.iter().filter(|(_, other)| other.name == role.name).count() == 1
    }

    /// The value that names a role.
    fn value(&self) -> Value {
        let alone: Vec<&RoleInfo> = self.0.iter().map(|(_, role)| *role).filter(|role| self.is_only(role)).collect();
        let names: Vec<&str> = alone.iter().map(|role| role.name.as_str()).collect();
        let summaries: Vec<&str> = alone.iter().map(|role| role.summary.as_str()).collect();
        let mut all: Vec<&str> = self.0.iter().map(|(_, role)| role.name.as_str()).collect();
        let mut plugins: Vec<&str> = self.0.iter().map(|(plugin, _)| plugin.name.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        plugins.sort_unstable();
        plugins.dedup();
        let one_of = |names: Vec<&str>| json!({ "anyOf": [{ "enum": names }, { "$ref": "#/$defs/reference" }] });
        json!({ "anyOf": [
            { "enum": names, "enumDescriptions": summaries },
            { "$ref": "#/$defs/reference" },
            from_plugin(one_of(all), one_of(plugins)),
        ] })
    }

    /// For each role a condition by which its options are known. `fields` are the other keys of the entry.
    fn options(
        &self,
        section: &str,
        key: &str,
        fields: &Map<String, Value>,
        defs: &mut Map<String, Value>,
    ) -> Vec<Value> {
        let mut conditions = Vec::new();
        for (plugin, role) in &self.0 {
            let name = match self.is_only(role) {
                true => format!("{section}.{}", role.name),
                false => format!("{section}.{}.{}", role.name, plugin.name),
            };
            let from = json!({
                "type": "object",
                "properties": { "name": { "const": role.name }, "from": { "const": plugin.name } },
                "required": ["name", "from"],
            });
            let asked = match self.is_only(role) {
                true => json!({ "anyOf": [{ "const": role.name }, from] }),
                false => from,
            };
            conditions.push(json!({
                "if": { "properties": { key: asked }, "required": [key] },
                "then": { "$ref": format!("#/$defs/{name}") },
            }));
            defs.insert(name.clone(), embedded(&name, &role.options, fields));
        }
        conditions
    }
}

/// `{ name: ROLE, from: PLUGIN }`.
fn from_plugin(name: Value, from: Value) -> Value {
    let name = described("The name of the role.", name);
    let from = described("The plugin that has it.", from);
    json!({
        "type": "object",
        "properties": { "name": name, "from": from },
        "required": ["name", "from"],
        "additionalProperties": false,
    })
}

/// The schema of an entry whose key says of which role it is: `key` with its description. `keys` are those that the harness reads
/// besides, of which `required` have to be there.
pub(super) fn entry(
    plugins: Option<&[PluginInfo]>,
    kind: RoleKind,
    section: &str,
    (key, what): (&str, &str),
    keys: Map<String, Value>,
    required: &[&str],
    defs: &mut Map<String, Value>,
) -> Value {
    let roles = plugins.map(|plugins| Roles::of_kind(plugins, kind));
    let value = roles.as_ref().map_or_else(|| json!({ "anyOf": [name(), from_plugin(name(), name())] }), Roles::value);
    let mut fields = Map::from_iter([(key.to_owned(), described(what, value))]);
    fields.extend(keys);
    let required: Vec<&str> = std::iter::once(key).chain(required.iter().copied()).collect();
    let mut entry = json!({ "type": "object", "properties": fields, "required": required });
    if let Some(roles) = roles {
        let keys = entry_keys(section, &fields);
        entry["allOf"] = Value::Array(roles.options(section, key, &keys, defs));
    }
    defs.insert(section.to_owned(), entry);
    json!({ "$ref": format!("#/$defs/{section}") })
}

/// The fields of an entry, as those refer to them that have options besides.
fn entry_keys(section: &str, fields: &Map<String, Value>) -> Map<String, Value> {
    let field = |key: &String| (key.clone(), json!({ "$ref": format!("#/$defs/{section}/properties/{key}") }));
    fields.keys().map(field).collect()
}

/// The schema of one scorer: a name, or a mapping with its options.
pub(super) fn scorer(plugins: Option<&[PluginInfo]>, defs: &mut Map<String, Value>) -> Value {
    let label = "Its name in the report; by default the scorer's. With labels, a scorer can be used twice.";
    let keys = Map::from_iter([("label".to_owned(), described(label, optional(json!({ "anyOf": [name()] }))))]);
    let what = ("name", "The scorer.");
    let with_options = entry(plugins, RoleKind::Scorer, "scorer", what, keys, &[], defs);
    let bare = match plugins {
        Some(_) => json!({ "$ref": "#/$defs/scorer/properties/name/anyOf/0" }),
        None => name(),
    };
    let mut forms = vec![bare];
    if plugins.is_some() {
        forms.push(json!({ "$ref": "#/$defs/reference" }));
    }
    forms.push(with_options);
    json!({ "anyOf": forms })
}
