//! Reads journals, and defines the format of a line.

use super::{Damage, JournalError, Result};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Reads a journal line by line. Another process may append to it at the same time.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// The offset of the next read.
    position: u64,
    /// Whether `position` is certain: the last read or seek did not fail.
    is_position_known: bool,
    line: Vec<u8>,
}

/// The result of a scan of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Lines that are not intact records.
    pub damage: Vec<Damage>,
    /// Length of all complete lines in bytes; a torn last line starts here.
    pub complete: u64,
}

/// The state of the first line of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderState {
    /// There is no complete line.
    Missing,
    /// It is the expected header.
    Intact,
    /// It is not intact.
    Damaged,
}

impl Reader {
    /// Opens the journal at `path`.
    ///
    /// # Errors
    /// The file cannot be opened, or is not a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        check_kind(path)?;
        let file = File::open(path).map_err(super::io(path, "open"))?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Reader { path: path.to_owned(), file, position: 0, is_position_known: true, line: Vec::new() })
    }

    /// Calls `each` with every intact record and its offset. Only one line is in memory at a time.
    ///
    /// # Errors
    /// Reading fails, or the first line is an intact one that is not `header`, where one is given.
    pub fn scan(&mut self, header: Option<&Value>, mut each: impl FnMut(u64, &str)) -> Result<Scan> {
        self.seek(0)?;
        let mut scan = Scan::default();
        for line in 1.. {
            let offset = scan.complete;
            if !self.read_line()? {
                break;
            }
            scan.complete += self.line.len() as u64;
            match (line, parse(&self.line)) {
                (1, Ok(found)) => header.map_or(Ok(()), |header| check_header(&self.path, header, found))?,
                (_, Ok(json)) => each(offset, json),
                (_, Err(reason)) => scan.damage.push(Damage { line, offset, reason }),
            }
        }
        Ok(scan)
    }

    /// Compares the first line with the expected header.
    ///
    /// # Errors
    /// Reading fails, or the line is another header.
    pub(super) fn header(&mut self, expected: &Value) -> Result<HeaderState> {
        self.seek(0)?;
        if !self.read_line()? {
            return Ok(HeaderState::Missing);
        }
        match parse(&self.line) {
            Ok(found) => check_header(&self.path, expected, found).map(|()| HeaderState::Intact),
            Err(_) => Ok(HeaderState::Damaged),
        }
    }

    /// The record that starts at `offset`.
    ///
    /// # Errors
    /// Reading fails, or no intact record starts there.
    pub fn read_at(&mut self, offset: u64) -> Result<&str> {
        self.seek(offset)?;
        let complete = self.read_line()?;
        let damaged = |reason| JournalError::Damaged { path: self.path.clone(), offset, reason };
        if !complete {
            return Err(damaged("is missing or has no end".to_owned()));
        }
        parse(&self.line).map_err(damaged)
    }

    fn seek(&mut self, offset: u64) -> Result<()> {
        // Records are mostly read in order; a relative seek keeps the buffer.
        let seek = match (offset.checked_signed_diff(self.position), self.is_position_known) {
            (Some(distance), true) => self.file.seek_relative(distance),
            _ => self.file.seek(SeekFrom::Start(offset)).map(drop),
        };
        self.is_position_known = seek.is_ok();
        self.position = offset;
        seek.map_err(|source| JournalError::Io { doing: "read", path: self.path.clone(), source })
    }

    /// Reads a line; false if there is no complete one.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let read = self.file.read_until(b'\n', &mut self.line);
        self.is_position_known = read.is_ok();
        self.position += self.line.len() as u64;
        read.map_err(|source| JournalError::Io { doing: "read", path: self.path.clone(), source })?;
        Ok(self.line.ends_with(b"\n"))
    }
}

/// The JSON text of a line, or why the line is damaged.
fn parse(line: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("is not UTF-8: {error}"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (checksum, json) = text.split_once(' ').ok_or("has no checksum")?;
    let canonical = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if checksum.len() != 8 || !checksum.bytes().all(canonical) {
        return Err(format!("starts with `{}` instead of eight hexadecimal digits", checksum.escape_debug()));
    }
    let found = format!("{:08x}", crc32fast::hash(json.as_bytes()));
    if found != checksum {
        return Err(format!("has the checksum {found} instead of {checksum}"));
    }
    Ok(json)
}

fn check_header(path: &Path, expected: &Value, found: &str) -> Result<()> {
    let (path, value) = (path.to_owned(), serde_json::from_str::<Value>(found).unwrap_or_default());
    if value == *expected {
        return Ok(());
    }
    let format = |header: &Value| header.get("format").and_then(Value::as_u64);
    match (format(&value), format(expected)) {
        (Some(found), Some(known)) if found > known => Err(JournalError::NewerFormat { path, found, known }),
        _ => Err(JournalError::OtherHeader { path, expected: expected.to_string(), found: found.to_owned() }),
    }
}

/// Refuses directories, devices and pipes: some of them can be opened like a file and have no end.
pub(super) fn check_kind(path: &Path) -> Result<()> {
    let found = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => "a directory",
        Ok(metadata) if !metadata.is_file() => "a device or a pipe",
        _ => return Ok(()),
    };
    Err(JournalError::NotAFile { path: path.to_owned(), found })
}

/// Appends a record to `line` in the format of the file.
pub(super) fn write_line(line: &mut Vec<u8>, json: &str) {
    line.extend_from_slice(format!("{:08x} ", crc32fast::hash(json.as_bytes())).as_bytes());
    line.extend_from_slice(json.as_bytes());
    line.push(b'\n');
}
