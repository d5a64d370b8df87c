//! The rows of a file, chosen and with the names that templates know.

use crate::options::{GoldIs, Options, Pool, Where};
use crate::record::Record;
use crate::template::Valued;
use examiner_api::rows::{self, Format};
use examiner_api::{Host, Result};
use minijinja::Environment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file and which of its rows are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    format: Option<Format>,
    pointer: Option<String>,
    filter: Option<Where>,
    /// How its gold answers name choices.
    pub(crate) gold_is: GoldIs,
}

impl Source {
    /// The file of the questions.
    pub(crate) fn questions(options: &Options, host: &Host) -> Result<Self> {
        let path = host.fetch(&options.path)?;
        let format = format(options.format, &path, &options.path);
        let Options { pointer, filter, gold_is, .. } = options;
        Ok(Source { path, format, pointer: pointer.clone(), filter: filter.clone(), gold_is: *gold_is })
    }

    /// The file of the few-shot examples.
    pub(crate) fn pool(pool: &Pool, gold_is: GoldIs, host: &Host) -> Result<Self> {
        let path = host.fetch(&pool.path)?;
        let format = format(pool.format, &path, &pool.path);
        Ok(Source { path, format, pointer: pool.pointer.clone(), filter: pool.filter.clone(), gold_is })
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

/// The format that is given, or that of the extension of the local file or its address.
fn format(given: Option<Format>, path: &Path, uri: &str) -> Option<Format> {
    given.or_else(|| Format::of(path)).or_else(|| Format::of(Path::new(uri)))
}
