//! What a plugin library holds: its name, and the roles it can play.

use crate::{
    Catalog, Dataset, Diagnostic, Exporter, Host, Metadata, Model, OpenRole, PluginError, Recipe, Result, RoleKind,
    Scorer, Trainer,
};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The description of one role of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleInfo {
    /// The kind of role.
    pub kind: RoleKind,
    /// Its name, unique among the roles of its kind in a suite.
    pub name: String,
    /// One sentence for `examiner plugins`.
    pub summary: String,
    /// The JSON Schema of its options.
    pub options: Value,
    /// The option that names the checkpoint that it is opened from: [`Open::CHECKPOINT_OPTION`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_option: Option<String>,
}

/// The description of a plugin.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its roles. Those of a kind that this version does not know are left out: nothing here could ask for them.
    #[serde(deserialize_with = "of_known_kinds")]
    pub roles: Vec<RoleInfo>,
}

fn of_known_kinds<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<RoleInfo>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum AnyRole {
        Known(RoleInfo),
        Unknown { kind: String },
    }
    let roles = Vec::<AnyRole>::deserialize(deserializer)?.into_iter().filter_map(|role| match role {
        AnyRole::Known(role) => Some(Ok(role)),
        // What fails to be read for another reason than its kind is not to vanish.
        AnyRole::Unknown { kind } => match RoleKind::deserialize(kind.as_str().into_deserializer()) {
            Ok(kind) => Some(Err(D::Error::custom(format!("a {kind} without `name`, `summary` or `options`")))),
            Err(error) => {
                let _: serde::de::value::Error = error;
                None
            }
        },
    });
    roles.collect()
}

/// How a role comes to be: from its options in the suite.
pub trait Open: Sized + 'static {
    /// The role's options. Derive `Deserialize` with `deny_unknown_fields`, and `JsonSchema`, so that
    /// `examiner check` and editors know them.
    type Options: DeserializeOwned + schemars::JsonSchema;

    /// The name of the option that says which checkpoint the role is opened from, where it is opened from one. Programs then
    /// know the checkpoint of a model without opening it: `train: { from: MODEL }` starts from there.
    const CHECKPOINT_OPTION: Option<&'static str> = None;

    /// Makes the role. Files are opened and options judged here, so that a suite fails before its work starts.
    fn open(options: Self::Options, host: Host) -> Result<Self>;
}

type OpenFn = Box<dyn Fn(Metadata, Host) -> Result<OpenRole> + Send + Sync>;

/// The roles of one plugin. Built by the function that [`export_plugin!`](crate::export_plugin) is given.
pub struct Plugin {
    name: String,
    version: String,
    roles: Vec<(RoleInfo, OpenFn)>,
}

macro_rules! role {
    ($(#[$doc:meta])* $method:ident, $kind:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $method<R: Open + $kind>(mut self, name: &str, summary: &str) -> Self {
            let info = RoleInfo {
                kind: RoleKind::$kind,
                name: name.to_owned(),
                summary: summary.to_owned(),
                options: schemars::schema_for!(R::Options).to_value(),
                checkpoint_option: R::CHECKPOINT_OPTION.map(str::to_owned),
            };
            let role = format!("{} `{name}`", RoleKind::$kind);
            let open = move |options: Metadata, host: Host| {
                let options = serde_json::from_value(Value::Object(options)).map_err(|error| {
                    PluginError::bad_options(format!("the options of {role} do not fit")).with_cause(&error)
                })?;
                Ok(OpenRole::$kind(Box::new(R::open(options, host)?)))
            };
            self.roles.push((info, Box::new(open)));
            self
        }
    };
}

impl Plugin {
    /// A plugin without roles.
    pub fn new(name: &str, version: &str) -> Self {
        Plugin { name: name.to_owned(), version: version.to_owned(), roles: Vec::new() }
    }

    role!(/// Adds a model that suites ask for by `plugin: name`.
        model, Model);
    role!(/// Adds a dataset that suites ask for by `plugin: name`.
        dataset, Dataset);
    role!(/// Adds a scorer that suites ask for by `scorer: name`.
        scorer, Scorer);
    role!(/// Adds a trainer that suites ask for by `trainer: name`.
        trainer, Trainer);
    role!(/// Adds a recipe that suites ask for by `recipe: name`.
        recipe, Recipe);
    role!(/// Adds an exporter that suites ask for by `exporter: name`.
        exporter, Exporter);
    role!(/// Adds a diagnostic, which `examiner doctor` asks.
        diagnostic, Diagnostic);
    role!(/// Adds a catalog, which `examiner tasks` asks.
        catalog, Catalog);

    /// The description of the plugin.
    pub fn info(&self) -> PluginInfo {
        PluginInfo {
            name: self.name.clone(),
            version: self.version.clone(),
            roles: self.roles.iter().map(|(info, _)| info.clone()).collect(),
        }
    }

    /// Opens a role with its options.
    pub fn open(&self, kind: RoleKind, name: &str, options: Metadata, host: Host) -> Result<OpenRole> {
        let (_, open) =
            self.roles.iter().find(|(info, _)| info.kind == kind && info.name == name).ok_or_else(|| {
                PluginError::not_found(format!("plugin `{}` has no {kind} named `{name}`", self.name))
            })?;
        open(options, host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode};
    use serde_json::json;

    #[test]
    fn a_role_of_a_kind_of_a_newer_version_is_left_out_and_a_broken_one_is_an_error() {
        let role =
            |kind: &str| json!({ "kind": kind, "name": "n", "summary": "s", "options": {}, "from_the_future": 1 });
        let newer = json!({ "name": "p", "version": "1", "roles": [role("model"), role("solver"), role("scorer")] });
        let info: PluginInfo = decode(&encode(&newer).unwrap()).unwrap();
        let kinds: Vec<RoleKind> = info.roles.iter().map(|role| role.kind).collect();
        assert_eq!(kinds, [RoleKind::Model, RoleKind::Scorer]);
        assert_eq!(decode::<PluginInfo>(&encode(&info).unwrap()).unwrap(), info);
        let broken = json!({ "name": "p", "version": "1", "roles": [{ "kind": "model" }] });
        let error = decode::<PluginInfo>(&encode(&broken).unwrap()).unwrap_err();
        assert!(error.to_string().contains("a model without `name`"), "{error}");
    }
}
