//! Writes the rows of a split as JSON lines, with what is known of them beside it.

use super::super::cache::{create_parent, disk_error, unique};
use super::features::{Columns, to_description};
use super::formats::Format;
use super::tables::{Parameters, Refusal, cast, castable, columns, open, unsupported};
use examiner_api::rows::SplitInfo;
use examiner_api::{PluginError, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file of a split.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Its name for messages.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// What is written.
pub(super) struct Job<'a> {
    pub(super) format: Format,
    pub(super) parameters: &'a Parameters,
    pub(super) features: &'a Columns,
    pub(super) parts: &'a [Part],
    /// The number of rows that there have to be.
    pub(super) expected: Option<u64>,
    /// What is known before.
    pub(super) info: SplitInfo,
    pub(super) to: &'a Path,
}

/// The columns by a file of its own.
pub(super) fn columns_of(part: &Part, format: Format, parameters: &Parameters) -> Result<Columns> {
    columns(format, &part.path, parameters).map_err(|refusal| refused(&part.name, None, refusal))
}

/// Writes the rows, and returns where they are.
pub(super) fn write(job: &Job<'_>) -> Result<PathBuf> {
    create_parent(job.to)?;
    let mut left_out: BTreeMap<String, String> = BTreeMap::new();
    for (name, feature) in job.features {
        if let Some(why) = unsupported(feature) {
            left_out.insert(name.clone(), why);
        }
    }
    let temporary = job.to.with_extension(format!("{}.new", unique()));
    let rows = loop {
        match write_rows(job, &temporary, &left_out) {
            Ok(rows) => break Ok(rows),
            Err(Stopped::LeftOut(column, why)) => {
                // A column is left out once at most, so that this comes to an end.
                if left_out.insert(column.clone(), why).is_some() {
                    break Err(PluginError::bad_input(format!("the column `{column}` cannot be left out")));
                }
            }
            Err(Stopped::Failed(error)) => break Err(error),
        }
    };
    let finished = rows.and_then(|rows| finish(job, rows, left_out, &temporary));
    if finished.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    finished.map(|()| job.to.to_owned())
}

fn finish(job: &Job<'_>, rows: u64, left_out: BTreeMap<String, String>, temporary: &Path) -> Result<()> {
    if let Some(expected) = job.expected.filter(|expected| *expected != rows) {
        let message = format!("expected {expected} rows by the repository's own description, found {rows}");
        return Err(PluginError::bad_input(message).with_help(
            "the data and its description do not belong together; `datasets` refuses it, too, unless `verification_mode` is `no_checks`",
        ));
    }
    let files = job.parts.iter().map(|part| part.name.clone()).collect();
    let info = SplitInfo { rows, features: to_description(job.features), left_out, files, ..job.info.clone() };
    let described = SplitInfo::path(job.to);
    let bytes = serde_json::to_vec_pretty(&info)
        .map_err(|error| PluginError::bad_input("the columns cannot be described").with_cause(&error))?;
    super::super::cache::create_atomically(&described, |temporary| std::fs::write(temporary, &bytes))?;
    std::fs::rename(temporary, job.to).map_err(|error| disk_error("write", job.to, &error))
}

enum Stopped {
    LeftOut(String, String),
    Failed(PluginError),
}

fn write_rows(job: &Job<'_>, to: &Path, left_out: &BTreeMap<String, String>) -> Result<u64, Stopped> {
    let disk = |error: std::io::Error| Stopped::Failed(disk_error("write", to, &error));
    let mut file = BufWriter::with_capacity(1 << 18, File::create(to).map_err(disk)?);
    let mut count = 0;
    for part in job.parts {
        let stopped = |row: Option<u64>, refusal: Refusal| match refusal {
            Refusal::LeftOut { column, why } => Stopped::LeftOut(column, why),
            broken => Stopped::Failed(refused(&part.name, row, broken)),
        };
        let mut number = 0;
        let batches = open(job.format, &part.path, job.parameters, Some(job.features), left_out)
            .map_err(|refusal| stopped(None, refusal))?;
        for batch in batches {
            let batch = batch.map_err(|refusal| stopped(Some(number + 1), refusal))?;
            check(job.features, &batch.types, left_out).map_err(|refusal| stopped(Some(number + 1), refusal))?;
            for row in batch.rows {
                number += 1;
                let row = arranged(job.features, row, left_out).map_err(|refusal| stopped(Some(number), refusal))?;
                serde_json::to_writer(&mut file, &row).map_err(|error| disk(error.into()))?;
                file.write_all(b"\n").map_err(disk)?;
            }
        }
        count += number;
    }
    file.into_inner().map_err(|error| disk(error.into_error()))?.sync_all().map_err(disk)?;
    Ok(count)
}

/// Whether the columns of a batch can become those of the split.
fn check(features: &Columns, types: &Columns, left_out: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for (name, from) in types {
        let Some((_, to)) = features.iter().find(|(known, _)| known == name) else {
            let names: Vec<&str> = features.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Refusal::Broken(format!(
                "it has a column `{name}`, which is not one of those of the split: `{}`",
                names.join("`, `")
            )));
        };
        if !left_out.contains_key(name) {
            castable(name, from, to)?;
        }
    }
    Ok(())
}

/// The columns of a row in their order; those that are missing are null.
fn arranged(
    features: &Columns,
    mut row: Map<String, Value>,
    left_out: &BTreeMap<String, String>,
) -> Result<Map<String, Value>, Refusal> {
    let mut arranged = Map::with_capacity(features.len());
    for (name, feature) in features {
        if left_out.contains_key(name) {
            continue;
        }
        // Mostly the order is the same, and nothing has to be looked for.
        let value = row.shift_remove(name).unwrap_or_default();
        arranged.insert(name.clone(), cast(name, value, feature)?);
    }
    Ok(arranged)
}

fn refused(file: &str, row: Option<u64>, refusal: Refusal) -> PluginError {
    let place = row.map(|row| format!("at row {row} or after it, ")).unwrap_or_default();
    match refusal {
        Refusal::Broken(why) => PluginError::bad_input(format!("`{file}`: {place}{why}")),
        Refusal::LeftOut { column, why } => {
            PluginError::bad_input(format!("`{file}`: {place}the column `{column}` cannot be read: {why}"))
        }
    }
}
