//! The journal: an append-only file from which an interrupted run goes on.
//!
//! A record is one line, its CRC-32 in eight hexadecimal digits, a space and a JSON text. One line per record means that
//! only an unterminated last line can be the mark of an interruption; a checksum per line means that damage
//! anywhere else is told from it and costs one record, not the file. The first line is a header that says what the
//! records belong to.

use serde_json::Value;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
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
    /// The journal belongs to something else, or its first line is damaged.
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
    /// An unterminated last line is what an interruption leaves; it is cut off.
    ///
    /// # Errors
    /// Reading or writing fails, another process has the journal open, or its header is not `header`.
    pub fn open(path: &Path, header: &Value, each: impl FnMut(u64, &str)) -> Result<(Self, Vec<Damage>)> {
        let io = |doing| move |source| JournalError::Io { doing, path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { path: path.to_owned() }),
            // Some network file systems know no locks; the run is then on its own.
            Err(TryLockError::Error(_)) => {}
        }
        let scan = Reader::open(path)?.scan(Some(header), each)?;
        file.set_len(scan.complete).map_err(io("cut the torn last line of"))?;
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
            sync_directory(path).map_err(io("sync the directory of"))?;
        }
        Ok((journal, scan.damage))
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
        self.line.extend_from_slice(format!("{:08x} ", crc32fast::hash(json.as_bytes())).as_bytes());
        self.line.extend_from_slice(json.as_bytes());
        self.line.push(b'\n');
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

impl Reader {
    /// Opens the journal at `path`.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file =
            File::open(path).map_err(|source| JournalError::Io { doing: "open", path: path.to_owned(), source })?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Reader { path: path.to_owned(), file, position: 0, whole: true, line: Vec::new() })
    }

    /// Hands every intact record and its offset to `each`. No more than one line is in memory.
    ///
    /// # Errors
    /// Reading fails, or the first line is not `header`, where one is given.
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
                (1, found) => {
                    if let Some(header) = header {
                        check_header(&self.path, header, found)?;
                    }
                }
                (_, Ok(json)) => each(offset, json),
                (_, Err(reason)) => scan.damage.push(Damage { line, offset, reason }),
            }
        }
        Ok(scan)
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

fn check_header(path: &Path, expected: &Value, found: Result<&str, String>) -> Result<()> {
    let other =
        |found: String| JournalError::OtherHeader { path: path.to_owned(), expected: expected.to_string(), found };
    let json = found.map_err(|reason| other(format!("a first line that {reason}")))?;
    match serde_json::from_str::<Value>(json) {
        Ok(value) if value == *expected => Ok(()),
        _ => Err(other(json.to_owned())),
    }
}

/// A new file is only found again after a power failure if its directory is on disk too.
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::fs;

    type Loaded = Vec<(u64, String)>;

    fn open(path: &Path) -> (Journal, Loaded, Vec<Damage>) {
        let mut loaded = Vec::new();
        let header = json!({"stage": "test", "key": "k1"});
        let (journal, damage) =
            Journal::open(path, &header, |offset, json| loaded.push((offset, json.to_owned()))).unwrap();
        (journal, loaded, damage)
    }

    fn texts(loaded: &Loaded) -> Vec<&str> {
        loaded.iter().map(|(_, text)| text.as_str()).collect()
    }

    const RECORDS: [&str; 3] = [r#"{"id":"a","x":0.1}"#, r#"{"id":"b","text":"Grüße ☃"}"#, r#"{"id":"c"}"#];

    fn written(path: &Path) -> Vec<u8> {
        let (mut journal, loaded, _) = open(path);
        assert!(loaded.is_empty());
        for record in RECORDS {
            journal.append(record).unwrap();
        }
        fs::read(path).unwrap()
    }

    #[test]
    fn a_line_is_checksum_space_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let (mut journal, ..) = open(&path);
        journal.append("123456789").unwrap();
        // The check value of CRC-32 (IEEE 802.3).
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(1), Some("cbf43926 123456789"));
    }

    #[test]
    fn torn_at_every_byte_it_keeps_what_is_complete_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let bytes = written(&path);
        let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
        for length in 0..=bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let complete = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
            let (mut journal, loaded, damage) = open(&path);
            assert_eq!(texts(&loaded), RECORDS[..complete], "cut at byte {length}");
            assert!(damage.is_empty(), "cut at byte {length}: {damage:?}");
            for record in &RECORDS[complete..] {
                journal.append(record).unwrap();
            }
            assert_eq!(fs::read(&path).unwrap(), bytes, "cut at byte {length}");
        }
    }

    #[test]
    fn a_flipped_byte_costs_the_records_it_touches_and_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let bytes = written(&path);
        let header = bytes.iter().position(|b| *b == b'\n').unwrap();
        for place in header + 1..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x15;
            fs::write(&path, &damaged).unwrap();
            let (_, loaded, damage) = open(&path);
            let kept = texts(&loaded);
            assert!(kept.iter().all(|text| RECORDS.contains(text)), "byte {place}: {kept:?}");
            assert!(!damage.is_empty(), "byte {place}");
            // A line break that is lost or made touches two records at most.
            assert!(kept.len() > usize::from(bytes[place] != b'\n'), "byte {place}: {kept:?}");
        }
        fs::write(&path, String::from_utf8(bytes).unwrap().replace("Grüße", "Gruesse")).unwrap();
        let (_, loaded, damage) = open(&path);
        assert_eq!(texts(&loaded), [RECORDS[0], RECORDS[2]]);
        assert_eq!((damage[0].line, damage.len()), (3, 1));
        assert!(damage[0].reason.starts_with("has the checksum"), "{damage:?}");
    }

    #[test]
    fn another_header_is_refused_and_so_is_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let bytes = written(&path);
        let error = Journal::open(&path, &json!({"stage": "other"}), |_, _| {}).unwrap_err();
        assert!(matches!(error, JournalError::OtherHeader { .. }), "{error}");
        let mut damaged = bytes.clone();
        damaged[12] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = Journal::open(&path, &json!({"stage": "test", "key": "k1"}), |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("a first line that has the checksum"), "{error}");
    }

    #[test]
    fn records_are_found_at_their_offsets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let (mut journal, ..) = open(&path);
        let offsets: Vec<u64> = RECORDS.iter().map(|record| journal.append(record).unwrap()).collect();
        let mut reader = Reader::open(&path).unwrap();
        for (offset, record) in offsets.iter().zip(RECORDS).rev() {
            assert_eq!(reader.read_at(*offset).unwrap(), record);
        }
        assert!(matches!(reader.read_at(offsets[1] + 1), Err(JournalError::Damaged { .. })));
        assert!(matches!(reader.read_at(1 << 20), Err(JournalError::Damaged { .. })));
        drop(journal);
        let (_, loaded, _) = open(&path);
        assert_eq!(loaded.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), offsets);
    }

    #[test]
    fn two_writers_are_one_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let (journal, ..) = open(&path);
        let error = Journal::open(&path, &json!({}), |_, _| {}).unwrap_err();
        assert!(matches!(error, JournalError::InUse { .. }), "{error}");
        drop(journal);
        open(&path);
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_path() {
        // `/dev/full` fails every write as a full disk does.
        let path = Path::new("/dev/full");
        if !path.exists() {
            return;
        }
        let file = OpenOptions::new().append(true).open(path).unwrap();
        let mut journal = Journal {
            path: path.to_owned(),
            file,
            length: 0,
            unsynced: 0,
            synced_at: Instant::now(),
            line: Vec::new(),
        };
        let error = journal.append("{}").unwrap_err();
        let JournalError::Io { doing, path, source } = error else { panic!("{error}") };
        assert_eq!(
            (doing, path.as_path(), source.kind()),
            ("append to", Path::new("/dev/full"), io::ErrorKind::StorageFull)
        );
    }

    #[test]
    fn a_line_break_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, ..) = open(&folder.path().join("j"));
        assert!(matches!(journal.append("{\n}"), Err(JournalError::Damaged { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec(any::<String>(), 0..20)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("j");
            let lines: Vec<String> = texts.iter().map(|text| json!({"text": text}).to_string()).collect();
            let (mut journal, ..) = open(&path);
            for line in &lines {
                journal.append(line).unwrap();
            }
            drop(journal);
            let (_, loaded, damage) = open(&path);
            prop_assert!(damage.is_empty());
            let read: Vec<String> = loaded.into_iter().map(|(_, text)| text).collect();
            prop_assert_eq!(read, lines);
        }
    }
}
