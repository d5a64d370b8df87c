//! Files that are written for the program and read from it.

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

/// Writes a file and creates the directories above it.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// The rows of a file of JSON lines.
pub(crate) fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let row = |(index, line)| {
        serde_json::from_str(line).with_context(|| format!("line {} of `{}`", index + 1, path.display()))
    };
    read(path)?.lines().enumerate().map(row).collect()
}

/// Rows as the text of a file of JSON lines.
pub(crate) fn to_json_lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().map(|row| format!("{row}\n")).collect()
}

/// The rows of a CSV file with a header line.
pub(crate) fn csv_rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let context = || format!("cannot read `{}`", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(context)?;
    reader.deserialize().collect::<Result<_, _>>().with_context(context)
}
