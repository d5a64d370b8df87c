//! The journal: an append-only file from which an interrupted run goes on.
//!
//! A record is one line, its CRC-32 in eight hexadecimal digits, a space and a JSON text. One line per record means that
//! only an unterminated last line can be the mark of an interruption; a checksum per line means that damage
//! anywhere else is told from it and costs one record, not the file. The first line is a header that says what the
//! records belong to; where it is damaged, it is written anew, because a record says by itself what it holds for.

mod reader;
mod repair;
#[cfg(test)]
mod tests;

pub use reader::{Reader, Scan};

use reader::Header;
use serde_json::Value;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What can go wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed (a full disk, say).
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
    /// What stands in the journal's place cannot be one.
    #[error("the journal `{path}` is {found}, not a file; move it away and run the same command again")]
    NotAFile {
        /// The journal.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The journal belongs to something else.
    #[error(
        "the journal `{path}` does not belong to this run: expected the header {expected}, found {found}; move the file away to start anew"
    )]
    OtherHeader {
        /// The journal.
        path: PathBuf,
        /// The header that the caller gave.
        expected: String,
        /// What stands in the file.
        found: String,
    },
    /// A later version of the program wrote the journal.
    #[error(
        "the journal `{path}` has the format {found}, this version of the program knows {known}; go on with the version that wrote it, or move the file away to start anew"
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

/// What this module returns.
pub type Result<T, E = JournalError> = std::result::Result<T, E>;

impl JournalError {
    /// The operating system's reason, if it is that the journal could not be read or written: a full disk, say.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            JournalError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A line that is not an intact record. Its sample has to be done again.
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
    /// What is said of it. `path` is the journal.
    pub fn told(&self, path: &Path) -> String {
        let consequence = match self.line {
            1 => format!("it is written anew, and the damaged file is kept as `{}`", repair::kept(path).display()),
            _ => "its sample is done again".to_owned(),
        };
        format!("line {} of `{}` is damaged ({}); {consequence}", self.line, path.display(), self.reason)
    }
}

/// Records are on disk, and not only with the operating system, after so many of them...
const SYNC_RECORDS: u32 = 256;
/// ...or so long after the last time, whichever comes first. A killed process loses nothing either way; a power
/// failure loses what was not synced.
const SYNC_AFTER: Duration = Duration::from_secs(5);

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Length of the file, in bytes; ends after a complete line.
    length: u64,
    unsynced: u32,
    synced_at: Instant,
    line: Vec<u8>,
}

impl Journal {
    /// Opens the journal at `path` for appending, or makes it with `header` as its first line. `each` gets every
    /// intact record with its offset, in the order of writing; lines that are damaged are returned instead.
    ///
    /// An unterminated last line is what an interruption leaves; it is cut off. A damaged first line is written anew.
    ///
    /// # Errors
    /// Reading or writing fails, another process has the journal open, it is no file, or its header is another one.
    pub fn open(path: &Path, header: &Value, each: impl FnMut(u64, &str)) -> Result<(Self, Vec<Damage>)> {
        let mut file = hold(path)?;
        let mut damage = Vec::new();
        if Reader::open(path)?.header(header)? == Header::Damaged {
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
            line: Vec::new(),
        };
        if scan.complete == 0 {
            journal.append(&header.to_string())?;
            journal.sync()?;
            sync_directory(path).map_err(io(path, "sync the directory of"))?;
        }
        Ok((journal, damage))
    }

    /// Appends a record, a JSON text on one line, and returns its offset. Once this has returned, no end of the process
    /// can lose the record.
    ///
    /// # Errors
    /// Writing fails. What was written of the record is taken back, so that the journal stays whole and the record can
    /// be tried again.
    pub fn append(&mut self, json: &str) -> Result<u64> {
        let offset = self.length;
        if json.contains('\n') {
            let reason = "holds a line break; write JSON without indentation".to_owned();
            return Err(JournalError::Damaged { path: self.path.clone(), offset, reason });
        }
        self.line.clear();
        reader::write_line(&mut self.line, json);
        if let Err(source) = self.file.write_all(&self.line) {
            // If even this fails, the torn line is cut off when the journal is next opened.
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
            self.unsynced = 0;
        }
        self.synced_at = Instant::now();
        Ok(())
    }

    /// Where the journal lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Journal {
    /// A process that is being forked holds a copy of the file for a moment, and with it a lock that is not given back.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Opens the file for appending, makes it where it is missing, and keeps other processes from doing the same.
fn hold(path: &Path) -> Result<File> {
    reader::check_kind(path)?;
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io(path, "open"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: path.to_owned() }),
        // Some network file systems know no locks; the run is then on its own.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { doing, path, source }
}

/// A new file is only found again after a power failure if its directory is on disk too.
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
