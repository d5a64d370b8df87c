//! Rows from files: JSON lines, JSON, CSV, TSV and Parquet, each as a JSON object with the place where it stands.
//!
//! Rows are read one at a time, so memory does not grow with the file. JSON is the exception: the format has no rows,
//! so the whole document is read first. What cannot be read is an error that names file and place; nothing is skipped
//! silently but blank lines.

mod delimited;
mod fingerprint;
mod hub_split;
mod json;
mod json_lines;
mod large_integers;
#[cfg(feature = "parquet")]
mod parquet;
mod select;

pub use fingerprint::{digest, fingerprint};
pub use hub_split::{HubSplit, SplitInfo};
pub use select::{Filter, lookup, scalar_text};

use crate::{PluginError, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// The formats that rows are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON object per line.
    Jsonl,
    /// One JSON document: an array of objects, or an object that holds one.
    Json,
    /// Comma-separated values with a header. Every value is a string.
    Csv,
    /// Tab-separated values with a header. Every value is a string.
    Tsv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The format that a file's extension stands for.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "tsv" => Some(Format::Tsv),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }

    /// What one row is called in messages.
    fn unit(self) -> &'static str {
        match self {
            Format::Jsonl | Format::Csv | Format::Tsv => "line",
            Format::Json => "element",
            Format::Parquet => "row",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Format::Jsonl => "jsonl",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Parquet => "parquet",
        })
    }
}

/// A row and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// From 0, blank lines not counted.
    pub index: u64,
    /// From 1: the line on which the row begins (JSON lines, CSV, TSV), or its place among the rows (JSON, Parquet).
    pub number: u64,
    /// The row's fields, in the order of the file.
    pub fields: Map<String, Value>,
    origin: Origin,
}

impl Row {
    /// The row's place, for messages: ``line 3 of `data/test.jsonl` ``.
    pub fn place(&self) -> String {
        self.origin.place(self.number)
    }

    /// What [`Row::number`] counts: `line`, `element` or `row`.
    pub fn unit(&self) -> &'static str {
        self.origin.unit
    }
}

/// The rows of one file. After an error there are no more.
pub struct RowReader {
    rows: Box<dyn Iterator<Item = Result<Numbered>> + Send>,
    origin: Origin,
    index: u64,
    ended: bool,
}

/// Opens a file of rows. Without a format, the file's extension decides.
///
/// # Errors
/// The file cannot be opened, its format is unknown, or its head is damaged (a header without names, a Parquet footer
/// cut off).
pub fn read(path: &Path, format: Option<Format>) -> Result<RowReader> {
    read_at(path, format, None)
}

/// Opens a file of rows, as [`read`] does, where `pointer` (a JSON Pointer such as `/examples`) says which array of a
/// JSON document holds them.
///
/// # Errors
/// As [`read`]; besides, `pointer` does not fit the document, or the format is not JSON.
pub fn read_at(path: &Path, format: Option<Format>, pointer: Option<&str>) -> Result<RowReader> {
    let format = format.or_else(|| Format::of(path)).ok_or_else(|| {
        PluginError::bad_options(format!("the extension of `{}` does not tell the format of its rows", path.display()))
            .with_help("set `format` to `jsonl`, `json`, `csv`, `tsv` or `parquet`")
    })?;
    if pointer.is_some() && format != Format::Json {
        return Err(PluginError::bad_options(format!(
            "`pointer` says where the rows of a JSON document are, but `{}` is read as `{format}`",
            path.display()
        )));
    }
    let origin = Origin { path: Arc::from(path), unit: format.unit() };
    let file = open(path)?;
    let rows: Box<dyn Iterator<Item = _> + Send> = match format {
        Format::Jsonl => Box::new(json_lines::rows(file, origin.clone())),
        Format::Json => Box::new(json::rows(file, &origin, pointer)?),
        Format::Csv => Box::new(delimited::rows(file, b',', origin.clone())?),
        Format::Tsv => Box::new(delimited::rows(file, b'\t', origin.clone())?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::rows(file, origin.clone())?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            return Err(PluginError::unsupported(format!(
                "`{}` is Parquet, which this plugin was built without",
                path.display()
            )));
        }
    };
    Ok(RowReader { rows, origin, index: 0, ended: false })
}

impl Iterator for RowReader {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.rows.next();
        self.ended = !matches!(next, Some(Ok(_)));
        next.map(|row| {
            let (number, fields) = row?;
            self.index += 1;
            Ok(Row { index: self.index - 1, number, fields, origin: self.origin.clone() })
        })
    }
}

/// A row's number and fields.
type Numbered = (u64, Map<String, Value>);

/// The file that rows come from, and what one is called.
#[derive(Debug, Clone, PartialEq)]
struct Origin {
    path: Arc<Path>,
    unit: &'static str,
}

impl Origin {
    fn place(&self, number: u64) -> String {
        format!("{} {number} of `{}`", self.unit, self.path.display())
    }

    fn error(&self, number: u64, what: impl fmt::Display) -> PluginError {
        PluginError::bad_input(format!("{}: {what}", self.place(number)))
    }

    /// The error of a line with a byte that is no text, after `before` bytes that are.
    fn not_utf8(&self, number: u64, before: usize) -> PluginError {
        self.error(number, format_args!("expected UTF-8, found another byte at column {}", before + 1))
            .with_help("convert the file, for example with `iconv -t utf-8`")
    }
}

/// Opens a file. Opening a directory is no error until somebody reads of it.
fn open(path: &Path) -> Result<File> {
    if path.is_dir() {
        return Err(PluginError::bad_input(format!("`{}` is a directory, expected a file of rows", path.display()))
            .with_help("name the file in it"));
    }
    File::open(path).map_err(|error| PluginError::io("open", path, &error))
}

/// What JSON's reader says is wrong, without the place, which counts from where it began.
fn why(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.rsplit_once(" at line ").map_or(said.clone(), |(what, _)| what.to_owned())
}

/// What a JSON value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
