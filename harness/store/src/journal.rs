//! The journal: an append-only file from which an interrupted run continues.
//!
//! A record is one line: its CRC-32 in eight hexadecimal digits, a space and a JSON text. Because a record is one line, an
//! interruption can only leave an unterminated last line; because every line has a checksum, damage anywhere else is
//! detected and costs one record, not the file. The first line is a header that identifies what the records belong to. A
//! damaged header is rewritten, because every record also has a key of its own.

mod reader;
mod repair;
#[cfg(test)]
mod tests;

pub use reader::{Reader, Scan};

use reader::HeaderState;
use serde_json::Value;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What can go wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed: the disk is full, for example.
    #[error("cannot {doing} the journal `{path}`")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The journal.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process is writing this journal.
    #[error("the journal `{path}` is in use by another process; wait for it or choose another output directory")]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// The path is not that of a regular file.
    #[error("the journal `{path}` is {found}, not a file; move it away and run the same command again")]
    NotAFile {
        /// The journal.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The journal belongs to something else.
    #[error(
        "the journal `{path}` does not belong to this run: expected the header {expected}, found {found}; move the file away to start again"
    )]
    OtherHeader {
        /// The journal.
        path: PathBuf,
        /// The header that the caller gave.
        expected: String,
        /// The header in the file.
        found: String,
    },
    /// A later version of the program wrote the journal.
    #[error(
        "the journal `{path}` has the format {found}, this version of the program knows {known}; continue with the version that wrote it, or move the file away to start again"
    )]
    NewerFormat {
        /// The journal.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format of this version.
        known: u64,
    },
    /// A record to append, or at an offset asked for, is not one intact line.
    #[error("in the journal `{path}`, the record at byte {offset} {reason}")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Where the record starts.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// The result of this module's functions.
pub type Result<T, E = JournalError> = std::result::Result<T, E>;

impl JournalError {
    /// The error of the operating system, if the journal could not be read or written.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            JournalError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A line that is not an intact record. Its sample has to be examined again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The line, from 1; the header is line 1.
    pub line: u64,
    /// Where the line starts, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl Damage {
    /// A message about it. `path` is the journal.
    pub fn message(&self, path: &Path) -> String {
        let consequence = match self.line {
            1 => format!("it is rewritten, and the damaged file is kept as `{}`", repair::kept(path).display()),
            _ => "its sample is examined again".to_owned(),
        };
        format!("line {} of `{}` is damaged ({}); {consequence}", self.line, path.display(), self.reason)
    }
}

/// Records are synced to disk after so many of them...
const SYNC_RECORDS: u32 = 256;
/// ...or so long after the last sync, whichever comes first. A killed process loses nothing in either case; a power failure
/// loses what was not synced.
const SYNC_AFTER: Duration = Duration::from_secs(5);

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Length of the file in bytes; the file ends with a complete line.
    length: u64,
    unsynced: u32,
    synced_at: Instant,
    /// Whether its directory has to be synced, too: without it a new file may be gone after a power failure.
    is_new: bool,
    line: Vec<u8>,
}

impl Journal {
    /// Opens the journal at `path` for appending, or creates it with `header` as its first line. `each` gets every intact record
    /// with its offset, in the order of writing; damaged lines are returned.
    ///
    /// An unterminated last line, which an interruption leaves, is cut off. A damaged first line is rewritten.
    ///
    /// # Errors
    /// Reading or writing fails, another process has the journal open, the path is not that of a file, or the header differs.
    pub fn open(path: &Path, header: &Value, each: impl FnMut(u64, &str)) -> Result<(Self, Vec<Damage>)> {
        let mut file = open_locked(path)?;
        let mut damage = Vec::new();
        if Reader::open(path)?.header(header)? == HeaderState::Damaged {
            (file, damage) = repair::repair(path, header)?;
        }
        let scan = Reader::open(path)?.scan(Some(header), each)?;
        damage.extend(scan.damage);
        if file.metadata().map_err(io(path, "read"))?.len() != scan.complete {
            file.set_len(scan.complete).map_err(io(path, "cut the torn last line of"))?;
        }
        let mut journal = Journal {
            path: path.to_owned(),
            file,
            length: scan.complete,
            unsynced: 0,
            synced_at: Instant::now(),
            is_new: scan.complete == 0,
            line: Vec::new(),
        };
        if journal.is_new {
            // It is synced with the first records: before there are any, nothing could be lost.
            journal.append(&header.to_string())?;
        }
        Ok((journal, damage))
    }

    /// Appends a record, a JSON text on one line, and returns its offset. From then on the record survives the end of the
    /// process, however it ends.
    ///
    /// # Errors
    /// Writing fails. The part of the record that was written is removed, so that the journal stays intact and the record can
    /// be appended again.
    pub fn append(&mut self, json: &str) -> Result<u64> {
        let offset = self.length;
        if json.contains('\n') {
            let reason = "holds a line break; write JSON without indentation".to_owned();
            return Err(JournalError::Damaged { path: self.path.clone(), offset, reason });
        }
        self.line.clear();
        reader::write_line(&mut self.line, json);
        if let Err(source) = self.file.write_all(&self.line) {
            // If this fails too, the torn line is cut off when the journal is opened again.
            let _ = self.file.set_len(self.length);
            return Err(JournalError::Io { doing: "append to", path: self.path.clone(), source });
        }
        self.length += self.line.len() as u64;
        self.unsynced += 1;
        if self.unsynced >= SYNC_RECORDS || self.synced_at.elapsed() >= SYNC_AFTER {
            self.sync()?;
        }
        Ok(offset)
    }

    /// Waits until every record is on disk.
    ///
    /// # Errors
    /// The operating system reports that it could not write.
    pub fn sync(&mut self) -> Result<()> {
        if self.unsynced > 0 {
            let io = |source| JournalError::Io { doing: "sync", path: self.path.clone(), source };
            self.file.sync_data().map_err(io)?;
            if self.is_new {
                sync_directory(&self.path).map_err(self::io(&self.path, "sync the directory of"))?;
                self.is_new = false;
            }
            self.unsynced = 0;
        }
        self.synced_at = Instant::now();
        Ok(())
    }

    /// The path of the journal.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Journal {
    /// Unlocks explicitly: a process that is being forked holds a copy of the file, and with it the lock, for a moment.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Opens the file for appending, creates it if it does not exist, and locks it.
fn open_locked(path: &Path) -> Result<File> {
    reader::check_kind(path)?;
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io(path, "open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: path.to_owned() }),
        // Some network file systems do not support locks; the run continues without one.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { doing, path, source }
}

/// Syncs the directory of a file.
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
