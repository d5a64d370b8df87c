//! The rows of a file, chosen and with the names that templates know.

use crate::options::{GoldIs, Options, Pool, Where};
use crate::record::Record;
use crate::template::{Engine, Valued};
use examiner_api::rows::{self, Filter, Format};
use examiner_api::{Host, Result};
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

    /// Which rows are chosen.
    pub(crate) fn chosen<'e>(&'e self, engine: &'e Engine<'e>) -> Result<Chosen<'e>> {
        Ok(match &self.filter {
            None => Chosen::All,
            Some(Where::Fields(filter)) => Chosen::Fields(filter),
            Some(Where::Expression(source)) => Chosen::Expression(Valued::compile(engine, "where", source)?),
        })
    }

    /// All rows, in the order of the file.
    pub(crate) fn records<'e>(
        &self,
        fields: &'e BTreeMap<String, String>,
    ) -> Result<impl Iterator<Item = Result<Record>> + 'e> {
        let rows = rows::read_at(&self.path, self.format, self.pointer.as_deref())?;
        Ok(rows.map(|row| row.and_then(|row| Record::of(row, fields))))
    }
}

/// Which rows are wanted.
pub(crate) enum Chosen<'e> {
    All,
    Fields(&'e Filter),
    Expression(Valued<'e>),
}

impl Chosen<'_> {
    /// Whether this one is.
    pub(crate) fn holds(&self, record: &Record) -> Result<bool> {
        match self {
            Chosen::All => Ok(true),
            Chosen::Fields(filter) => Ok(filter.matches(&record.fields)),
            Chosen::Expression(expression) => expression.is_true(record),
        }
    }
}

/// The format that is given, or that of the extension of the local file or its address.
fn format(given: Option<Format>, path: &Path, uri: &str) -> Option<Format> {
    given.or_else(|| Format::of(path)).or_else(|| Format::of(Path::new(uri)))
}
