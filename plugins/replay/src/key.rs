//! The fields that a sample's metadata and a recorded row share.

use examiner_api::rows::{lookup, scalar_text};
use examiner_api::schemars;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields by which a sample finds its row.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(untagged)]
pub enum Key {
    /// Fields of the same name in the sample's metadata and in the row: `[task, index]`.
    Same(Vec<String>),
    /// A field of the row for each field of the metadata: `{ index: question_number }`.
    Pairs(BTreeMap<String, String>),
}

impl Key {
    /// Each field's path in the metadata and in the row.
    fn pairs(&self) -> Vec<(&str, &str)> {
        match self {
            Key::Same(names) => names.iter().map(|name| (&**name, &**name)).collect(),
            Key::Pairs(pairs) => pairs.iter().map(|(sample, row)| (&**sample, &**row)).collect(),
        }
    }

    /// The paths in a sample's metadata.
    pub(crate) fn in_metadata(&self) -> Vec<&str> {
        self.pairs().into_iter().map(|(sample, _)| sample).collect()
    }

    /// The paths in a recorded row.
    pub(crate) fn in_row(&self) -> Vec<&str> {
        self.pairs().into_iter().map(|(_, row)| row).collect()
    }
}

/// The values of the fields at some paths, as the texts by which they are compared: 3 of one file is `3` of a CSV file.
///
/// # Errors
/// What is wrong with the first field that has no such text.
pub(crate) fn values(fields: &Map<String, Value>, paths: &[&str]) -> Result<Vec<String>, String> {
    let value = |path: &&str| match lookup(fields, path) {
        None => Err(format!("there is no field `{path}`, only {}", names(fields))),
        Some(value) => scalar_text(value)
            .ok_or_else(|| format!("the field `{path}` is `{value}`, expected a string, a number or a boolean")),
    };
    paths.iter().map(value).collect()
}

/// `task` = `navigate`, `index` = `3`
pub(crate) fn say(paths: &[&str], values: &[String]) -> String {
    let pairs: Vec<String> = paths.iter().zip(values).map(|(path, value)| format!("`{path}` = `{value}`")).collect();
    pairs.join(", ")
}

fn names(fields: &Map<String, Value>) -> String {
    match fields.len() {
        0 => "an empty object".to_owned(),
        _ => fields.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
