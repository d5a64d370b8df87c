//! Rows of files, a batch at a time, with the types that the library `datasets` gives the columns of each batch.

mod arrow_schema;
mod cast;
mod content;
mod delimited;
mod inference;
mod json;
mod parquet;
mod text;

pub(super) use cast::{cast, castable, unsupported};

use super::features::Columns;
use super::formats::Format;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Some rows, and the types of their columns, in the order of their first appearance.
pub(super) struct Batch {
    pub(super) rows: Vec<Map<String, Value>>,
    pub(super) types: Columns,
}

/// The batches of a file. After an error there are no more.
pub(super) type Batches = Box<dyn Iterator<Item = Result<Batch, Refusal>>>;

/// Why a value cannot be given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    /// A column has values without a form in JSON, or whose form is not sure; the others can be had.
    LeftOut {
        /// The column.
        column: String,
        /// Why.
        why: String,
    },
    /// The file cannot be read, by the library neither, or not in the same way.
    Broken(String),
}

/// How files are read, beside their format.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameters {
    /// What stands between values.
    pub(super) delimiter: u8,
    /// The columns by the configuration.
    pub(super) features: Option<Columns>,
}

impl Parameters {
    /// The parameters of a configuration, for files of a format.
    pub(super) fn of(format: Format, is_tabbed: bool, given: &Map<String, Value>) -> Result<Self, String> {
        let mut parameters = Parameters { delimiter: if is_tabbed { b'\t' } else { b',' }, features: None };
        for (name, value) in given {
            match (format, name.as_str()) {
                (Format::Csv, "sep" | "delimiter") => match value.as_str().map(str::as_bytes) {
                    Some([one]) if one.is_ascii() && !one.is_ascii_alphanumeric() => parameters.delimiter = *one,
                    _ => return Err(format!("`{name}`: `{value}` is not read; it can be one character")),
                },
                (Format::Csv, "features") => {
                    return Err("`features` of a configuration of CSV files is not read; `dataset_info` is".to_owned());
                }
                (_, "features") if !value.is_null() => {
                    parameters.features = Some(super::features::from_yaml(value)?);
                }
                (_, "encoding") if value == "utf-8" || value == "utf8" => {}
                (_, "quotechar") if value == "\"" => {}
                _ if value.is_null() || !is_known(format, name) => {}
                _ => return Err(format!("`{name}: {value}` of a configuration is not read")),
            }
        }
        Ok(parameters)
    }
}

/// Whether the library does something with a parameter; it passes over all others.
fn is_known(format: Format, name: &str) -> bool {
    let names = match format {
        Format::Csv => {
            "header names column_names index_col usecols prefix mangle_dupe_cols engine converters true_values false_values \
             skipinitialspace skiprows nrows na_values keep_default_na na_filter verbose skip_blank_lines thousands decimal lineterminator \
             quotechar quoting escapechar comment encoding dialect error_bad_lines warn_bad_lines skipfooter doublequote memory_map \
             float_precision chunksize encoding_errors on_bad_lines date_format"
        }
        Format::Json => {
            "encoding encoding_errors field use_threads block_size chunksize newlines_in_values on_mixed_types parse_agent_traces"
        }
        Format::Parquet => "batch_size columns filters fragment_scan_options on_bad_files",
        Format::Text => "encoding encoding_errors chunksize keep_linebreaks sample_by",
    };
    names.split_whitespace().any(|known| known == name)
}

/// Opens a file. Of JSON, the columns that are `known` decide what is done with values of mixed types; of Parquet, those that are
/// `left_out` are not read.
pub(super) fn open(
    format: Format,
    path: &Path,
    parameters: &Parameters,
    known: Option<&Columns>,
    left_out: &BTreeMap<String, String>,
) -> Result<Batches, Refusal> {
    match format {
        Format::Parquet => parquet::batches(path, left_out),
        Format::Json => json::batches(content::open(path)?, known),
        Format::Csv => delimited::batches(content::open(path)?, parameters.delimiter),
        Format::Text => text::batches(content::open(path)?),
    }
}

/// The columns by a file of its own: those of its first batch, or of a Parquet file's metadata.
pub(super) fn columns(format: Format, path: &Path, parameters: &Parameters) -> Result<Columns, Refusal> {
    match format {
        Format::Parquet => parquet::columns(path),
        _ => match open(format, path, parameters, None, &BTreeMap::new())?.next() {
            Some(batch) => Ok(batch?.types),
            None => Err(Refusal::Broken("it holds no rows, so that its columns are not known".to_owned())),
        },
    }
}

fn broken(error: &std::io::Error) -> Refusal {
    Refusal::Broken(format!("it cannot be read: {error}"))
}
