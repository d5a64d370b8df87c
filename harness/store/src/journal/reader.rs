//! Reads journals, and says what a line must be.

use super::{Damage, JournalError, Result};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Reads a journal, line by line. It may be written at the same time.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the next read starts.
    position: u64,
    /// Whether `position` can be relied upon: no read or seek has failed.
    whole: bool,
    line: Vec<u8>,
}

/// What a pass over a journal found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Lines that are not intact records.
    pub damage: Vec<Damage>,
    /// Length in bytes of all complete lines; a torn last line starts here.
    pub complete: u64,
}

/// How the first line of a journal stands to the header that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// There is no complete line.
    Missing,
    /// It is the header.
    Good,
    /// It is not intact.
    Damaged,
}

impl Reader {
    /// Opens the journal at `path`.
    ///
    /// # Errors
    /// The file cannot be opened, or is no file.
    pub fn open(path: &Path) -> Result<Self> {
        check_kind(path)?;
        let file = File::open(path).map_err(super::io(path, "open"))?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Reader { path: path.to_owned(), file, position: 0, whole: true, line: Vec::new() })
    }

    /// Hands every intact record and its offset to `each`. No more than one line is in memory.
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

    /// How the first line stands to the header that is expected.
    ///
    /// # Errors
    /// Reading fails, or the line is intact and another header.
    pub(super) fn header(&mut self, expected: &Value) -> Result<Header> {
        self.seek(0)?;
        if !self.read_line()? {
            return Ok(Header::Missing);
        }
        match parse(&self.line) {
            Ok(found) => check_header(&self.path, expected, found).map(|()| Header::Good),
            Err(_) => Ok(Header::Damaged),
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
        // Records are mostly read one after the other; a relative seek keeps what is buffered.
        let seek = match (offset.checked_signed_diff(self.position), self.whole) {
            (Some(distance), true) => self.file.seek_relative(distance),
            _ => self.file.seek(SeekFrom::Start(offset)).map(drop),
        };
        self.whole = seek.is_ok();
        self.position = offset;
        seek.map_err(|source| JournalError::Io { doing: "read", path: self.path.clone(), source })
    }

    /// Whether there was a complete line.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let read = self.file.read_until(b'\n', &mut self.line);
        self.whole = read.is_ok();
        self.position += self.line.len() as u64;
        read.map_err(|source| JournalError::Io { doing: "read", path: self.path.clone(), source })?;
        Ok(self.line.ends_with(b"\n"))
    }
}

/// The JSON text of a line, or what is wrong with the line.
fn parse(line: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("is not UTF-8: {error}"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (checksum, json) = text.split_once(' ').ok_or("has no checksum")?;
    let canonical = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if checksum.len() != 8 || !checksum.bytes().all(canonical) {
        return Err(format!("starts with `{}` where eight hexadecimal digits should stand", checksum.escape_debug()));
    }
    let found = format!("{:08x}", crc32fast::hash(json.as_bytes()));
    if found != checksum {
        return Err(format!("has the checksum {found}, and {checksum} written before it"));
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

/// Refuses what can be opened like a file and has no end, or is none at all. What is not there may become a file.
pub(super) fn check_kind(path: &Path) -> Result<()> {
    let found = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => "a directory",
        Ok(metadata) if !metadata.is_file() => "a device or a pipe",
        _ => return Ok(()),
    };
    Err(JournalError::NotAFile { path: path.to_owned(), found })
}

/// Appends a record to `line` as it stands in the file.
pub(super) fn write_line(line: &mut Vec<u8>, json: &str) {
    line.extend_from_slice(format!("{:08x} ", crc32fast::hash(json.as_bytes())).as_bytes());
    line.extend_from_slice(json.as_bytes());
    line.push(b'\n');
}
