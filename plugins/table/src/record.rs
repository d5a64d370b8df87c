//! A row with the names that templates know.

use examiner_api::rows::{Row, lookup};
use examiner_api::{Metadata, PluginError, Result};
use minijinja::value::Serde;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// A row as templates see it.
pub(crate) struct Record {
    /// The row as it is in the file.
    pub(crate) row: Row,
    /// Its fields, with the names of `fields` added.
    pub(crate) fields: Metadata,
    /// All that templates know: the fields, `index` and `row`.
    pub(crate) names: Metadata,
    /// The same for the template engine.
    pub(crate) context: minijinja::Value,
}

impl Record {
    /// Adds the names of `fields`.
    pub(crate) fn of(row: Row, renamed: &BTreeMap<String, String>) -> Result<Self> {
        let mut fields = row.fields.clone();
        for (name, path) in renamed {
            let value = lookup(&row.fields, path).ok_or_else(|| {
                let there: Vec<String> = row.fields.keys().map(|name| format!("`{name}`")).collect();
                PluginError::bad_input(format!("{}: `fields` asks for `{path}`, which is not there", row.place()))
                    .with_help(format!("the row has {}", there.join(", ")))
            })?;
            fields.insert(name.clone(), value.clone());
        }
        let mut names = fields.clone();
        names.entry("index").or_insert_with(|| json!(row.index));
        names.entry("row").or_insert_with(|| Value::Object(row.fields.clone()));
        let context = minijinja::Value::from(Serde(&names));
        Ok(Record { row, fields, names, context })
    }

    /// An error that names the row.
    pub(crate) fn error(&self, what: impl fmt::Display) -> PluginError {
        PluginError::bad_input(format!("{}: {what}", self.row.place()))
    }
}
