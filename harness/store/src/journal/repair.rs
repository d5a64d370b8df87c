//! Repairs a journal whose first line is damaged.

use super::reader::{Reader, write_line};
use super::{Damage, JournalError, Result, io, open_locked};
use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The path under which a damaged journal is kept for inspection.
pub(super) fn kept(path: &Path) -> PathBuf {
    beside(path, "damaged")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}

/// Writes `header` and all intact records to a new file, which then replaces the journal atomically. Returns the new file,
/// locked like the old one, and the damaged lines, the first line first.
pub(super) fn repair(path: &Path, header: &Value) -> Result<(File, Vec<Damage>)> {
    let new = beside(path, "new");
    let repaired = open_locked(&new).and_then(|file| Ok((replace(path, header, &new, &file)?, file)));
    if repaired.is_err() {
        // If the new file cannot be removed either, the first error is still the one to report.
        let _ = std::fs::remove_file(&new);
    }
    repaired.map(|(damage, file)| (file, damage))
}

fn replace(path: &Path, header: &Value, new: &Path, file: &File) -> Result<Vec<Damage>> {
    file.set_len(0).map_err(io(new, "write"))?;
    let damage = copy(path, header, file)?;
    let kept = kept(path);
    let _ = std::fs::remove_file(&kept);
    // A file system may have no links.
    let keep = std::fs::hard_link(path, &kept).or_else(|_| std::fs::copy(path, &kept).map(drop));
    keep.map_err(io(&kept, "keep the damaged file of"))?;
    std::fs::rename(new, path).map_err(io(path, "replace"))?;
    super::sync_directory(path).map_err(io(path, "sync the directory of"))?;
    Ok(damage)
}

fn copy(path: &Path, header: &Value, file: &File) -> Result<Vec<Damage>> {
    let mut out = BufWriter::new(file);
    let mut line = Vec::new();
    write_line(&mut line, &header.to_string());
    let mut written = out.write_all(&line);
    let scan = Reader::open(path)?.scan(None, |_, json| {
        line.clear();
        write_line(&mut line, json);
        if written.is_ok() {
            written = out.write_all(&line);
        }
    })?;
    let synced = written.and_then(|()| out.flush()).and_then(|()| file.sync_all());
    synced.map_err(|source| JournalError::Io { doing: "rewrite", path: path.to_owned(), source })?;
    Ok(scan.damage)
}
