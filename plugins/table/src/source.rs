//! The rows of a file, chosen and with the names that templates know.

use crate::options::{Options, Pool, Where};
use crate::template::Valued;
use examiner_api::rows::{self, Format, Row, lookup};
use examiner_api::{Host, Metadata, PluginError, Result};
use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A file and which of its rows are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    format: Option<Format>,
    pointer: Option<String>,
    filter: Option<Where>,
}

/// A row as templates see it.
pub(crate) struct Record {
    /// The row as it stands in the file.
    pub(crate) row: Row,
    /// Its fields, with the names of `fields` added.
    pub(crate) fields: Metadata,
    /// All that templates know: the fields, `index` and `row`.
    pub(crate) names: Metadata,
    /// The same for the template engine.
    pub(crate) context: minijinja::Value,
}

impl Source {
    /// The file of the questions.
    pub(crate) fn questions(options: &Options, host: &Host) -> Result<Self> {
        let path = host.fetch(&options.path)?;
        let format = format(options.format, &path, &options.path);
        Ok(Source { path, format, pointer: options.pointer.clone(), filter: options.filter.clone() })
    }

    /// The file of the few-shot examples.
    pub(crate) fn pool(pool: &Pool, host: &Host) -> Result<Self> {
        let path = host.fetch(&pool.path)?;
        let format = format(pool.format, &path, &pool.path);
        Ok(Source { path, format, pointer: pool.pointer.clone(), filter: pool.filter.clone() })
    }

    /// Whether both take their rows from the same place.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.path == other.path && self.pointer == other.pointer
    }

    /// The rows chosen, in the order of the file.
    pub(crate) fn records<'e>(
        &'e self,
        environment: &'e Environment<'e>,
        fields: &'e BTreeMap<String, String>,
    ) -> Result<impl Iterator<Item = Result<Record>> + 'e> {
        let expression = match &self.filter {
            Some(Where::Expression(source)) => Some(Valued::compile(environment, "where", source)?),
            _ => None,
        };
        let rows = rows::read_at(&self.path, self.format, self.pointer.as_deref())?;
        Ok(rows.filter_map(move |row| {
            let record = match row.and_then(|row| Record::of(row, fields)) {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            let chosen = match (&self.filter, &expression) {
                (Some(Where::Fields(filter)), _) => Ok(filter.matches(&record.fields)),
                (_, Some(expression)) => expression.is_true(&record),
                _ => Ok(true),
            };
            chosen.map(|chosen| chosen.then_some(record)).transpose()
        }))
    }
}

impl Record {
    fn of(row: Row, renamed: &BTreeMap<String, String>) -> Result<Self> {
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

/// The format that is given, or that the local file or its address tells.
fn format(given: Option<Format>, path: &Path, uri: &str) -> Option<Format> {
    given.or_else(|| Format::of(path)).or_else(|| Format::of(Path::new(uri)))
}
